package sim

import (
	"context"
	"strconv"
	"time"

	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// How a replica is run; the values of the production engine or near them.
const (
	lease       = engine.DefaultLease
	claimEvery  = 700 * time.Millisecond
	claimBatch  = 256
	commitLanes = engine.DefaultCommitLanes
	// claimSettles is how long after a failed claim everything is claimed anew.
	claimSettles = 10 * time.Second
	drainPoll    = 50 * time.Millisecond
	drainWithin  = 25 * time.Second
	maxSkew      = 2 * time.Minute
	// crowdedLimit is the most a crowded service takes at once.
	crowdedLimit = 2
)

// machine is a partition, or one with a bug planted around it.
type machine interface {
	Repeat(cmd domain.Dispatch)
	Handle(now time.Time, r engine.Request)
	Adopt(now time.Time, s domain.State, unpublished []domain.Event)
	Loaded(now time.Time, workflowID string, s domain.State, owner string, unpublished []domain.Event, err error)
	Owe(now time.Time, s domain.State, unpublished []domain.Event)
	Emitted(now time.Time, workflowID string, upTo int)
	Committed(now time.Time, workflowID string, err error)
	Tick(now time.Time)
	NextWake() time.Time
	Drain()
	Busy() bool
}

// replica is one life of a coordinator process: a crash ends it, what comes
// after has another name and remembers nothing.
type replica struct {
	sim         *simulation
	place       int
	name        string
	skew        time.Duration
	part        machine
	pump        *engine.Pump
	disk        disk
	relay       relay
	dead        bool
	leased      bool // as far as it knows
	draining    bool
	pausedUntil time.Duration
	// fuse, while above 0, counts the effects left until the crash.
	fuse int

	claimInDoubt time.Duration // when a claim failed, 0 once that is settled

	tickAt  time.Duration
	tickGen int
	sent    map[sending]bool // what this life has given to its pump
}

// sending is one attempt of one command.
type sending struct {
	command string
	attempt int
}

// boot starts a process in a place.
func (s *simulation) boot(place int) {
	s.boots++
	r := &replica{sim: s, place: place, name: "replica-" + strconv.Itoa(s.boots), sent: map[sending]bool{}, tickAt: -1}
	r.disk.replica, r.relay.replica = r, r
	if s.weather.on(Skew) && s.weather.strikes(Skew) {
		r.skew = s.within(2*maxSkew) - maxSkew
	}
	part := engine.NewPartition(r.name, s.opts.bug.world(r, r))
	if s.publishes {
		part.PublishEvents()
	}
	r.part = s.opts.bug.partition(r, part)
	r.pump = engine.NewPump(s.participants.limits(), r.call, r.answered, r.again)
	s.replicas[place] = r
	s.trace.add(s.now, "", r.name, "boots with its clock off by", r.skew.String())
	r.renew()
	r.every(lease/3, r.renew)
	r.every(claimEvery, r.claim)
	r.every(engine.ExpireEvery, func() {
		r.pump.Expire(r.clock())
	})
}

// clock is what this replica takes for the time.
func (r *replica) clock() time.Time { return epoch.Add(r.sim.now + r.skew) }

// after plans something that this process does itself.
func (r *replica) after(d time.Duration, do func()) {
	r.sim.queue.push(event{at: r.sim.now + d, replica: r, do: do})
}

func (r *replica) every(d time.Duration, do func()) {
	r.sim.queue.push(event{at: r.sim.now + d, replica: r, periodic: true, do: func() {
		do()
		if !r.dead {
			r.every(d, do)
		}
	}})
}

// lives reports whether this process gets to perform one more effect; it may
// be the last before its crash.
func (r *replica) lives() bool {
	if r.dead {
		return false
	}
	if r.fuse > 0 {
		if r.fuse--; r.fuse == 0 {
			before := r.sim.rng.IntN(2) == 0
			r.crash()
			return !before
		}
	}
	return true
}

// crash ends the process with all its memory; another boots in its place.
func (r *replica) crash() {
	if r.dead {
		return
	}
	r.sim.trace.add(r.sim.now, "", r.name, "crashes")
	r.end(r.sim.between(100*time.Millisecond, 40*time.Second))
}

func (r *replica) end(downFor time.Duration) {
	s := r.sim
	r.dead = true
	s.replicas[r.place] = nil
	if s.weather.healed {
		downFor = min(downFor, time.Second)
	}
	s.after(downFor, func() { s.boot(r.place) })
}

// arm makes sure that Tick is called when the partition needs it.
func (r *replica) arm() {
	at := r.part.NextWake()
	if at.IsZero() {
		return
	}
	due := max(at.Sub(epoch)-r.skew, r.sim.now)
	if r.tickAt >= 0 && r.tickAt <= due {
		return
	}
	r.tickGen++
	gen := r.tickGen
	r.tickAt = due
	r.sim.queue.push(event{at: due, replica: r, periodic: true, do: func() {
		if gen == r.tickGen {
			r.tickAt = -1
			r.part.Tick(r.clock())
		}
	}})
}

// renew keeps the lease.
func (r *replica) renew() {
	r.sim.after(r.sim.disturbedDelay(), func() {
		if r.dead {
			return
		}
		renewed := !r.sim.storeFails()
		if renewed {
			_ = r.sim.port.Renew(context.Background(), r.name, lease)
		}
		r.after(r.sim.disturbedDelay(), func() { r.leased = renewed })
	})
}

// claim takes over what is due and what a dead replica held, as
// Engine.claimOnce does.
func (r *replica) claim() {
	s := r.sim
	if r.draining || !r.leased {
		return
	}
	if !s.store.anyClaimable() && r.claimInDoubt == 0 {
		return // saves a round trip in virtual time, decides nothing
	}
	s.after(s.disturbedDelay(), func() {
		if s.storeFails() {
			r.after(s.disturbedDelay(), func() { r.claimInDoubt = s.now })
			return
		}
		if r.claimInDoubt > 0 && s.now-r.claimInDoubt >= claimSettles {
			_ = s.port.Release(context.Background(), r.name)
			_ = s.port.Renew(context.Background(), r.name, lease)
			r.claimInDoubt = 0
		}
		owed, _ := s.port.ClaimOwed(context.Background(), r.name, claimBatch)
		records, err := s.port.Claim(context.Background(), r.name, claimBatch)
		if err != nil || len(records)+len(owed) == 0 {
			return
		}
		if s.weather.strikes(StoreAmbiguous) {
			s.trace.add(s.now, "", r.name, "is not told of its claim")
			r.after(s.disturbedDelay(), func() { r.claimInDoubt = s.now })
			return
		}
		r.after(s.disturbedDelay(), func() {
			r.take(owed, "owes the events of", r.part.Owe)
			r.take(records, "adopts", r.part.Adopt)
		})
	})
}

// take hands claimed workflows to the partition.
func (r *replica) take(records []ports.Record, how string, over func(time.Time, domain.State, []domain.Event)) {
	for _, rec := range records {
		state, events, err := r.sim.templates.restore(rec)
		if err != nil {
			r.sim.broken("I4", rec.Row.WorkflowID, "a claimed record cannot be read: %v", err)
			return
		}
		r.after(0, func() {
			r.sim.trace.add(r.sim.now, state.WorkflowID, r.name, how, strconv.Itoa(state.Version))
			over(r.clock(), state, events[rec.Row.Published:])
		})
	}
}

// drain ends the process in good order, as Engine.Close does.
func (r *replica) drain() {
	s := r.sim
	s.trace.add(s.now, "", r.name, "drains")
	r.draining = true
	r.part.Drain()
	until := s.now + drainWithin
	var poll func()
	poll = func() {
		busy := r.pump.InFlight() > 0 || r.part.Busy() || r.disk.busy()
		if busy && s.now < until {
			r.after(drainPoll, poll)
			return
		}
		s.trace.add(s.now, "", r.name, "is drained")
		_ = s.port.Release(context.Background(), r.name)
		r.end(s.between(time.Second, 10*time.Second))
	}
	r.after(drainPoll, poll)
}

// planTrouble plans what happens to replicas, participants and the store.
func (s *simulation) planTrouble(until time.Duration) {
	strike := func(f Fault, do func(r *replica)) {
		if s.weather.chance[f] == 0 {
			return
		}
		mean := time.Duration(float64(8*time.Second) / s.weather.chance[f])
		for at := s.within(mean); at < until; at += s.between(time.Second, 2*mean) {
			s.after(at, func() {
				if r := s.anyReplica(); r != nil && !s.weather.healed {
					s.weather.hits[f]++
					do(r)
				}
			})
		}
	}
	strike(Crash, func(r *replica) { r.fuse = 1 + s.rng.IntN(8) })
	strike(Pause, func(r *replica) {
		r.pausedUntil = s.now + s.between(time.Second, 3*lease)
		s.trace.add(s.now, "", r.name, "sleeps until", r.pausedUntil.String())
	})
	strike(Restart, func(r *replica) { r.drain() })
	strike(Skew, func(r *replica) {
		r.skew = s.within(2*maxSkew) - maxSkew
		s.trace.add(s.now, "", r.name, "'s clock is now off by", r.skew.String())
	})
	strike(StoreDown, func(*replica) { s.storeDown = s.now + s.between(time.Second, 20*time.Second) })
	strike(BusDown, func(*replica) { s.busDown = s.now + s.between(time.Second, 3*time.Minute) })
	strike(Outage, func(*replica) { s.participants.outage() })
}

// anyReplica is a replica that takes requests, or nil.
func (s *simulation) anyReplica() *replica {
	n := len(s.replicas)
	for i, first := 0, s.rng.IntN(n); i < n; i++ {
		if r := s.replicas[(first+i)%n]; r != nil && !r.draining {
			return r
		}
	}
	return nil
}
