package contracttests

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// largeEvents is as much as a start with the largest input writes.
const largeEvents = 200 << 10

// valueRules: what is read is what was written.
func valueRules() []StoreRule {
	return []StoreRule{
		rule("Row: every member is read as it was written", everyMember),
		rule("Row: every status is kept", everyStatus),
		rule("Row: times are kept to the millisecond, in UTC", timesKept),
		rule("Row: zero times stay zero", zeroTimes),
		rule("Row: Metadata is kept byte for byte", metadataKept),
		rule("Change: Events are kept byte for byte", eventsKept),
		rule("Change: large lists of events are kept", largeKept),
		rule("Change: what the caller alters after Commit does not change the store", writerKeepsItsOwn),
		rule("Record: what the caller alters after Load does not change the store", readerKeepsItsOwn),
	}
}

func everyMember(p *probe) {
	row := ports.Row{
		WorkflowID: WorkflowID(1), SagaID: SagaID(2), Type: "Type", TemplateHash: "hash", BusinessKey: "key",
		CustomerID: "customer", Priority: "HIGH", Status: domain.Parked, Saga: domain.SagaCompensationFailed,
		CurrentStep: "STEP", SettledSteps: 3, TotalSteps: 7, ErrorCode: "CODE", Metadata: json.RawMessage(`{"a":1}`),
		Version: 1, Run: 4, StartedAt: Epoch, UpdatedAt: Epoch.Add(time.Hour),
		Owner: "r1", WakeAt: Epoch.Add(4 * time.Hour),
	}
	p.commit(ports.Change{Row: row, Events: []byte(`[1]`)})
	p.holds(row)
	free := p.next(row, EditRow(func(r *ports.Row) { r.Owner, r.DueAt, r.WakeAt = "", Epoch.Add(time.Hour), time.Time{} }))
	p.holds(free)
	p.holds(p.next(free, Ends(domain.Cancelled)))
	text := `ünï "q" 'q' \ % _ $1 ? {{x}} 日本語 🚚`
	strange := p.start(2, EditRow(func(r *ports.Row) {
		r.Type, r.BusinessKey, r.CustomerID, r.CurrentStep, r.ErrorCode, r.Owner = text, text, text, text, text, text
	}))
	p.holds(strange)
	id, err := p.store.BusinessKeyHolder(p.ctx, text, text)
	p.want(err == nil && id == strange.WorkflowID, "holder of business key %s is %q, %v", text, id, err)
	p.want(p.list(ports.ListQuery{CustomerID: text, Step: text}).Total == 1, "no list finds customer %s", text)
	p.want(p.list(ports.ListQuery{CustomerID: "%"}).Total == 0, "a filter is not compared as it stands")
}

func everyStatus(p *probe) {
	for n, s := range []domain.Status{
		domain.Started, domain.InProgress, domain.Retrying, domain.Compensating, domain.Cancelling,
		domain.Parked, domain.Completed, domain.Failed, domain.Cancelled,
	} {
		row := p.start(n, EditRow(func(r *ports.Row) {
			r.Status = s
			if s.Terminal() {
				r.EndedAt = r.StartedAt
			}
		}))
		p.holds(row)
	}
	for n, s := range []domain.SagaState{
		domain.SagaActive, domain.SagaCompensating, domain.SagaCompensationFailed, domain.SagaCompleted, domain.SagaCompensated,
	} {
		p.holds(p.start(100+n, EditRow(func(r *ports.Row) { r.Saga = s })))
	}
}

func timesKept(p *probe) {
	tokyo := time.FixedZone("UTC+9", 9*60*60)
	for n, at := range []time.Time{
		time.Date(2026, 12, 31, 23, 59, 59, 999_000_000, time.UTC),
		time.Date(2024, 2, 29, 0, 0, 0, 1_000_000, time.UTC),
		time.Date(2026, 7, 1, 8, 30, 0, 501_000_000, tokyo),
	} {
		row := p.start(n, Keyed(OrderID(n)), EditRow(func(r *ports.Row) {
			r.StartedAt, r.UpdatedAt, r.DueAt, r.WakeAt = at, at, at, at
		}), func(c *ports.Change) { c.Idempotency.CreatedAt = at })
		p.holds(row)
		p.holds(p.next(row, Ends(domain.Completed), EditRow(func(r *ports.Row) { r.EndedAt, r.UpdatedAt = at, at })))
		rec, err := p.store.Idempotency(p.ctx, OrderID(n))
		p.want(err == nil && sameTime(rec.CreatedAt, at), "record of %v reads %v, %v", at, rec.CreatedAt, err)
		page := p.list(ports.ListQuery{BusinessKey: OrderID(n)})
		p.want(len(page.Rows) == 1 && sameTime(page.Rows[0].StartedAt, at), "listed times differ from %v", at)
	}
}

