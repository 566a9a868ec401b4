package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

const (
	// loadClients start orders at the same time.
	loadClients = 8
	// answerTimeout is how long a client waits for a replica before it asks
	// another one: a replica may be stopped in its tracks.
	answerTimeout = 2 * time.Second
	// repeatEvery is the pause of a client between two attempts.
	repeatEvery = 25 * time.Millisecond
	// loadTimeout is how long all orders of a test may take to be acknowledged,
	// and again to end.
	loadTimeout = 4 * time.Minute
)

// load is clients that start orders, and cancel some, through whichever replica
// answers, with one idempotency key for all attempts. What it acknowledges must
// end, whatever happens to the coordinators.
type load struct {
	t       *testing.T
	shop    *harness.Shop
	clients []*coordination.Client
	acks    atomic.Int64
	done    chan struct{} // closed when all orders are acknowledged

	mu     sync.Mutex
	orders []placed
}

// placed is an order that was acknowledged.
type placed struct {
	orderID, workflowID string
}

// kind is what an order is to go through.
type kind struct {
	token         string
	cancel, force bool
}

// kinds of orders and how often each comes.
var orderKinds = []struct {
	share int
	kind
}{
	{45, kind{token: "tok_visa_4242"}},
	{10, kind{token: "tok_flaky"}},
	{10, kind{token: "tok_slow_202"}},
	{15, kind{token: "tok_chargeDeclined"}},
	{10, kind{token: "tok_visa_4242", cancel: true}},
	{5, kind{token: "tok_slow_202", cancel: true}},
	{5, kind{token: "tok_slow_202", cancel: true, force: true}},
}

func anyKind(choice *rand.Rand) kind {
	at := choice.IntN(100)
	for _, k := range orderKinds {
		if at -= k.share; at < 0 {
			return k.kind
		}
	}
	return orderKinds[0].kind
}

// startLoad starts n orders in the background.
func startLoad(t *testing.T, shop *harness.Shop, n int, replicas ...*harness.Coordinator) *load {
	t.Helper()
	l := &load{t: t, shop: shop, done: make(chan struct{})}
	for _, replica := range replicas {
		l.clients = append(l.clients, replica.Client(t,
			coordination.WithRetry(coordination.Retries{MaxAttempts: 1}), coordination.WithTimeout(answerTimeout)))
	}
	choice := random(t, 1)
	work := make(chan kind, n)
	for range n {
		work <- anyKind(choice)
	}
	close(work)
	var clients sync.WaitGroup
	for i := range loadClients {
		clients.Go(func() {
			for k := range work {
				l.place(i, k)
			}
		})
	}
	go func() {
		defer close(l.done)
		clients.Wait()
	}()
	t.Cleanup(func() { <-l.done })
	return l
}

// place starts one order, and cancels it if it is of that kind.
func (l *load) place(client int, k kind) {
	ctx, cancel := context.WithTimeout(l.t.Context(), loadTimeout)
	defer cancel()
	o := order(k.token)
	started, err := persist(ctx, l, client, func(ctx context.Context, c *coordination.Client) (*coordination.StartedWorkflow, error) {
		return c.Workflows.StartOrder(ctx, o, coordination.WithIdempotencyKey("start-"+o.OrderID))
	})
	if err != nil {
		l.t.Errorf("start of %s: %v", o.OrderID, err)
		return
	}
	l.mu.Lock()
	l.orders = append(l.orders, placed{o.OrderID, started.WorkflowID})
	l.mu.Unlock()
	l.acks.Add(1)
	if !k.cancel {
		return
	}
	request := coordination.CancelRequest{Reason: "CUSTOMER_REQUESTED", InitiatedBy: "CUSTOMER", Force: k.force}
	_, err = persist(ctx, l, client, func(ctx context.Context, c *coordination.Client) (*coordination.CancelResponse, error) {
		return c.Workflows.Cancel(ctx, started.WorkflowID, request, coordination.WithIdempotencyKey("cancel-"+o.OrderID))
	})
	if err != nil && !errors.Is(err, coordination.ErrInvalidWorkflowState) { // it may have completed before
		l.t.Errorf("cancel of %s: %v", o.OrderID, err)
	}
}

