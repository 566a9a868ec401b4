package simulated

import (
	"context"
	"errors"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// Limits of promises, that is of commands that were answered ACCEPTED.
const (
	MaxPromises      = 10_000 // at a time; beyond it RETRY is answered
	callbackAttempts = 20
	callbackTimeout  = 10 * time.Second
	firstCallbackGap = 50 * time.Millisecond // between attempts; it doubles …
	maxCallbackGap   = 5 * time.Second       // … up to this
)

// promise lets a command have its effect after d and calls back with the
// answer; false if there are too many promises.
func (s *Services) promise(cmd domain.Dispatch, d time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.promises >= MaxPromises {
		return false
	}
	s.promises++
	s.promised.Go(func() {
		s.fulfil(&cmd, d)
		s.mu.Lock()
		s.promises--
		s.mu.Unlock()
	})
	return true
}

func (s *Services) fulfil(cmd *domain.Dispatch, d time.Duration) {
	if !s.pause(s.ctx, time.Time{}, d) || !s.memory.keep(cmd) {
		return
	}
	answer := domain.Answer{CommandID: cmd.CommandID, Outcome: domain.Succeeded, Result: resultOf(cmd)}
	gap := firstCallbackGap
	for range callbackAttempts {
		if s.callBack(cmd.Token, answer) || !s.pause(s.ctx, time.Time{}, gap) {
			return
		}
		gap = min(2*gap, maxCallbackGap)
	}
}

// callBack reports whether the answer needs no further attempt: it was taken,
// or refused for good.
func (s *Services) callBack(token string, a domain.Answer) bool {
	s.mu.Lock()
	answers := s.answers
	s.mu.Unlock()
	if answers == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(s.ctx, callbackTimeout)
	defer cancel()
	err := answers.Answer(ctx, token, a)
	for _, final := range []error{ports.ErrUnknownToken, ports.ErrNotFound, ports.ErrClosed, domain.ErrUnknownCommand, domain.ErrNotWaiting, domain.ErrOtherAnswer} {
		if errors.Is(err, final) {
			return true
		}
	}
	return err == nil
}