func zeroTimes(p *probe) {
	row := p.start(1, EditRow(func(r *ports.Row) { r.EndedAt, r.DueAt, r.WakeAt = time.Time{}, time.Time{}, time.Time{} }))
	p.holds(row)
	listed := p.list(ports.ListQuery{}).Rows
	p.want(len(listed) == 1 && rowDiff(listed[0], row) == "", "listed row differs: %v", listed)
	set := p.next(row, EditRow(func(r *ports.Row) { r.DueAt, r.WakeAt = Epoch, Epoch }))
	p.holds(set)
	p.holds(p.next(set, EditRow(func(r *ports.Row) { r.DueAt, r.WakeAt = time.Time{}, time.Time{} })))
}

func metadataKept(p *probe) {
	for n, text := range []string{
		`{"b":1,"a":2,"b":3}`,
		"{ \"spaced\" :\t[ 1 , 2 ]\n}",
		`{"amount":1499.970,"big":12345678901234567890.10,"exp":1E400}`,
		`{"text":"<&> \u003c é 日本語 🚚 \"quoted\" \\ ' % "}`,
		`{}`, `null`, ``,
	} {
		row := p.start(n, EditRow(func(r *ports.Row) { r.Metadata = json.RawMessage(text) }))
		p.holds(row)
		listed := p.list(ports.ListQuery{BusinessKey: OrderID(n)}).Rows
		p.want(len(listed) == 1 && string(listed[0].Metadata) == text, "metadata %s is not listed as it is", text)
	}
}

func eventsKept(p *probe) {
	lists := [][]byte{
		[]byte(`[{"z":1,"a":"é 日本語 🚚 \u0041 \"","n":1.10}]`),
		[]byte("[ {} ,\n\t{}]"),
		{0x00, 0xff, 0xfe, 0x00, '\\', 'x', '\''},
	}
	row := p.start(1, HeldBy("r1"), func(c *ports.Change) { c.Events = lists[0] })
	for _, list := range lists[1:] {
		row = p.next(row, func(c *ports.Change) { c.Events = list })
	}
	got := p.load(row.WorkflowID).Events
	p.want(len(got) == len(lists), "%d event lists of %d are stored", len(got), len(lists))
	for i := range lists {
		p.want(bytes.Equal(got[i], lists[i]), "event list %d is %q, want %q", i, got[i], lists[i])
	}
}

func largeKept(p *probe) {
	const workflows = 4
	batch := make([]ports.Change, workflows)
	for n := range batch {
		batch[n] = StartOf(n)
		batch[n].Events = []byte(`["` + strings.Repeat(string(rune('a'+n)), largeEvents) + `"]`)
	}
	p.commit(batch...)
	for n := range batch {
		events := p.load(WorkflowID(n)).Events
		p.want(len(events) == 1 && bytes.Equal(events[0], batch[n].Events), "large events of workflow %d differ", n)
	}
}

func writerKeepsItsOwn(p *probe) {
	c := StartOf(1, Keyed("scope-1"), Counting(ports.CountStarted, "", 1, 0))
	original := StartOf(1)
	p.commit(c)
	scribble(c.Events)
	scribble(c.Row.Metadata)
	c.Idempotency.Fingerprint = "scribbled"
	c.Counts[0].N = 99
	p.holds(original.Row)
	p.want(bytes.Equal(p.load(WorkflowID(1)).Events[0], original.Events), "stored events follow the caller's slice")
	rec, err := p.store.Idempotency(p.ctx, "scope-1")
	p.want(err == nil && rec.Fingerprint == "fp-scope-1", "stored record follows the caller's: %+v, %v", rec, err)
	p.want(p.sum(ports.CountStarted).N == 1, "stored counts follow the caller's slice")

	data := []byte("template")
	p.must(p.store.SaveTemplate(p.ctx, "hash", "tmpl", data), "SaveTemplate")
	scribble(data)
	got, err := p.store.LoadTemplate(p.ctx, "hash")
	p.want(err == nil && string(got) == "template", "stored template follows the caller's slice: %q, %v", got, err)
}

func readerKeepsItsOwn(p *probe) {
	row := p.start(1, DueNow())
	events := p.load(row.WorkflowID).Events[0]
	want := bytes.Clone(events)
	p.live("r1")
	scribble(events)
	scribble(p.load(row.WorkflowID).Row.Metadata)
	scribble(p.list(ports.ListQuery{}).Rows[0].Metadata)
	rec := p.claims("r1", row.WorkflowID)[0]
	p.want(bytes.Equal(rec.Events[0], want), "stored events follow a reader's slice")
	p.want(string(rec.Row.Metadata) == string(row.Metadata), "stored metadata follow a reader's slice")
	scribble(rec.Events[0])
	scribble(rec.Row.Metadata)
	again := p.load(row.WorkflowID)
	p.want(bytes.Equal(again.Events[0], want) && string(again.Row.Metadata) == string(row.Metadata),
		"the store follows the slices of a claim")
}

func scribble(b []byte) {
	for i := range b {
		b[i] = '#'
	}
}
