package contracttests

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// Opener opens one and the same storage, again and again.
type Opener func() (ports.Store, error)

// DurableRule is one promise of a store whose content outlives its process.
type DurableRule struct {
	// Name is the promise.
	Name string
	// Check returns nil if the store keeps the promise. The storage must be
	// empty; Check closes every store that it opens.
	Check func(ctx context.Context, open Opener) error
}

// DurableStore checks every durable rule, each on a storage of its own. Create
// must make an empty storage and see to its removal (t.Cleanup).
func DurableStore(t *testing.T, create func(t *testing.T) Opener) {
	t.Helper()
	for _, r := range DurableRules() {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), ruleTimeout)
			defer cancel()
			if err := r.Check(ctx, create(t)); err != nil {
				t.Errorf("broken promise: %s\nseen: %v", r.Name, err)
			}
		})
	}
}

// DurableRules are the promises that are seen by opening a store again.
func DurableRules() []DurableRule {
	return []DurableRule{
		durable("Open: an empty storage can be opened again and again",
			func(p *probe) { p.must(p.store.Ping(p.ctx), "Ping") },
			func(p *probe) { p.want(p.list(ports.ListQuery{}).Total == 0, "an empty store lists workflows") }),
		durable("Commit: what was acknowledged is there when the store is opened again", writeAll, readAll),
		durable("Commit: what was refused is not there when the store is opened again", refuseSome, readNone),
		durable("Leaser: holders and leases outlast the store's being closed", leaseAll, claimRest),
		durable("AuditLog, Batches, Quotas, Settings: what was acknowledged is there when the store is opened again", keepAll, findAll),
	}
}

// durable makes a rule of what is done before a store is closed and what is
// expected of the next one.
func durable(name string, before, after func(p *probe)) DurableRule {
	return DurableRule{Name: name, Check: func(ctx context.Context, open Opener) error {
		for _, body := range []func(p *probe){before, after} {
			s, err := open()
			if err != nil {
				return fmt.Errorf("open: %w", err)
			}
			err = rule(name, body).Check(ctx, s)
			if closeErr := s.Close(); err == nil && closeErr != nil {
				err = fmt.Errorf("close: %w", closeErr)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}}
}

// durableWorkflows is how many workflows the durable rules write; every third has ended.
const durableWorkflows = 30

func durableStart(n int) ports.Change {
	return StartOf(n, HeldBy("r1"), wake(Epoch), Keyed(OrderID(n)), Counting(ports.CountStarted, "", 1, 0))
}

func durableNext(n int) ports.Change {
	edits := []Edit{Counting(ports.CountStepCompleted, "A", 1, time.Second)}
	if n%3 == 0 {
		edits = append(edits, Ends(domain.Completed))
	}
	return NextOf(durableStart(n).Row, edits...)
}

func writeAll(p *probe) {
	p.must(p.store.SaveTemplate(p.ctx, "hash", "tmpl", []byte("template")), "SaveTemplate")
	for n := range durableWorkflows {
		p.commit(durableStart(n))
		p.commit(durableNext(n))
	}
}

func readAll(p *probe) {
	for n := range durableWorkflows {
		start, next := durableStart(n), durableNext(n)
		p.holds(next.Row)
		events := p.load(next.Row.WorkflowID).Events
		p.want(len(events) == 2 && string(events[1]) == string(next.Events), "events of workflow %d are %q", n, events)
		rec, err := p.store.Idempotency(p.ctx, start.Idempotency.Scope)
		p.want(err == nil && sameRecord(rec, *start.Idempotency), "record of workflow %d is %+v, %v", n, rec, err)
		p.holder(n, next.Row.WorkflowID)
	}
	p.counted(hourly(0, ports.CountStarted, "", durableWorkflows, 0),
		hourly(0, ports.CountStepCompleted, "A", durableWorkflows, durableWorkflows*time.Second))
	p.want(p.list(ports.ListQuery{ActiveOnly: true}).Total == durableWorkflows*2/3, "active workflows are missing")
	data, err := p.store.LoadTemplate(p.ctx, "hash")
	p.want(err == nil && string(data) == "template", "the template is %q, %v", data, err)
	p.next(durableNext(1).Row)
}

func refuseSome(p *probe) {
	row := p.next(p.start(1, HeldBy("r1"), wake(Epoch)))
	stale := NextOf(row, costly)
	stale.Expected = 1
	errs := p.try(stale, StartOf(2, costly, withKey(1)), StartOf(3))
	p.wantErr(errs[0], ports.ErrConflict, "a stale change")
	p.wantErr(errs[1], ports.ErrBusinessKeyTaken, "a start with a taken key")
	p.must(errs[2], "a good start beside them")
}

func readNone(p *probe) {
	p.untouched()
	p.absent(StartOf(2).Row)
	p.holds(StartOf(3).Row)
	p.holds(NextOf(StartOf(1, HeldBy("r1"), wake(Epoch)).Row).Row)
	p.want(len(p.load(WorkflowID(1)).Events) == 2, "events of a refused change are stored")
}

func leaseAll(p *probe) {
	p.live("r1")
	p.start(1, HeldBy("r1"))
	p.start(2, DueNow())
	p.start(3, HeldBy("dead"))
}

func claimRest(p *probe) {
	p.live("r2")
	p.claims("r2", WorkflowID(2), WorkflowID(3))
	p.want(len(p.claim("r2", 10)) == 0, "claim returned a workflow whose holder is live")
	p.must(p.store.Release(p.ctx, "r1"), "Release")
	p.claims("r2", WorkflowID(1))
}
