package contracttests

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// countRules: metrics are the sums of what changes counted.
func countRules() []StoreRule {
	return []StoreRule{
		rule("Counts: counts written with changes add up by bucket, type, name and label", countsAddUp),
		rule("Counts: from is inclusive, to exclusive", countsPeriod),
		rule("Counts: a type selects, empty selects all", countsByType),
		rule("Counts: a negative increment takes away", countsNegative),
		rule("Counts: several counts of one change, and of one batch, add up", countsOfOneBatch),
		rule("Counts: names, labels and buckets are kept as they are", countsKept),
	}
}

// sums gives the counts of a period by everything but their sums.
func (p *probe) sums(from, to time.Time, workflowType string) map[ports.Count]ports.Count {
	counts, err := p.store.Counts(p.ctx, from, to, workflowType)
	p.must(err, "Counts")
	sums := map[ports.Count]ports.Count{}
	for _, c := range counts {
		p.want(c.Bucket.Location() == time.UTC, "bucket %v is not in UTC", c.Bucket)
		key := c
		key.N, key.Total, key.Bucket = 0, 0, c.Bucket.Round(0)
		p.want(sums[key] == ports.Count{}, "counts are not summed: %+v comes twice", key)
		sums[key] = c
	}
	return sums
}

// counted expects counts to be there with just their sums, in the hour of Epoch.
func (p *probe) counted(want ...ports.Count) {
	sums := p.sums(Epoch.Add(-time.Hour), Epoch.Add(time.Hour), "")
	for _, c := range want {
		key := c
		key.N, key.Total = 0, 0
		p.want(sums[key].N == c.N && sums[key].Total == c.Total, "%s %q sums up to %d and %v, want %d and %v",
			c.Name, c.Label, sums[key].N, sums[key].Total, c.N, c.Total)
	}
}

// sum adds up a metric over all types and labels, in the hours around Epoch.
func (p *probe) sum(name ports.CountName) (s ports.Count) {
	for _, c := range p.sums(Epoch.Add(-24*time.Hour), Epoch.Add(24*time.Hour), "") {
		if c.Name == name {
			s.N += c.N
			s.Total += c.Total
		}
	}
	return s
}

// hourly gives a count in the n-th hour after that of Epoch.
func hourly(hour int, name ports.CountName, label string, n int64, total time.Duration) ports.Count {
	return ports.Count{
		Bucket: Epoch.Truncate(time.Hour).Add(time.Duration(hour) * time.Hour),
		Type:   FixtureType, Name: name, Label: label, N: n, Total: total,
	}
}

// counts gives a change counts of its own.
func counts(all ...ports.Count) Edit {
	return func(c *ports.Change) { c.Counts = slices.Clone(all) }
}

func countsAddUp(p *probe) {
	row := p.start(1, HeldBy("r1"), counts(hourly(0, ports.CountStarted, "", 1, 0)))
	for range 5 {
		row = p.next(row, counts(
			hourly(0, ports.CountStepCompleted, "A", 1, 1500*time.Millisecond),
			hourly(0, ports.CountStepCompleted, "B", 2, time.Second)))
	}
	p.start(2, counts(hourly(0, ports.CountStarted, "", 1, 0)))
	p.counted(
		hourly(0, ports.CountStarted, "", 2, 0),
		hourly(0, ports.CountStepCompleted, "A", 5, 7500*time.Millisecond),
		hourly(0, ports.CountStepCompleted, "B", 10, 5*time.Second),
	)
}

func countsPeriod(p *probe) {
	for hour := range 4 {
		p.start(hour, counts(hourly(hour, ports.CountStarted, "", int64(hour)+1, 0)))
	}
	for _, f := range []struct{ from, to, want int }{{0, 4, 10}, {1, 3, 5}, {2, 2, 0}, {3, 9, 4}, {-5, 1, 1}} {
		var n int64
		for _, c := range p.sums(hourly(f.from, "", "", 0, 0).Bucket, hourly(f.to, "", "", 0, 0).Bucket, "") {
			n += c.N
		}
		p.want(n == int64(f.want), "counts of hours %d to %d sum up to %d, want %d", f.from, f.to, n, f.want)
	}
}

