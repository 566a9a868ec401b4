package service

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/examples/participants/ledger"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// book is what the ledger says, ready to be looked up. It changes only by
// apply, and only after the entry is durable, so that a restart rebuilds it
// exactly. It also holds the locks of the executions being decided about.
type book struct {
	mu      sync.Mutex
	records map[string]*record       // by commandId
	undone  map[string]*record       // by the execution's commandId: its undo
	busy    map[string]chan struct{} // by the execution's commandId: closed on unlock
}

// record is a command that was answered, or promised an answer. The fields
// before promise never change.
type record struct {
	action      string
	fingerprint string
	effect      string // empty: none
	memo        string
	outcome     coordination.Outcome
	answer      json.RawMessage

	promise *promise // nil once the callback is done, or if there was none
}

// promise is an answer owed to a callback.
type promise struct {
	accepted ledger.Entry // the entry that made it, with the newest callback
	kept     bool         // the final answer is in the ledger, only the call is owed
}

func newBook() *book {
	return &book{
		records: map[string]*record{},
		undone:  map[string]*record{},
		busy:    map[string]chan struct{}{},
	}
}

// lock waits until nobody else decides about this execution, or for ctx.
func (b *book) lock(ctx context.Context, key string) (unlock func(), err error) {
	for {
		b.mu.Lock()
		held, taken := b.busy[key]
		if !taken {
			mine := make(chan struct{})
			b.busy[key] = mine
			b.mu.Unlock()
			return func() { b.unlock(key, mine) }, nil
		}
		b.mu.Unlock()
		select {
		case <-held:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (b *book) unlock(key string, mine chan struct{}) {
	b.mu.Lock()
	delete(b.busy, key)
	b.mu.Unlock()
	close(mine)
}

// find returns a copy of what is known of a command.
func (b *book) find(key string) (record, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.records[key]
	if !ok {
		return record{}, false
	}
	return *r, true
}

// undoOf returns the undo that was answered for an execution.
func (b *book) undoOf(key string) (record, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.undone[key]
	if !ok {
		return record{}, false
	}
	return *r, true
}

// owed returns the promise that is still to be kept for a command, if any. An
// undone execution owes nothing: nobody waits for it.
func (b *book) owed(key string) (promise, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.records[key]
	if !ok || r.promise == nil || b.undone[key] != nil {
		return promise{}, false
	}
	return *r.promise, true
}

// allOwed returns the commands with a promise to keep, sorted.
func (b *book) allOwed() []string {
	var owed []string
	for _, key := range slices.Sorted(maps.Keys(b.records)) {
		if _, ok := b.owed(key); ok {
			owed = append(owed, key)
		}
	}
	return owed
}

// apply takes over a durable entry.
func (b *book) apply(e ledger.Entry) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e.Kind {
	case ledger.Effect, ledger.Answer, ledger.Tombstone:
		b.settle(e)
	case ledger.Accepted:
		b.records[e.CommandID] = &record{
			action: e.Action, fingerprint: e.Fingerprint,
			outcome: coordination.OutcomeAccepted, answer: acceptedBody,
			promise: &promise{accepted: e},
		}
	case ledger.CalledBack:
		if r := b.records[e.CommandID]; r != nil {
			r.promise = nil
		}
	default:
		return fmt.Errorf("unknown kind %q", e.Kind)
	}
	return nil
}

func (b *book) settle(e ledger.Entry) {
	r := &record{
		action: e.Action, fingerprint: e.Fingerprint, effect: e.Effect, memo: e.Memo,
		outcome: coordination.Outcome(e.Outcome), answer: e.Answer,
	}
	if before := b.records[e.CommandID]; before != nil && before.promise != nil {
		r.promise = &promise{accepted: before.promise.accepted, kept: true}
	}
	b.records[e.CommandID] = r
	if e.Undo() && r.outcome == coordination.OutcomeSucceeded && b.undone[e.Forward] == nil {
		b.undone[e.Forward] = r
	}
}

// due is when a promised effect takes place.
func (p promise) due() time.Time { return p.accepted.DueAt }
