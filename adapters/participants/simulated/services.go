// Package simulated plays the participants: every service that a template may
// name, in the coordinator's own process. They keep the protocol as a real
// participant has to — a command has its effect once however often it comes, an
// undo without its execute is done and keeps the execute from ever happening —
// and misbehave where the input asks for it; see the triggers in trigger.go.
//
// Their memory is that of the process: after a restart they answer a repeated
// command as before, since every answer is derived from the command, but no
// longer call back for what they had promised.
package simulated

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// Defaults of Config.
const (
	DefaultMinDelay = 5 * time.Millisecond
	DefaultMaxDelay = 20 * time.Millisecond
)

// Config says how the participants behave.
type Config struct {
	// An answer takes from MinDelay to MaxDelay; DefaultMinDelay and
	// DefaultMaxDelay if both are zero.
	MinDelay, MaxDelay time.Duration
	// Instant answers without any delay, for benchmarks. Triggers keep theirs.
	Instant bool
	// Answers takes callbacks; it can be set later with SetAnswers.
	Answers ports.Answers
	// Entropy chooses the delays; nil is the process's own source.
	Entropy ports.Entropy
	// Timer is the time that the participants live in; the system's if nil.
	Timer Timer
}

// Timer is a clock that can be waited for.
type Timer interface {
	ports.Clock
	// Sleep waits for d, above 0; false if ctx ends first.
	Sleep(ctx context.Context, d time.Duration) bool
}

// Services are all participants. They must be closed.
type Services struct {
	cfg    Config
	memory memory
	ctx    context.Context // ends the promises
	cancel context.CancelFunc

	mu       sync.Mutex
	answers  ports.Answers
	closed   bool
	promised sync.WaitGroup
	promises int
}

// New makes the participants.
func New(cfg Config) *Services {
	if cfg.MinDelay == 0 && cfg.MaxDelay == 0 {
		cfg.MinDelay, cfg.MaxDelay = DefaultMinDelay, DefaultMaxDelay
	}
	if cfg.Timer == nil {
		cfg.Timer = systemTimer{}
	}
	s := &Services{cfg: cfg, memory: newMemory(MaxRemembered), answers: cfg.Answers}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// SetAnswers says where callbacks go. What was promised before waits for it.
func (s *Services) SetAnswers(a ports.Answers) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = a
}

// Close breaks all promises and waits until nobody calls back any more. It may
// be called twice.
func (s *Services) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.promised.Wait()
}

// Promises is how many commands were answered ACCEPTED and are to be settled yet.
func (s *Services) Promises() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.promises
}

// For is the participant of one service. Any name is known.
func (s *Services) For(service string) ports.Participant {
	return &participant{services: s, name: service}
}

type participant struct {
	services *Services
	name     string
}

var _ ports.Participant = (*participant)(nil)

// Check finds the participant up: it is in this process.
func (p *participant) Check(context.Context) ports.DependencyHealth {
	return ports.DependencyHealth{Up: true}
}

// Send delivers a command; see ports.Participant.
func (p *participant) Send(ctx context.Context, cmd domain.Dispatch) domain.Answer {
	s := p.services
	if !s.pause(ctx, cmd.Deadline, s.delay()) {
		return lost()
	}
	t := triggerOf(&cmd)
	switch t.kind {
	case never:
		s.await(ctx, cmd.Deadline)
		return lost()
	case slow:
		if !s.memory.settled(cmd.CommandID) && !s.pause(ctx, cmd.Deadline, t.wait) {
			s.memory.handle(&cmd, t) // it is done although nobody waits any more
			return lost()
		}
	}
	switch s.memory.handle(&cmd, t) {
	case happened:
		return answerTo(&cmd, t)
	case wasCompensated:
		return failure(domain.Rejected, codeAlreadyCompensated, "The command was compensated before it came")
	case postponed:
		if !s.promise(cmd, t.wait) {
			s.memory.forget(cmd.CommandID)
			return failure(domain.Retry, "OVERLOADED", "Too many answers are promised already")
		}
		return domain.Answer{Outcome: domain.Accepted}
	case postponedBefore:
		return domain.Answer{Outcome: domain.Accepted}
	}
	return failure(t.outcome(), t.code, t.message)
}

// answerTo is the answer to a command that has its effect: its result, unless
// the answer is to be lost.
func answerTo(cmd *domain.Dispatch, t trigger) domain.Answer {
	if t.kind == unanswered {
		return lost()
	}
	return domain.Answer{Outcome: domain.Succeeded, Result: resultOf(cmd)}
}

func failure(outcome domain.Outcome, code, message string) domain.Answer {
	return domain.Answer{Outcome: outcome, Error: &domain.StepError{Code: code, Message: message}}
}

func lost() domain.Answer {
	return failure(domain.Unknown, domain.CodeTimeout, "No answer was received")
}

func (s *Services) delay() time.Duration {
	if s.cfg.Instant {
		return 0
	}
	span := uint64(max(s.cfg.MaxDelay-s.cfg.MinDelay, 0)) + 1
	random := rand.Uint64()
	if s.cfg.Entropy != nil {
		random = s.cfg.Entropy.Random()
	}
	return s.cfg.MinDelay + time.Duration(random%span)
}

// pause waits for d; false if ctx or the deadline ends first.
func (s *Services) pause(ctx context.Context, deadline time.Time, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	if !deadline.IsZero() && deadline.Sub(s.cfg.Timer.Now()) <= d {
		s.await(ctx, deadline)
		return false
	}
	return s.cfg.Timer.Sleep(ctx, d)
}

// await returns when ctx ends or the deadline has passed.
func (s *Services) await(ctx context.Context, deadline time.Time) {
	if deadline.IsZero() {
		<-ctx.Done()
		return
	}
	if left := deadline.Sub(s.cfg.Timer.Now()); left > 0 {
		s.cfg.Timer.Sleep(ctx, left)
	}
}

type systemTimer struct{}

// Now is the time of the machine.
func (systemTimer) Now() time.Time { return time.Now() }

// Sleep waits for d; false if ctx ends first.
func (systemTimer) Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
