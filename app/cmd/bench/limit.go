package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/firstviscount/platform-coordination/adapters/postgres/limit"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/ports"
)

// measureLimit writes what one recorded saga6 wrote, over and over under new
// IDs, with as many workflows in flight as the largest case had.
func measureLimit(ctx context.Context, srv *server, rec *recording, o options) (float64, error) {
	store, err := srv.open(ctx)
	if err != nil {
		return 0, err
	}
	defer store.Close()
	inFlight := 0
	for _, n := range o.starters {
		inFlight = max(inFlight, n)
	}
	again := func() []ports.Change { return rec.again() }
	warm, err := limit.Run(ctx, store, limit.Options{Sagas: 500, InFlight: inFlight, Changes: again})
	if err != nil {
		return 0, fmt.Errorf("limit: %w", err)
	}
	sagas := int(warm.PerSecond() * o.duration.Seconds())
	r, err := limit.Run(ctx, store, limit.Options{Sagas: max(sagas, 500), InFlight: inFlight, Changes: again})
	if err != nil {
		return 0, fmt.Errorf("limit: %w", err)
	}
	return r.PerSecond(), nil
}

// again is the recording with new IDs, at a time of its own: the same rows, the
// same number of bytes.
func (r *recording) again() []ports.Change { return r.ago(0) }

// ago is again, as if it had been recorded that long ago.
func (r *recording) ago(age time.Duration) []ports.Change {
	old := r.changes[0].Row
	shift := (time.Since(old.StartedAt) - age).Truncate(engine.Resolution)
	fresh := uuid.Must(uuid.NewV7()).String()
	id, key := "wf-"+fresh, "ord-"+fresh
	list := make([]ports.Change, len(r.changes))
	for i, c := range r.changes {
		c.Row.WorkflowID, c.Row.SagaID, c.Row.BusinessKey = id, "saga-"+fresh, key
		for _, at := range []*time.Time{&c.Row.StartedAt, &c.Row.UpdatedAt, &c.Row.EndedAt, &c.Row.WakeAt} {
			if !at.IsZero() {
				*at = at.Add(shift)
			}
		}
		c.Row.Metadata = bytes.ReplaceAll(c.Row.Metadata, []byte(old.BusinessKey), []byte(key))
		c.Events = bytes.ReplaceAll(c.Events, []byte(old.BusinessKey), []byte(key))
		list[i] = c
	}
	return list
}
