package batches_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/memory"
	"github.com/firstviscount/platform-coordination/app/batches"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

type (
	now     = engine.SystemClock
	entropy = engine.SystemEntropy
)

// lists are so many workflows, in pages, of which a few can be read.
type lists struct {
	ports.Queries
	n     int
	known map[string]ports.Snapshot

	mu    sync.Mutex
	asked []ports.ListQuery
}

func (l *lists) List(_ context.Context, q ports.ListQuery) (ports.ListPage, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, q)
	from := 0
	_, _ = fmt.Sscan(q.Cursor, &from)
	p := ports.ListPage{Total: min(l.n, ports.MaxCount)} // as stores count
	for i := from; i < min(from+q.Limit, l.n); i++ {
		p.Rows = append(p.Rows, ports.Row{WorkflowID: contracttests.WorkflowID(i)})
	}
	if from+q.Limit < l.n {
		p.NextCursor = fmt.Sprint(from + q.Limit)
	}
	return p, nil
}

func (l *lists) Workflow(_ context.Context, id string) (ports.Snapshot, error) {
	snap, found := l.known[id]
	if !found {
		return ports.Snapshot{}, ports.ErrNotFound
	}
	return snap, nil
}

// desk is a service over a store of its own.
type desk struct {
	*batches.Service
	t     *testing.T
	store *memory.Store
	lists *lists
	woken int
}

func newDesk(t *testing.T, workflows int) *desk {
	t.Helper()
	d := &desk{t: t, store: memory.New(memory.Config{}), lists: &lists{n: workflows}}
	t.Cleanup(func() { _ = d.store.Close() })
	d.Service = batches.New(batches.Deps{Store: d.store, Queries: d.lists, Clock: now{}, Entropy: entropy{}, Created: func() { d.woken++ }})
	return d
}

// actor is on whose behalf tests ask.
func actor(t *testing.T) context.Context {
	return ports.WithActor(t.Context(), ports.Actor{Subject: "ada", Role: "admin", Operation: "createBatch", RequestID: "req-1", TraceID: "trace-1"})
}

func parkedOnes() ports.BatchRequest {
	return ports.BatchRequest{Action: ports.BatchRetry, Reason: "OUTAGE", PerSecond: 5, Filter: json.RawMessage(`{"status":"PARKED"}`),
		Query: ports.ListQuery{Status: domain.Parked, Offset: 7, Cursor: "x"}, Request: json.RawMessage(`{"fromStep":"SHIP"}`)}
}

func keyOf(name, body string) *ports.IdempotencyKey {
	return &ports.IdempotencyKey{Scope: "scope-" + name, Fingerprint: "fingerprint-" + body}
}

func (d *desk) create(r ports.BatchRequest, key *ports.IdempotencyKey) ports.BatchReceipt {
	d.t.Helper()
	receipt, err := d.CreateBatch(actor(d.t), r, key)
	if err != nil {
		d.t.Fatal(err)
	}
	return receipt
}

func (d *desk) audit() (told []string) {
	d.t.Helper()
	page, err := d.store.ListAudit(d.t.Context(), ports.AuditQuery{Limit: 100})
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range slices.Backward(page.Entries) {
		told = append(told, fmt.Sprintf("%s %s %s %s %s>%s", e.Subject, e.Action, e.Reason, e.RequestID, e.Before, e.After))
	}
	return told
}

