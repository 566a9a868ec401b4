package participant

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// Limits of a participant.
const (
	// MaxCommandBytes bounds a command.
	MaxCommandBytes = 1 << 20
	// MaxKeyLength bounds a command's ID.
	MaxKeyLength = 255
	// retrySoon is what a participant suggests that had no time for a command.
	retrySoon = time.Second
)

// The codes of answers that the package itself gives.
const (
	CodeAlreadyCompensated = coordination.CodeAlreadyCompensated
	CodeDeadlinePassed     = "DEADLINE_PASSED"
	CodeInvalidCommand     = "INVALID_COMMAND"
	CodeInvalidSignature   = "INVALID_SIGNATURE"
	CodeKeyMismatch        = "KEY_MISMATCH"
	CodeKeyReused          = "KEY_REUSED"
	CodeCommandTooLarge    = "COMMAND_TOO_LARGE"
	CodeUnknownAction      = "UNKNOWN_ACTION"
	CodeWrongService       = "WRONG_SERVICE"
	CodeInternal           = "INTERNAL"
	CodeBusy               = "BUSY"
)

// Handler carries out one action. ctx ends with the command's deadline; what is
// not certainly undone by then is UNKNOWN. A command may be late when it comes
// ([Command.Late]): it may be answered as before, but must not be begun.
type Handler interface {
	Handle(ctx context.Context, c *Command) Outcome
}

// HandlerFunc is a function as a Handler: it is not called for a late command.
// It may be called again with the same CommandID, at the same time too, unless a
// [Barrier] or [Memory] stands before it.
type HandlerFunc func(ctx context.Context, c *Command) Outcome

// Handle calls f in time.
func (f HandlerFunc) Handle(ctx context.Context, c *Command) Outcome {
	if c.Late() {
		return late()
	}
	return f(ctx, c)
}

// handler is a function that sees to late commands itself.
type handler func(ctx context.Context, c *Command) Outcome

func (f handler) Handle(ctx context.Context, c *Command) Outcome { return f(ctx, c) }

func late() Outcome {
	return Retry{Code: CodeDeadlinePassed, Message: "the deadline of this attempt has passed", After: retrySoon}
}

// Config sets a participant up. The zero value is usable.
type Config struct {
	// Secrets check who sent a command over HTTP (Standard Webhooks); any of
	// them may have signed, which lets them be rotated. None: nothing is checked.
	Secrets []webhook.Secret
	// Logger hears of what goes wrong, never of what is in a command; the
	// default logger if nil.
	Logger *slog.Logger
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// Healthy, if set, is asked for GET /healthz.
	Healthy func(ctx context.Context) error
}

// Participant is a service with its actions. It is an http.Handler; see also
// HandleMessage and ServeBus.
type Participant struct {
	service string
	cfg     Config
	actions map[string]Handler
}

// New makes a participant without actions. The service's name is the one in
// the coordinator's templates.
func New(service string, cfg Config) *Participant {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Logger = cfg.Logger.With("service", service)
	return &Participant{service: service, cfg: cfg, actions: map[string]Handler{}}
}

// Service is the name of the service.
func (p *Participant) Service() string { return p.service }

// Handle says how an action is carried out. It panics if there is one of that
// name, and must be called before the participant serves.
func (p *Participant) Handle(action string, h Handler) {
	if _, exists := p.actions[action]; exists {
		panic("participant: action " + action + " is handled twice")
	}
	p.actions[action] = h
}

// HandleFunc is Handle with a function.
func (p *Participant) HandleFunc(action string, f func(ctx context.Context, c *Command) Outcome) {
	p.Handle(action, HandlerFunc(f))
}

// Do carries out a command as if it had come from the coordinator.
func (p *Participant) Do(ctx context.Context, c *Command) Outcome {
	h, known := p.actions[c.Action]
	switch {
	case c.Service != "" && c.Service != p.service:
		return Refused{Code: CodeWrongService, Message: "this is " + p.service}
	case !known:
		return Refused{Status: 404, Code: CodeUnknownAction, Message: p.service + " has no such action"}
	}
	if !c.Deadline.IsZero() {
		left := c.Deadline.Sub(p.cfg.Now())
		if c.late = left <= 0; !c.late {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, left)
			defer cancel()
		}
	}
	return p.call(ctx, h, c)
}

// call turns a panic into doubt.
func (p *Participant) call(ctx context.Context, h Handler, c *Command) (o Outcome) {
	defer func() {
		if v := recover(); v != nil {
			p.cfg.Logger.Error("an action panicked", "action", c.Action, "commandId", c.CommandID,
				"panic", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			o = Unknown{Code: CodeInternal, Message: "the action failed unexpectedly"}
		}
	}()
	if o = h.Handle(ctx, c); o == nil {
		o = Unknown{Code: CodeInternal, Message: "the action gave no outcome"}
	}
	return o
}

// answerOf is the outcome of a command as it is sent.
func (p *Participant) answerOf(c *Command, o Outcome) coordination.Answer {
	a, err := o.answer()
	if err != nil { // it was done, but its result cannot be told
		p.cfg.Logger.Error("an answer could not be encoded", "action", c.Action, "commandId", c.CommandID, "error", err)
		return failure(coordination.OutcomeUnknown, CodeInternal, "the result could not be encoded")
	}
	return a
}
