// Package sim runs several replicas of the coordinator in one goroutine on
// virtual time and looks for a broken promise.
//
// The replicas are the production code: engine.Partition, engine.Pump and the
// domain below them. Everything around them is simulated from one seed: the
// clock of each replica, the store and its failures, the network, participants
// that keep the protocol of saga-participant/1 and fail in every way it allows,
// callers who repeat themselves, operators, crashes between any two effects,
// and replicas that sleep past their lease and go on.
//
// Each seed turns a random subset of the faults on, so that rare ones meet
// (swarm testing); some seeds have none, or only business rejections. After
// every step the oracle checks the promises against what is stored and against
// what the participants did. Then the faults stop, time runs on, and every
// workflow must reach an end.
//
// The same seed gives the same run, event by event: a violation is found once
// and debugged for ever.
//
//	r := sim.Run(sim.Options{Seed: 42})
//	if r.Violation != nil {
//		fmt.Println(r.Violation)
//	}
package sim