func countsByType(p *probe) {
	p.start(1, Counting(ports.CountStarted, "", 1, 0))
	p.start(2, EditRow(func(r *ports.Row) { r.Type = "RETURN_PROCESSING" }), Counting(ports.CountStarted, "", 1, 0))
	from, to := Epoch.Add(-time.Hour), Epoch.Add(time.Hour)
	for workflowType, want := range map[string]int{"": 2, FixtureType: 1, "RETURN_PROCESSING": 1, "NONE": 0} {
		got := p.sums(from, to, workflowType)
		p.want(len(got) == want, "counts of type %q are %d, want %d", workflowType, len(got), want)
		for _, c := range got {
			p.want(workflowType == "" || c.Type == workflowType, "counts of type %q hold one of %q", workflowType, c.Type)
		}
	}
}

func countsNegative(p *probe) {
	row := p.start(1, HeldBy("r1"), counts(hourly(0, ports.CountFailed, "", 3, 3*time.Second)))
	row = p.next(row, counts(hourly(0, ports.CountFailed, "", -1, -time.Second)))
	p.counted(hourly(0, ports.CountFailed, "", 2, 2*time.Second))
	p.next(row, counts(hourly(0, ports.CountFailed, "", -2, -2*time.Second), hourly(1, ports.CountCompleted, "", -4, 0)))
	p.want(p.sum(ports.CountFailed).N == 0, "3 - 1 - 2 is %d", p.sum(ports.CountFailed).N)
	p.want(p.sum(ports.CountCompleted).N == -4, "a sum below zero is %d", p.sum(ports.CountCompleted).N)
}

func countsOfOneBatch(p *probe) {
	one := hourly(0, ports.CountStarted, "", 1, time.Millisecond)
	batch := make([]ports.Change, 20)
	for n := range batch {
		batch[n] = StartOf(n, counts(one, one, hourly(0, ports.CountStepFailed, fmt.Sprint("STEP_", n%3), 1, 0)))
	}
	p.commit(batch...)
	p.counted(hourly(0, ports.CountStarted, "", 40, 40*time.Millisecond),
		hourly(0, ports.CountStepFailed, "STEP_0", 7, 0), hourly(0, ports.CountStepFailed, "STEP_2", 6, 0))
}

func countsKept(p *probe) {
	var want []ports.Count
	for _, name := range []ports.CountName{
		ports.CountStarted, ports.CountCompleted, ports.CountFailed, ports.CountCancelled, ports.CountStepCompleted,
		ports.CountStepFailed, ports.CountStepFailure, ports.CountCompensated, ports.CountCompensationFailed,
	} {
		for _, label := range []string{"", "PAYMENT_PROCESSING|PAYMENT_DECLINED", "ünï 'q' % \\"} {
			want = append(want, hourly(0, name, label, 1<<40, 1000*24*time.Hour))
		}
	}
	p.start(1, counts(want...))
	p.counted(want...)
	p.want(len(p.sums(Epoch.Add(-time.Hour), Epoch.Add(time.Hour), "")) == len(want), "there are other counts than written")
}

// templateRules: a running workflow always finds its template.
func templateRules() []StoreRule {
	return []StoreRule{
		rule("TemplateStore: LoadTemplate gives what was saved under a hash", templateKept),
		rule("TemplateStore: saving a template again changes nothing", templateSavedTwice),
		rule("TemplateStore: ErrNotFound for a hash that was never saved", templateMissing),
	}
}

func templateKept(p *probe) {
	first := []byte("{\"name\": \"é\"}\n\x00")
	second := bytes.Repeat([]byte("x"), 1<<20)
	p.must(p.store.SaveTemplate(p.ctx, "hash-1", "tmpl-order-v1", first), "SaveTemplate")
	p.must(p.store.SaveTemplate(p.ctx, "hash-2", "tmpl-order-v1", second), "SaveTemplate of another version")
	for hash, want := range map[string][]byte{"hash-1": first, "hash-2": second} {
		got, err := p.store.LoadTemplate(p.ctx, hash)
		p.must(err, "LoadTemplate")
		p.want(bytes.Equal(got, want), "template %s is not what was saved", hash)
	}
}

func templateSavedTwice(p *probe) {
	for _, data := range []string{"first", "first", "second"} {
		p.must(p.store.SaveTemplate(p.ctx, "hash", "tmpl", []byte(data)), "SaveTemplate")
	}
	got, err := p.store.LoadTemplate(p.ctx, "hash")
	p.want(err == nil && string(got) == "first", "after saving again the template is %q, %v", got, err)
}

