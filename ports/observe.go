package ports

import (
	"context"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
)

// Observer is told what an engine does, for metrics, traces and logs. It is
// called where the work is done: it must be quick, never block, and keep nothing
// that it is given.
type Observer interface {
	// Committed tells that a transition is durable, before anything that follows
	// from it is done. Those of one workflow come in order.
	Committed(t Transition)
	// Wrote tells what came of one call of the store's Commit, by the errors of its changes.
	Wrote(errs []error, took time.Duration)
}

// Transition is one change of a workflow.
type Transition struct {
	Before, After *domain.State // the zero State before a start
	Events        []domain.Event
	// Command is what led to it.
	Command domain.Command
	// Cause is the context of the caller who sent the command, nil where it was
	// no caller: a timer, or a participant's answer to a command.
	Cause context.Context
	// Began is when it was decided. The clock is the engine's.
	Began, Ended time.Time
	// Batch is how many changes were committed together with it, itself included.
	Batch int
}

// Load is how much an engine has in hand.
type Load struct {
	Held     int // workflows in memory
	Owing    int // ended workflows in memory until their last events are published
	Requests int // callers that wait
	Unsent   int // workflows whose events wait for the message bus
	Services []ServiceLoad
}

// ServiceLoad is how much an engine has in hand for one participant.
type ServiceLoad struct {
	Service  string
	Queued   int // commands that wait to be sent
	InFlight int // commands that are being sent, at most Limit
	Limit    int
	Shut     bool // its circuit breaker is open, but for a probe now and then
}
