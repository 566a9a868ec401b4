// Package limit measures what a store can take when nothing else runs: a bare
// client that commits the rows of saga6 - a start and six transitions per
// workflow - in the same batches as the engine, but decides nothing.
package limit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// Defaults of Options.
const (
	DefaultInFlight = 128
	DefaultLanes    = 2
	DefaultSagas    = 10_000
)

// Options of a run. The zero value is saga6 as the engine writes it.
type Options struct {
	Sagas    int // how many to write; default DefaultSagas
	InFlight int // workflows under way at once; default DefaultInFlight
	Lanes    int // commits under way at once; default DefaultLanes
	Batch    int // changes in a commit, at most; default ports.MaxBatch
	// Changes are those of one workflow, in order; default Saga6.
	Changes func() []ports.Change
}

// Result of a run.
type Result struct {
	Sagas   int
	Commits int // calls of Commit
	Elapsed time.Duration
}

// PerSecond is how many sagas were written in a second.
func (r Result) PerSecond() float64 { return float64(r.Sagas) / r.Elapsed.Seconds() }

// String is the result for people.
func (r Result) String() string {
	return fmt.Sprintf("%.0f sagas/s (%d in %v, %d commits)", r.PerSecond(), r.Sagas, r.Elapsed.Round(time.Millisecond), r.Commits)
}

// Run writes sagas until all are written, and fails on the first change that
// the store does not take.
func Run(ctx context.Context, store ports.Committer, o Options) (Result, error) {
	o = o.withDefaults()
	c := &client{store: store, options: o, ready: make(chan []ports.Change, o.InFlight)}
	c.todo.Store(int64(o.Sagas))
	c.unfinished.Store(int64(o.Sagas))
	for range min(o.InFlight, o.Sagas) {
		c.launch()
	}
	begin := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for range o.Lanes {
		g.Go(func() error { return c.lane(ctx) })
	}
	err := g.Wait()
	return Result{Sagas: o.Sagas, Commits: int(c.commits.Load()), Elapsed: time.Since(begin)}, err
}

func (o Options) withDefaults() Options {
	if o.Sagas <= 0 {
		o.Sagas = DefaultSagas
	}
	if o.InFlight <= 0 {
		o.InFlight = DefaultInFlight
	}
	if o.Lanes <= 0 {
		o.Lanes = DefaultLanes
	}
	if o.Batch <= 0 {
		o.Batch = ports.MaxBatch
	}
	if o.Changes == nil {
		o.Changes = Saga6
	}
	return o
}

// client holds what is left to do.
type client struct {
	store      ports.Committer
	options    Options
	ready      chan []ports.Change // what is left of each workflow in flight; closed at the end
	todo       atomic.Int64        // sagas not launched
	unfinished atomic.Int64
	commits    atomic.Int64
}

// launch puts a new workflow in flight, if one is left.
func (c *client) launch() {
	if c.todo.Add(-1) >= 0 {
		c.ready <- c.options.Changes()
	}
}

