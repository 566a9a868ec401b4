package contracttests

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// Epoch is when the workflows of the fixtures start, to the millisecond as
// every time that the engine stores.
var Epoch = time.Date(2026, time.January, 15, 10, 0, 0, 123_000_000, time.UTC)

// The constant values of fixtures.
const (
	FixtureType  = "ORDER_FULFILLMENT"
	FixtureSteps = 6
	fixtureHash  = "3f6c0d7e5b1a49828c4d9e0f7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b"
)

// An Edit changes a change before it is committed.
type Edit func(*ports.Change)

// WorkflowID is the n-th workflow ID; IDs sort as their numbers do.
func WorkflowID(n int) string { return fmt.Sprintf("wf-01947a3c-0000-7000-8000-%012x", n) }

// SagaID is the ID of the n-th workflow's saga.
func SagaID(n int) string { return fmt.Sprintf("saga-01947a3c-0000-7000-8000-%012x", n) }

// OrderID is the business key of the n-th workflow.
func OrderID(n int) string { return fmt.Sprintf("ord-%06d", n) }

// StartOf is the change that starts the n-th workflow: active, unheld, never
// due, one event, a business key and metadata of its own, started n seconds
// after Epoch.
func StartOf(n int, edits ...Edit) ports.Change {
	at := Epoch.Add(time.Duration(n) * time.Second)
	c := ports.Change{
		Row: ports.Row{
			WorkflowID:   WorkflowID(n),
			SagaID:       SagaID(n),
			Type:         FixtureType,
			TemplateHash: fixtureHash,
			BusinessKey:  OrderID(n),
			CustomerID:   "cust-000001",
			Priority:     "NORMAL",
			Status:       domain.Started,
			Saga:         domain.SagaActive,
			CurrentStep:  "INVENTORY_RESERVATION",
			TotalSteps:   FixtureSteps,
			Metadata:     json.RawMessage(fmt.Sprintf(`{"orderId":%q}`, OrderID(n))),
			Version:      1,
			Run:          1,
			StartedAt:    at,
			UpdatedAt:    at,
		},
		Events: eventsOf(WorkflowID(n), 1),
	}
	return edited(c, edits)
}

// NextOf is the change that follows on a stored row: one event more, a
// millisecond later, by the holder that the row names.
func NextOf(r ports.Row, edits ...Edit) ports.Change {
	c := ports.Change{Expected: r.Version, Holder: r.Owner, Row: r}
	c.Row.Version++
	c.Row.Status = domain.InProgress
	c.Row.UpdatedAt = r.UpdatedAt.Add(time.Millisecond)
	c.Events = eventsOf(r.WorkflowID, c.Row.Version)
	return edited(c, edits)
}

// Ends makes a change the last of its run: terminal, unheld and never due, a
// minute after the start.
func Ends(s domain.Status) Edit {
	return func(c *ports.Change) {
		c.Row.Status = s
		c.Row.Saga = domain.SagaCompensated
		if s == domain.Completed {
			c.Row.Saga = domain.SagaCompleted
			c.Row.SettledSteps = c.Row.TotalSteps
		}
		c.Row.EndedAt = c.Row.StartedAt.Add(time.Minute)
		c.Row.UpdatedAt = c.Row.EndedAt
		c.Row.Owner, c.Row.DueAt, c.Row.WakeAt = "", time.Time{}, time.Time{}
	}
}

// HeldBy gives the workflow to a replica that means to look at it again in an hour.
func HeldBy(replica string) Edit {
	return func(c *ports.Change) {
		c.Row.Owner, c.Row.DueAt = replica, time.Time{}
		c.Row.WakeAt = time.Now().UTC().Truncate(time.Millisecond).Add(time.Hour)
	}
}

// Due leaves the workflow unheld, to be claimed from a time on.
func Due(at time.Time) Edit {
	return func(c *ports.Change) { c.Row.Owner, c.Row.DueAt = "", at.UTC().Truncate(time.Millisecond) }
}

// DueNow leaves the workflow unheld and due for a minute by the clock of the
// test, so that it is due by the clock of the store too.
func DueNow() Edit { return Due(time.Now().Add(-time.Minute)) }

// Counting adds a count to a change, in the hour of Epoch.
func Counting(name ports.CountName, label string, n int64, total time.Duration) Edit {
	return func(c *ports.Change) {
		c.Counts = append(c.Counts, ports.Count{
			Bucket: Epoch.Truncate(time.Hour), Type: c.Row.Type, Name: name, Label: label, N: n, Total: total,
		})
	}
}

// Keyed writes an idempotency record with a change.
func Keyed(scope string) Edit {
	return func(c *ports.Change) {
		c.Idempotency = &ports.IdempotencyRecord{
			Scope: scope, Fingerprint: "fp-" + scope,
			WorkflowID: c.Row.WorkflowID, Version: c.Row.Version, CreatedAt: Epoch,
		}
	}
}

// EditRow changes the row of a change.
func EditRow(f func(*ports.Row)) Edit { return func(c *ports.Change) { f(&c.Row) } }

func eventsOf(workflowID string, seq int) []byte {
	return fmt.Appendf(nil, `[{"workflow":%q,"seq":%d}]`, workflowID, seq)
}

func edited(c ports.Change, edits []Edit) ports.Change {
	for _, e := range edits {
		e(&c)
	}
	return c
}