func TestABatchIsOfWhatMatchesNow(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 250)
	b := d.create(parkedOnes(), nil).Batch
	if !regexp.MustCompile(`^bat-[0-9a-f]{8}-[0-9a-f]{4}-7`).MatchString(b.ID) || b.Status != ports.BatchRunning || b.Total != 250 || b.CreatedBy != "ada" ||
		b.Role != "admin" || string(b.Request) != `{"fromStep":"SHIP"}` || string(b.Filter) != `{"status":"PARKED"}` {
		t.Errorf("made is %+v", b)
	}
	for i, q := range d.lists.asked {
		if q.Status != domain.Parked || q.Sort != ports.SortStartedAt || !q.Ascending || q.Offset != 0 || (q.Cursor == "") != (i == 0) {
			t.Errorf("page %d was asked for as %+v", i, q)
		}
	}
	items, total, err := d.BatchItems(t.Context(), b.ID, 200, 100)
	if err != nil || total != 250 || len(items) != 50 || items[49].WorkflowID != contracttests.WorkflowID(249) {
		t.Errorf("%d items of %d, %v", len(items), total, err)
	}
	if shown, err := d.Batch(t.Context(), b.ID); err != nil || string(shown.Request) != `{"fromStep":"SHIP"}` || shown.CreatedAt.IsZero() {
		t.Errorf("shown is %+v, %v", shown, err)
	}
	list, total, err := d.Batches(t.Context(), 0, 10)
	if err != nil || total != 1 || len(list) != 1 || string(list[0].Request) != `{"fromStep":"SHIP"}` {
		t.Errorf("listed are %+v, %v", list, err)
	}
	if want := `ada createBatch OUTAGE req-1 >{"action":"RETRY","total":250,"perSecond":5,"filter":{"status":"PARKED"}}`; !slices.Equal(d.audit(), []string{want}) {
		t.Errorf("audited are %q", d.audit())
	}
	if d.woken != 1 {
		t.Errorf("woken %d times", d.woken)
	}
}

func TestABatchOfNamedWorkflowsLooksAtNoFilter(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 250)
	r := parkedOnes()
	r.WorkflowIDs = []string{"wf-2", "wf-1"}
	b := d.create(r, nil).Batch
	items, total, err := d.BatchItems(t.Context(), b.ID, 0, 10)
	if err != nil || total != 2 || items[0].WorkflowID != "wf-2" || b.Filter != nil || len(d.lists.asked) > 0 {
		t.Errorf("%+v of %+v, %v", items, b, err)
	}
}

func TestABatchHasAtMostSoMany(t *testing.T) {
	t.Parallel()
	d := newDesk(t, ports.MaxBatchItems)
	if b := d.create(parkedOnes(), nil).Batch; b.Total != ports.MaxBatchItems {
		t.Errorf("of %d", b.Total)
	}
	d.lists.n++
	if _, err := d.CreateBatch(t.Context(), parkedOnes(), nil); !errors.Is(err, ports.ErrBatchTooLarge) {
		t.Errorf("one more: %v", err)
	}
	if _, err := d.PreviewBatch(t.Context(), parkedOnes()); !errors.Is(err, ports.ErrBatchTooLarge) {
		t.Errorf("a preview of one more: %v", err)
	}
	r := parkedOnes()
	r.WorkflowIDs = make([]string, ports.MaxBatchItems+1)
	if _, err := d.CreateBatch(t.Context(), r, nil); !errors.Is(err, ports.ErrBatchTooLarge) {
		t.Errorf("one more by name: %v", err)
	}
}

func TestABatchOfNothingHasEnded(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 0)
	first := d.create(parkedOnes(), keyOf("a", "1")).Batch
	again := d.create(parkedOnes(), keyOf("a", "1"))
	if first.Status != ports.BatchCompleted || first.EndedAt.IsZero() || !again.Replayed || again.Batch.Status != ports.BatchCompleted {
		t.Errorf("%+v, then %+v", first, again)
	}
}

func TestUnfinishedBatchesAreLimited(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 1)
	for i := range ports.MaxRunningBatches {
		d.create(parkedOnes(), keyOf(fmt.Sprint(i), "1"))
	}
	if _, err := d.CreateBatch(t.Context(), parkedOnes(), nil); !errors.Is(err, ports.ErrTooManyBatches) {
		t.Errorf("one more: %v", err)
	}
	if receipt := d.create(parkedOnes(), keyOf("3", "1")); !receipt.Replayed {
		t.Errorf("a known key: %+v", receipt)
	}
}

func TestABatchIsMadeOnceHoweverManyAsk(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 3)
	const callers = 8
	receipts := make([]ports.BatchReceipt, callers)
	var asking sync.WaitGroup
	other := batches.New(batches.Deps{Store: d.store, Queries: d.lists, Clock: now{}, Entropy: entropy{}})
	for i := range callers {
		asking.Go(func() {
			var err error
			if receipts[i], err = other.CreateBatch(actor(t), parkedOnes(), keyOf("a", "1")); err != nil {
				t.Errorf("create: %v", err)
			}
		})
	}
	asking.Wait()
	made := 0
	for _, receipt := range receipts {
		if !receipt.Replayed {
			made++
		}
		if receipt.Batch.ID != receipts[0].Batch.ID || receipt.Batch.Total != 3 {
			t.Errorf("%+v", receipt)
		}
	}
	if made != 1 || len(d.audit()) != 1 {
		t.Errorf("made %d times, audited %q", made, d.audit())
	}
	if _, err := d.CreateBatch(t.Context(), parkedOnes(), keyOf("a", "2")); !errors.Is(err, ports.ErrKeyReused) {
		t.Errorf("another body: %v", err)
	}
}