// lane commits what is ready, as long as there is something to come.
func (c *client) lane(ctx context.Context) error {
	for {
		select {
		case first, more := <-c.ready:
			if !more {
				return nil
			}
			if err := c.commit(ctx, c.gather(first)); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// gather takes everything that is ready, up to a batch.
func (c *client) gather(first []ports.Change) [][]ports.Change {
	taken := [][]ports.Change{first}
	for len(taken) < c.options.Batch {
		select {
		case next, more := <-c.ready:
			if !more {
				return taken
			}
			taken = append(taken, next)
		default:
			return taken
		}
	}
	return taken
}

// commit writes the next change of each workflow and puts the rest in line.
func (c *client) commit(ctx context.Context, taken [][]ports.Change) error {
	batch := make([]ports.Change, len(taken))
	for i, changes := range taken {
		batch[i] = changes[0]
	}
	c.commits.Add(1)
	if err := errors.Join(c.store.Commit(ctx, batch)...); err != nil {
		return err
	}
	for _, changes := range taken {
		if rest := changes[1:]; len(rest) > 0 {
			c.ready <- rest
			continue
		}
		c.launch()
		if c.unfinished.Add(-1) == 0 {
			close(c.ready)
		}
	}
	return nil
}

// Sizes of what the engine writes for an order, as encoded JSON.
const (
	startBytes = 1500
	eventBytes = 300
	steps      = 6
)

var stepNames = [steps]string{
	"INVENTORY_RESERVATION", "PAYMENT_PROCESSING", "ORDER_CONFIRMATION",
	"FULFILLMENT_PREPARATION", "SHIPPING_LABEL_CREATION", "CUSTOMER_NOTIFICATION",
}

// Saga6 are the changes of an order that completes: its start, and for each of
// six steps that it succeeded and that the next one began.
func Saga6() []ports.Change {
	id := uuid.Must(uuid.NewV7()).String()
	now := time.Now().UTC().Truncate(time.Millisecond)
	row := ports.Row{
		WorkflowID: "wf-" + id, SagaID: "saga-" + id, Type: "ORDER_FULFILLMENT",
		TemplateHash: "3f6c0d7e5b1a49828c4d9e0f7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b",
		BusinessKey:  "ord-" + id, CustomerID: "cust-" + id[:8], Priority: "NORMAL",
		Status: domain.InProgress, Saga: domain.SagaActive, TotalSteps: steps, CurrentStep: stepNames[0],
		Metadata: json.RawMessage(`{"channel":"WEB","userAgent":"Mozilla/5.0","ipAddress":"203.0.113.7"}`),
		Version:  2, Run: 1, StartedAt: now, UpdatedAt: now, Owner: "replica-1", WakeAt: now.Add(time.Minute),
	}
	started := ports.Count{Bucket: now.Truncate(time.Hour), Type: row.Type, Name: ports.CountStarted, N: 1}
	changes := []ports.Change{{Row: row, Events: filler(startBytes), Counts: []ports.Count{started}}}
	for i := range steps {
		c := ports.Change{Expected: row.Version, Holder: "replica-1", Events: filler(2 * eventBytes)}
		row.Version += 2
		row.SettledSteps++
		row.UpdatedAt = now.Add(time.Duration(i+1) * time.Millisecond)
		row.WakeAt = row.UpdatedAt.Add(time.Minute)
		if i+1 < steps {
			row.CurrentStep = stepNames[i+1]
		} else {
			c.Counts = end(&row)
		}
		c.Row = row
		changes = append(changes, c)
	}
	return changes
}

// end completes a row and counts what the engine counts then.
func end(row *ports.Row) []ports.Count {
	row.Status, row.Saga = domain.Completed, domain.SagaCompleted
	row.Owner, row.WakeAt, row.EndedAt = "", time.Time{}, row.UpdatedAt
	bucket := row.EndedAt.Truncate(time.Hour)
	counts := []ports.Count{{
		Bucket: bucket, Type: row.Type, Name: ports.CountCompleted, N: 1, Total: row.EndedAt.Sub(row.StartedAt),
	}}
	for _, step := range stepNames {
		counts = append(counts, ports.Count{
			Bucket: bucket, Type: row.Type, Name: ports.CountStepCompleted, Label: step, N: 1, Total: time.Millisecond,
		})
	}
	return counts
}

// entropy is text that does not compress; events take parts of it.
var entropy = func() string {
	var b strings.Builder
	for b.Len() < 64<<10 {
		b.WriteString(uuid.NewString())
	}
	return b.String()
}()

// filler is n bytes of JSON, as hard to compress as events are. It costs next
// to nothing: the store is to be measured.
func filler(n int) []byte {
	const before, after = `[{"type":"STEP_COMPLETED","result":"`, `"}]`
	from := rand.IntN(len(entropy) - n)
	b := append(make([]byte, 0, n), before...)
	b = append(b, entropy[from:from+n-len(before)-len(after)]...)
	return append(b, after...)
}