func templateMissing(p *probe) {
	_, err := p.store.LoadTemplate(p.ctx, "no-such-hash")
	p.wantErr(err, ports.ErrNotFound, "LoadTemplate")
}

// monitorRules: what health is told.
func monitorRules() []StoreRule {
	return []StoreRule{
		rule("Monitor: Ping reports whether the store answers", func(p *probe) { p.must(p.store.Ping(p.ctx), "Ping") }),
		rule("Monitor: Live counts active workflows", liveCounts),
		rule("Monitor: Live counts the stuck ones by what they wait for", liveStuck),
		rule("Monitor: Pool describes the connection pool as \"8/20 active\", or is empty", poolText),
		rule("Close: may be called twice", closeTwice),
	}
}

// alive expects what Live reports with a grace of a minute.
func (p *probe) alive(what string, active, stuck int) {
	a, s, err := p.store.Live(p.ctx, time.Minute)
	p.must(err, "Live")
	p.want(a == active && s == stuck, "%s: Live reports %d active, %d stuck, want %d, %d", what, a, s, active, stuck)
}

// wake sets when the holder means to look again.
func wake(at time.Time) Edit { return EditRow(func(r *ports.Row) { r.WakeAt = at }) }

func liveCounts(p *probe) {
	p.alive("empty", 0, 0)
	row := p.start(1, HeldBy("r1"))
	p.start(2, Due(time.Now().Add(time.Hour)))
	p.alive("two started", 2, 0)
	row = p.next(row, Ends(domain.Failed))
	p.alive("one ended", 1, 0)
	p.next(row, reopen, HeldBy("r1"))
	p.alive("one reopened", 2, 0)
}

// stuckCase is a workflow that is stuck, or not, with a grace of a minute.
type stuckCase struct {
	what  string
	edits []Edit
	stuck int
}

func stuckCases() []stuckCase {
	now := time.Now().UTC().Truncate(time.Millisecond)
	long, short := now.Add(-time.Hour), now.Add(-time.Second)
	return []stuckCase{
		{"due in an hour", []Edit{Due(now.Add(time.Hour))}, 0},
		{"due a second ago", []Edit{Due(short)}, 0},
		{"due an hour ago", []Edit{Due(long)}, 1},
		{"unheld and never due", nil, 1},
		{"held, to be looked at in an hour", []Edit{HeldBy("r1")}, 0},
		{"held, to be looked at a second ago", []Edit{HeldBy("r1"), wake(short)}, 0},
		{"held, to be looked at an hour ago", []Edit{HeldBy("r1"), wake(long)}, 1},
		{"held, never to be looked at", []Edit{HeldBy("r1"), wake(time.Time{})}, 1},
		{"unheld and never due, with a time to look at it", []Edit{wake(now.Add(time.Hour))}, 1},
		{"parked, held", []Edit{HeldBy("r1"), EditRow(func(r *ports.Row) { r.Status = domain.Parked })}, 1},
		{"parked, due in an hour", []Edit{Due(now.Add(time.Hour)), EditRow(func(r *ports.Row) { r.Status = domain.Parked })}, 1},
		{"ended", []Edit{Ends(domain.Failed)}, 0},
	}
}

func liveStuck(p *probe) {
	stuck := 0
	for n, f := range stuckCases() {
		stuck += f.stuck
		p.start(n, f.edits...)
		p.alive(f.what, min(n+1, 11), stuck)
	}
}

func poolText(p *probe) {
	p.starts(0, 2)
	pool := p.store.Pool()
	p.want(regexp.MustCompile(`^([0-9]+/[0-9]+ active)?$`).MatchString(pool), "Pool is %q", pool)
}

func closeTwice(p *probe) {
	p.start(1)
	p.must(p.store.Close(), "Close")
	p.must(p.store.Close(), "second Close")
	ctx, cancel := context.WithTimeout(p.ctx, time.Second)
	defer cancel()
	p.want(p.store.Ping(ctx) != nil, "a closed store answers a ping")
	err := p.store.Commit(ctx, []ports.Change{StartOf(2)})[0]
	p.want(err != nil, "a closed store takes a commit")
}