// TestAReplayIsTheFirstAnswer: however far the batch is meanwhile.
func TestAReplayIsTheFirstAnswer(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 3)
	first := d.create(parkedOnes(), keyOf("a", "1")).Batch
	if _, err := d.CancelBatch(actor(t), first.ID); err != nil {
		t.Fatal(err)
	}
	again := d.create(parkedOnes(), keyOf("a", "1"))
	if !again.Replayed || fmt.Sprint(again.Batch) != fmt.Sprint(first) {
		t.Errorf("first %+v\nthen  %+v", first, again.Batch)
	}
}

func TestABatchIsCancelledOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 3)
	b := d.create(parkedOnes(), nil).Batch
	ctx := ports.WithActor(t.Context(), ports.Actor{Subject: "bob", Operation: "cancelBatch"})
	var last ports.Batch
	for range 2 {
		var err error
		if last, err = d.CancelBatch(ctx, b.ID); err != nil || last.Status != ports.BatchCancelled || string(last.Request) != `{"fromStep":"SHIP"}` {
			t.Errorf("%+v, %v", last, err)
		}
	}
	told := d.audit()
	if want := `bob cancelBatch OUTAGE  {"status":"RUNNING","total":3,"succeeded":0,"failed":0}>{"status":"CANCELLED","total":3,"succeeded":0,"failed":0}`; len(told) != 2 || told[1] != want {
		t.Errorf("audited are %q", told)
	}
	if _, err := d.CancelBatch(ctx, "bat-2"); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("a batch that is not there: %v", err)
	}
	if _, _, err := d.BatchItems(ctx, "bat-2", 0, 10); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("its items: %v", err)
	}
}

func TestAPreviewSaysWhatWouldBeRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 0)
	template, err := domain.ParseTemplate([]byte(`{"templateId":"tmpl-x-v1","name":"X","type":"X","version":"1.0","steps":[
		{"name":"SHIP","service":"s","action":"a","timeout":"PT1S","retryPolicy":{"maxAttempts":1,"initialInterval":"PT1S","backoffMultiplier":1}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	begun := domain.New("wf-1", template)
	state, _, err := domain.Advance(begun, domain.Start{Moment: domain.Moment{Now: time.Now(), NewID: "id"}, SagaID: "saga-1", Input: []byte(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	d.lists.known = map[string]ports.Snapshot{"wf-1": {State: state}}
	r := ports.BatchRequest{Action: ports.BatchRetry, Reason: "R", PerSecond: 1, WorkflowIDs: []string{"wf-1", "wf-2"}}
	for action, code := range map[string]string{ports.BatchRetry: "INVALID_WORKFLOW_STATE", ports.BatchCancel: "", ports.BatchCompensate: ""} {
		r.Action = action
		p, err := d.PreviewBatch(t.Context(), r)
		if err != nil || p.Total != 2 || len(p.First) != 2 {
			t.Fatalf("%+v, %v", p, err)
		}
		if one := p.First[0]; one.Type != "X" || one.Status != domain.Started || one.Step != "SHIP" || one.Code != code {
			t.Errorf("%s: %+v", action, one)
		}
		if p.First[1].Code != "WORKFLOW_NOT_FOUND" {
			t.Errorf("%s: %+v", action, p.First[1])
		}
	}
	if _, total, err := d.Batches(t.Context(), 0, 1); err != nil || total != 0 || len(d.audit()) > 0 {
		t.Errorf("a preview made %d batches, audited %q, %v", total, d.audit(), err)
	}
	for range ports.MaxPlannedItems {
		r.WorkflowIDs = append(r.WorkflowIDs, strings.Repeat("x", len(r.WorkflowIDs)))
	}
	if p, err := d.PreviewBatch(t.Context(), r); err != nil || p.Total != 22 || len(p.First) != ports.MaxPlannedItems {
		t.Errorf("%d of %d, %v", len(p.First), p.Total, err)
	}
}
