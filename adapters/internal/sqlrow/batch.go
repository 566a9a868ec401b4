// Package sqlrow is what the SQL stores share: how a batch is taken apart for
// writing, why a change is refused, and what a list is made of.
package sqlrow

import (
	"errors"
	"fmt"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// Errors of a batch that breaks the rules of ports.Committer; nothing was written.
var (
	ErrBatchTooLarge = fmt.Errorf("a batch holds at most %d changes", ports.MaxBatch)
	ErrTwice         = errors.New("a batch holds two changes of one workflow")
)

// Check reports whether a batch breaks the rules.
func Check(batch []ports.Change) error {
	if len(batch) > ports.MaxBatch {
		return ErrBatchTooLarge
	}
	seen := make(map[string]struct{}, len(batch))
	for i := range batch {
		seen[batch[i].Row.WorkflowID] = struct{}{}
	}
	if len(seen) < len(batch) {
		return ErrTwice
	}
	return nil
}

// Blocks reports whether a row keeps others from its business key.
func Blocks(r *ports.Row) bool {
	return r.BusinessKey != "" && r.Status != domain.Failed && r.Status != domain.Cancelled
}

// Numbered is a change and its place in the batch.
type Numbered struct {
	*ports.Change
	Number int
}

// Rounds splits a batch into rounds to be written one after the other, such
// that no two changes of a round claim the same idempotency scope or business
// key. Nearly always that is one round.
func Rounds(batch []ports.Change) ([][]Numbered, error) {
	if err := Check(batch); err != nil {
		return nil, err
	}
	type businessKey struct{ workflowType, key string }
	// The first round that is free of a scope or key.
	scopes, keys := map[string]int{}, make(map[businessKey]int, len(batch))
	var rounds [][]Numbered
	for i := range batch {
		c := &batch[i]
		round := 0
		if c.Idempotency != nil {
			round = scopes[c.Idempotency.Scope]
		}
		// A transition that blocks usually did so before; only a start or a
		// return from FAILED or CANCELLED claims the key. Which it is, only the
		// store knows.
		key := businessKey{c.Row.Type, c.Row.BusinessKey}
		if Blocks(&c.Row) {
			round = max(round, keys[key])
			keys[key] = round + 1
		}
		if c.Idempotency != nil {
			scopes[c.Idempotency.Scope] = round + 1
		}
		for len(rounds) <= round {
			rounds = append(rounds, nil)
		}
		rounds[round] = append(rounds[round], Numbered{c, i})
	}
	return rounds, nil
}

// All sets every error of a batch.
func All(errs []error, err error) []error {
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// Without removes the changes with the given numbers, in place.
func Without(changes []Numbered, numbers []int) []Numbered {
	if len(numbers) == len(changes) {
		return nil
	}
	gone := make(map[int]bool, len(numbers))
	for _, n := range numbers {
		gone[n] = true
	}
	var rest []Numbered
	for _, c := range changes {
		if !gone[c.Number] {
			rest = append(rest, c)
		}
	}
	return rest
}

// Key is the idempotency record of the change at place Ord, from 1.
type Key struct {
	Ord int64
	*ports.IdempotencyRecord
}

// Entry is the audit entry of the change at place Ord, from 1.
type Entry struct {
	Ord int64
	*ports.AuditEntry
}

// Notice is one of the change at place Ord, from 1.
type Notice struct {
	Ord        int64
	WorkflowID string
	*ports.Notice
}

// Counter is what a metric is kept by.
type Counter struct {
	Bucket time.Time
	Type   string
	Name   ports.CountName
	Label  string
}

// CounterOf is the counter of a count; equal ones are ==.
func CounterOf(c *ports.Count) Counter {
	return Counter{time.UnixMicro(c.Bucket.UnixMicro()).UTC(), c.Type, c.Name, c.Label}
}

// Increment is what the change at place Ord adds to the Counter-th counter, both from 1.
type Increment struct {
	Ord, Counter int64
	N            int64
	Total        time.Duration
}

// Batch is what changes carry beside rows and events.
type Batch struct {
	Keys       []Key
	Entries    []Entry
	Notices    []Notice
	Counters   []Counter // distinct
	Increments []Increment
}

// Parts collects keys, audit entries, notices and counts of changes.
func Parts(changes []Numbered) Batch {
	var b Batch
	var index map[Counter]int64
	for i, c := range changes {
		ord := int64(i + 1)
		if c.Idempotency != nil {
			b.Keys = append(b.Keys, Key{ord, c.Idempotency})
		}
		if c.Audit != nil {
			b.Entries = append(b.Entries, Entry{ord, c.Audit})
		}
		for j := range c.Notices {
			b.Notices = append(b.Notices, Notice{ord, c.Row.WorkflowID, &c.Notices[j]})
		}
		for j := range c.Counts {
			count := &c.Counts[j]
			if index == nil {
				index = make(map[Counter]int64)
			}
			counter := CounterOf(count)
			at, known := index[counter]
			if !known {
				b.Counters = append(b.Counters, counter)
				at = int64(len(b.Counters))
				index[counter] = at
			}
			b.Increments = append(b.Increments, Increment{ord, at, count.N, count.Total})
		}
	}
	return b
}

// Obstacles are what a store holds that may stand in the way of a change.
type Obstacles struct {
	Version    int    // of the workflow; 0 if there is none
	Owner      string // of the workflow
	ScopeTaken bool
	KeyHolder  string // another workflow with the business key that the change claims
}

// Refusal is the reason to refuse a change; nil if there is none. A used
// idempotency key comes before a taken business key: a repeated start should
// find its first answer.
func (o *Obstacles) Refusal(c *ports.Change) error {
	switch {
	case o.Version != c.Expected, c.Expected != 0 && o.Owner != c.Holder:
		return ports.ErrConflict
	case o.ScopeTaken:
		return ports.ErrIdempotencyKeyTaken
	case o.KeyHolder != "":
		return &ports.ExistsError{WorkflowID: o.KeyHolder}
	}
	return nil
}
