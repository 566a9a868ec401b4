package e2e_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/postgres/pgtest"
	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// hangRate is how many orders per second are started while one receiver hangs,
// and one in toldOf fails, of which every receiver is told: they share the
// machine with what is measured.
var hangRate = flag.Float64("e2e.hangrate", 0, "orders per second of TestAHangingReceiverSlowsNoOther; 0 is its own")

const toldOf = 20

// crowd is many receivers, each on an address of its own; the first one hangs
// when it is told to.
type crowd struct {
	hanging atomic.Bool
	held    atomic.Int64 // requests of the first one that are not answered

	mu     sync.Mutex
	delays []time.Duration // between event and arrival, of the others
}

const crowdSize = 50

// newCrowd starts the receivers and subscribes each to the failure of workflows.
func newCrowd(t *testing.T, client *coordination.Client) *crowd {
	t.Helper()
	r := &crowd{}
	for i := range crowdSize {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: r.receiver(i), ReadHeaderTimeout: time.Minute}
		ended := make(chan struct{})
		go func() { defer close(ended); _ = server.Serve(listener) }()
		t.Cleanup(func() {
			_ = server.Close()
			<-ended
		})
		if _, err := client.Webhooks.Create(t.Context(), coordination.WebhookRequest{
			URL: "http://" + listener.Addr().String() + "/hook", Events: []coordination.WebhookEvent{coordination.WebhookWorkflowFailed}}); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *crowd) receiver(i int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		at := time.Now()
		var told struct{ Timestamp time.Time }
		body, err := io.ReadAll(request.Body)
		if err == nil {
			err = json.Unmarshal(body, &told)
		}
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if i == 0 && r.hanging.Load() {
			r.held.Add(1)
			defer r.held.Add(-1)
			<-request.Context().Done() // until the sender gives up
			return
		}
		if i > 0 {
			r.mu.Lock()
			r.delays = append(r.delays, at.Sub(told.Timestamp))
			r.mu.Unlock()
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// take returns the delays since it was called last, sorted.
func (r *crowd) take() []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.delays
	r.delays = nil
	slices.Sort(list)
	return list
}

// TestAHangingReceiverSlowsNoOther runs alone: it measures. Phases in which one
// of fifty receivers hangs take turns with phases in which it does not.
func TestAHangingReceiverSlowsNoOther(t *testing.T) {
	const warm = 3 * time.Second
	rate, calmTime, hangTime, rounds, most, slack := 60.0, 3*time.Second, 3*time.Second, 2, 3.0, 3*time.Second
	if *long {
		rate, calmTime, hangTime, rounds, most, slack = 200, 5*time.Minute, 10*time.Minute, 1, 1.2, 0
	}
	if *hangRate > 0 {
		rate = *hangRate
	}
	c := harness.Serve(t, harness.Options{Store: pgtest.Empty(t), Hooks: true})
	r := newCrowd(t, c.Client(t))
	p := newPressure(t, c)
	var orders atomic.Int64
	p.token = func() string {
		if orders.Add(1)%toldOf == 0 {
			return "tok_chargeDeclined"
		}
		return "tok_visa_4242"
	}
	run := func(hanging bool, phase time.Duration) []time.Duration {
		r.hanging.Store(hanging)
		want := 0
		for _, s := range p.press(rate, phase) {
			if s.status == http.StatusCreated && s.token == "tok_chargeDeclined" {
				want += crowdSize - 1
			}
		}
		var all []time.Duration
		harness.Eventually(t, deliveryTimeout, "everything to be delivered", func() (string, bool) {
			all = append(all, r.take()...)
			return fmt.Sprintf("%d of %d", len(all), want), len(all) >= want
		})
		slices.Sort(all)
		return all
	}
	run(false, warm) // connections, plans, caches
	var calm, hung []time.Duration
	for range rounds {
		one, other := run(false, calmTime), run(true, hangTime)
		if r.held.Load() == 0 {
			t.Error("nothing hangs")
		}
		t.Logf("%d and %d deliveries: p50 %v and %v, p99 %v and %v while one receiver hangs", len(one), len(other),
			quantile(one, 0.5), quantile(other, 0.5), quantile(one, 0.99), quantile(other, 0.99))
		calm, hung = append(calm, one...), append(hung, other...)
	}
	slices.Sort(calm)
	slices.Sort(hung)
	before, after := quantile(calm, 0.99), quantile(hung, 0.99)
	t.Logf("%.0f orders/s, %d receivers: p99 %v, %v while one hangs (%.2f)", rate, crowdSize, before, after, float64(after)/float64(before))
	if after > time.Duration(most*float64(before))+slack {
		t.Errorf("p99 is %v, and %v while one receiver hangs", before, after)
	}
}