// persist repeats a call, each time to the next replica, until one of them
// answers what is not "later".
func persist[T any](ctx context.Context, l *load, first int, call func(context.Context, *coordination.Client) (*T, error)) (*T, error) {
	for i := first; ; i++ {
		got, err := call(ctx, l.clients[i%len(l.clients)])
		var answer *coordination.Error
		if err == nil || errors.As(err, &answer) && answer.Code != coordination.ErrServiceUnavailable {
			return got, err
		}
		select {
		case <-time.After(repeatEvery):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// acknowledged waits until so many orders were acknowledged.
func (l *load) acknowledged(n int) {
	l.t.Helper()
	harness.Eventually(l.t, loadTimeout, strconv.Itoa(n)+" acknowledged orders", func() (string, bool) {
		select {
		case <-l.done:
			return "", true // all of them, or as many as there will be
		default:
		}
		got := l.acks.Load()
		return strconv.FormatInt(got, 10), got >= int64(n)
	})
}

// verdict waits for the end of every acknowledged order and checks it, first by
// what the API says, then by what the participants did. A parked order is
// resumed, as an operator would.
func (l *load) verdict(n int) {
	l.t.Helper()
	select {
	case <-l.done:
	case <-time.After(loadTimeout):
		l.t.Fatalf("%d of %d orders were acknowledged within %s", l.acks.Load(), n, loadTimeout)
	}
	if len(l.orders) != n {
		l.t.Errorf("%d of %d orders were acknowledged", len(l.orders), n)
	}
	ends := map[string]coordination.Status{}
	tally := map[coordination.Status]int{}
	for _, o := range l.orders {
		status := l.end(o)
		ends[o.workflowID] = status.Status
		tally[status.Status]++
		if fault := logFault(status); fault != "" {
			l.t.Errorf("%s: %s", o.workflowID, fault)
		}
		l.single(o)
	}
	l.t.Logf("%d orders ended: %v", len(ends), tally)
	l.ledger(ends)
}

// end waits for the end of one order.
func (l *load) end(o placed) (last *coordination.WorkflowStatus) {
	l.t.Helper()
	harness.Eventually(l.t, loadTimeout, o.workflowID+" to end", func() (string, bool) {
		status, err := persist(l.t.Context(), l, 0, func(ctx context.Context, c *coordination.Client) (*coordination.WorkflowStatus, error) {
			return c.Workflows.GetStatus(ctx, o.workflowID)
		})
		if err != nil {
			l.t.Fatalf("the status of %s, which was acknowledged: %v", o.workflowID, err)
		}
		last = status
		if status.Status == coordination.StatusParked {
			l.resume(status)
		}
		return fmt.Sprintf("%s, log %v", status.Status, status.Events), status.Status.Terminal()
	})
	return last
}

// resume lets a parked order go on: so many crashes can use up the attempts of
// a step.
func (l *load) resume(status *coordination.WorkflowStatus) {
	l.t.Logf("%s is parked: %s at %s, %+v, log %v", status.WorkflowID, status.Parked.Reason, status.Parked.Step, *status.Parked.LastError, status.Events)
	_, err := persist(l.t.Context(), l, 0, func(ctx context.Context, c *coordination.Client) (*coordination.RetryResponse, error) {
		return c.Workflows.Retry(ctx, status.WorkflowID, coordination.RetryRequest{})
	})
	if err != nil {
		l.t.Errorf("retry of %s: %v", status.WorkflowID, err)
	}
}

// single checks that an order has one workflow, however often its start was repeated.
func (l *load) single(o placed) {
	l.t.Helper()
	list, err := persist(l.t.Context(), l, 0, func(ctx context.Context, c *coordination.Client) (*coordination.WorkflowList, error) {
		return c.Workflows.List(ctx, coordination.ListQuery{BusinessKey: o.orderID})
	})
	if err != nil || list.Pagination.TotalElements != 1 {
		l.t.Errorf("%s has other workflows than one: %+v, %v", o.orderID, list, err)
	}
}

// ledger checks what the participants did. What was promised for later may
// still be on its way; what is broken stays so.
func (l *load) ledger(ends map[string]coordination.Status) {
	l.t.Helper()
	var fault string
	harness.Eventually(l.t, endTimeout, "the ledgers to agree with the orders", func() (string, bool) {
		entries := l.shop.Ledger(l.t)
		for id, status := range ends {
			if fault = entries.OrderFault(id, status == coordination.StatusCompleted); fault != "" {
				return id + " is " + string(status) + ", but " + fault, false
			}
		}
		return "", true
	})
	for _, fault := range l.shop.Ledger(l.t).Faults() {
		l.t.Error(fault)
	}
}

var terminalEvents = map[coordination.EventName]coordination.Status{
	coordination.EventWorkflowCompleted: coordination.StatusCompleted,
	coordination.EventWorkflowFailed:    coordination.StatusFailed,
	coordination.EventWorkflowCancelled: coordination.StatusCancelled,
}

// reopens are the events that open another run of an ended workflow: somebody
// asked for it, or an effect came to light that must be undone.
var reopens = []coordination.EventName{coordination.EventWorkflowResumed, coordination.EventCompensateRequested, coordination.EventCompensationStarted}

// logFault checks that a log is as long as its version says, and that every run
// in it has one end, after which nothing comes; the last one as the status says.
func logFault(status *coordination.WorkflowStatus) string {
	log := status.Events
	if status.Saga.Version != int64(len(log)) {
		return fmt.Sprintf("version %d with %d events", status.Saga.Version, len(log))
	}
	for i, e := range log[:len(log)-1] {
		if terminalEvents[e.Event] != "" && !slices.Contains(reopens, log[i+1].Event) {
			return fmt.Sprintf("%s is followed by %s: %v", e.Event, log[i+1].Event, log)
		}
	}
	if terminalEvents[log[len(log)-1].Event] != status.Status {
		return fmt.Sprintf("it is %s after %v", status.Status, log)
	}
	return ""
}
