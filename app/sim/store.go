package sim

import (
	"context"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// storePort is the part of a store that moves workflows.
type storePort interface {
	ports.Committer
	ports.Loader
	ports.Leaser
	ports.Outbox
}

// store is a store without any fault: the truth of a run. What can go wrong
// between it and a replica is the disk's business.
type store struct {
	sim    *simulation
	flows  map[string]*flow
	order  []string // in order of their starts
	keys   map[string]ports.IdempotencyRecord
	leases map[string]time.Duration // until when each replica is live
	outbox map[string]owed          // by workflow
}

// owed is an entry of the outbox.
type owed struct {
	version int
	keeper  string
}

// flow is one stored workflow.
type flow struct {
	row    ports.Row
	events [][]byte
}

var _ storePort = (*store)(nil)

func newStore(s *simulation) *store {
	return &store{sim: s, flows: map[string]*flow{}, keys: map[string]ports.IdempotencyRecord{}, leases: map[string]time.Duration{}, outbox: map[string]owed{}}
}

func (st *store) clock() time.Time { return epoch.Add(st.sim.now) }

func (st *store) Commit(_ context.Context, batch []ports.Change) []error {
	errs := make([]error, len(batch))
	for i := range batch {
		if errs[i] = st.refusal(&batch[i]); errs[i] == nil {
			st.apply(&batch[i])
		}
	}
	return errs
}

func (st *store) refusal(c *ports.Change) error {
	f := st.flows[c.Row.WorkflowID]
	switch {
	case c.Expected == 0 && f != nil, c.Expected > 0 && f == nil:
		return ports.ErrConflict
	case f != nil && (f.row.Version != c.Expected || f.row.Owner != c.Holder):
		return ports.ErrConflict
	}
	if c.Idempotency != nil {
		if _, taken := st.keys[c.Idempotency.Scope]; taken {
			return ports.ErrIdempotencyKeyTaken
		}
	}
	if holder := st.holder(c.Row.Type, c.Row.BusinessKey, c.Row.WorkflowID); holder != "" && claims(&c.Row) {
		return ports.ErrBusinessKeyTaken
	}
	return nil
}

func claims(r *ports.Row) bool {
	return r.BusinessKey != "" && r.Status != domain.Failed && r.Status != domain.Cancelled
}

func (st *store) holder(workflowType, key, besides string) string {
	for _, id := range st.order {
		if r := &st.flows[id].row; id != besides && r.Type == workflowType && r.BusinessKey == key && claims(r) {
			return id
		}
	}
	return ""
}

func (st *store) apply(c *ports.Change) {
	f := st.flows[c.Row.WorkflowID]
	if f == nil {
		f = &flow{}
		st.flows[c.Row.WorkflowID] = f
		st.order = append(st.order, c.Row.WorkflowID)
	}
	f.row = c.Row
	if len(c.Events) > 0 {
		f.events = append(f.events, c.Events)
	}
	if c.Idempotency != nil {
		st.keys[c.Idempotency.Scope] = *c.Idempotency
	}
	if c.Owes {
		st.outbox[c.Row.WorkflowID] = owed{c.Row.Version, c.Keeper}
	}
	st.sim.oracle.applied(c)
}

func (st *store) Load(_ context.Context, workflowID string) (ports.Record, error) {
	f := st.flows[workflowID]
	if f == nil {
		return ports.Record{}, ports.ErrNotFound
	}
	return f.record(), nil
}

func (f *flow) record() ports.Record {
	return ports.Record{Row: f.row, Events: f.events[:len(f.events):len(f.events)]}
}

func (st *store) WorkflowOfSaga(_ context.Context, sagaID string) (string, error) {
	for _, id := range st.order {
		if st.flows[id].row.SagaID == sagaID {
			return id, nil
		}
	}
	return "", ports.ErrNotFound
}

func (st *store) BusinessKeyHolder(_ context.Context, workflowType, key string) (string, error) {
	if id := st.holder(workflowType, key, ""); id != "" {
		return id, nil
	}
	return "", ports.ErrNotFound
}

func (st *store) Idempotency(_ context.Context, scope string) (ports.IdempotencyRecord, error) {
	rec, ok := st.keys[scope]
	if !ok {
		return rec, ports.ErrNotFound
	}
	return rec, nil
}

// PurgeIdempotency removes nothing: no run lasts as long as keys are kept.
func (st *store) PurgeIdempotency(context.Context, time.Time, int) (int, error) { return 0, nil }

func (st *store) Renew(_ context.Context, replica string, ttl time.Duration) error {
	st.leases[replica] = st.sim.now + ttl
	return nil
}

func (st *store) Claim(_ context.Context, replica string, limit int) ([]ports.Record, error) {
	var out []ports.Record
	for _, id := range st.order {
		f := st.flows[id]
		if len(out) == limit {
			break
		}
		if f.row.Status.Terminal() || !st.claimable(&f.row) {
			continue
		}
		f.row.Owner, f.row.DueAt = replica, time.Time{}
		out = append(out, f.record())
	}
	return out, nil
}

// anyClaimable reports whether a claim would find anything.
func (st *store) anyClaimable() bool {
	for _, id := range st.order {
		if r := &st.flows[id].row; !r.Status.Terminal() && st.claimable(r) {
			return true
		}
		if entry, owes := st.outbox[id]; owes && st.free(entry) {
			return true
		}
	}
	return false
}

// free reports whether nobody keeps an entry of the outbox.
func (st *store) free(entry owed) bool {
	return entry.keeper == "" || st.leases[entry.keeper] < st.sim.now
}

// Published forgets entries of the outbox.
func (st *store) Published(_ context.Context, done []ports.Published) error {
	for _, d := range done {
		if entry, owes := st.outbox[d.WorkflowID]; owes && entry.version <= d.Version {
			delete(st.outbox, d.WorkflowID)
		}
	}
	return nil
}

// ClaimOwed takes over entries of the outbox, those of the first workflows first.
func (st *store) ClaimOwed(_ context.Context, replica string, limit int) ([]ports.Record, error) {
	var out []ports.Record
	for _, id := range st.order {
		if entry, owes := st.outbox[id]; owes && st.free(entry) && len(out) < limit {
			st.outbox[id] = owed{entry.version, replica}
			out = append(out, st.flows[id].record())
		}
	}
	return out, nil
}

// Owed counts the entries of the outbox.
func (st *store) Owed(context.Context) (int, error) { return len(st.outbox), nil }

func (st *store) claimable(r *ports.Row) bool {
	if r.Owner != "" {
		return st.leases[r.Owner] < st.sim.now
	}
	return !r.DueAt.IsZero() && !r.DueAt.After(st.clock())
}

func (st *store) Release(_ context.Context, replica string) error {
	delete(st.leases, replica)
	for _, id := range st.order {
		if r := &st.flows[id].row; r.Owner == replica && !r.Status.Terminal() {
			r.Owner, r.DueAt = "", st.clock()
		}
		if entry, owes := st.outbox[id]; owes && entry.keeper == replica {
			st.outbox[id] = owed{entry.version, ""}
		}
	}
	return nil
}
