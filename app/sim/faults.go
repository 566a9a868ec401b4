package sim

import (
	"fmt"
	"math/rand/v2"
)

// Fault is one way in which a run can go wrong.
type Fault int

// The faults. The first group happens to replicas, the second to the store,
// the third to participants, the fourth to messages; the last are people.
const (
	Crash Fault = iota
	Pause
	Skew
	Restart
	Crowded // a service takes only one or two commands at once

	StoreRefuses
	StoreAmbiguous
	StoreTooLate
	StoreSlow
	StoreDown

	Reject
	TryAgain
	UnknownBefore
	UnknownAfter
	BadContract
	Outage
	AnswersLater
	UndoRejected
	ResultMissing
	Forgetful // without tombstones: a late command has its effect, and says so

	CommandLost
	CommandLate
	CommandTwice
	AnswerLost
	AnswerLate
	AnswerTwice
	CallbackLost
	CallbackEarly
	OverBus      // services get their commands by a bus, which knows nothing of their answers
	BusDown      // nothing can be published
	PublishDoubt // something was published, or not, and the publisher is not told

	Cancelling
	CancelForced
	OperatorRetries
	OperatorCompensates
	Heartbeats
	Rivals // two callers start a workflow for the same business key
	Impatience
	faultCount
)

var faultNames = [faultCount]string{
	"crash", "pause", "skew", "restart", "crowded",
	"store-refuses", "store-ambiguous", "store-too-late", "store-slow", "store-down",
	"reject", "try-again", "unknown-before", "unknown-after", "bad-contract", "outage", "answers-later", "undo-rejected", "result-missing", "forgetful",
	"command-lost", "command-late", "command-twice", "answer-lost", "answer-late", "answer-twice", "callback-lost", "callback-early", "over-bus", "bus-down", "publish-doubt",
	"cancel", "cancel-forced", "operator-retries", "operator-compensates", "heartbeats", "rivals", "impatience",
}

// String is the fault's name in summaries and traces.
func (f Fault) String() string {
	if f < 0 || f >= faultCount {
		return fmt.Sprintf("fault-%d", int(f))
	}
	return faultNames[f]
}

// Mode says what kind of run a seed is.
type Mode string

// The modes. In Calm everything must complete; in Rejections every workflow
// meets one business rejection before its pivot and must end FAILED and
// COMPENSATED; in Swarm a random subset of all faults is on.
const (
	Calm       Mode = "calm"
	Rejections Mode = "rejections"
	Swarm      Mode = "swarm"
)

// weather is which faults a run has, and how often each strikes.
type weather struct {
	mode   Mode
	chance [faultCount]float64 // of striking where it can; 0: off
	hits   [faultCount]int
	rng    *rand.Rand
	healed bool
}

// Chances of the modes and of a fault in a swarm.
const (
	calmShare      = 0.06
	rejectionShare = 0.06
	faultShare     = 0.3
)

func newWeather(rng *rand.Rand) *weather {
	w := &weather{mode: Swarm, rng: rng}
	switch x := rng.Float64(); {
	case x < calmShare:
		w.mode = Calm
	case x < calmShare+rejectionShare:
		w.mode = Rejections
	default:
		for f := range w.chance {
			if rng.Float64() < faultShare {
				w.chance[f] = 0.02 + 0.4*rng.Float64()*rng.Float64()
			}
		}
	}
	if w.chance[Forgetful] > 0 { // what it did too late must be heard of, in the run of the command
		for _, f := range []Fault{OperatorRetries, AnswerLost, CallbackLost, UnknownAfter, Crash, Restart} {
			w.chance[f] = 0
		}
	}
	return w
}

// strikes reports whether a fault happens here and now.
func (w *weather) strikes(f Fault) bool {
	if w.healed || w.chance[f] == 0 || w.rng.Float64() >= w.chance[f] {
		return false
	}
	w.hits[f]++
	return true
}

// on reports whether the run has a fault at all.
func (w *weather) on(f Fault) bool { return !w.healed && w.chance[f] > 0 }
