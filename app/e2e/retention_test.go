package e2e_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/firstviscount/platform-coordination/adapters/auth"
	"github.com/firstviscount/platform-coordination/app/config"
	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/app/wiring"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

const (
	// brief is far below the ages that the command line takes.
	brief = time.Second
	// sweepTimeout is how long what has ended may take to be gone.
	sweepTimeout = 90 * time.Second
)

// TestRetention lets orders end in every way, on two replicas where the store
// can be shared, and waits until nothing but the counts is left of them. What has
// not ended stays.
func TestRetention(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(t *testing.T, store string) {
		replicas := 1
		if strings.HasPrefix(store, "postgres") {
			replicas = 2
		}
		s := serveBriefly(t, store, replicas)
		stays := s.unended(t)
		ended := s.ended(t)
		before := s.counted(t, coordination.MetricsOverview{TotalWorkflows: int64(len(ended) + len(stays)), Completed: 4, Failed: 2, Cancelled: 1})
		s.gone(t, ended, stays)
		if after := s.metrics(t); !reflect.DeepEqual(after, before) && after.Period == before.Period { // it may be midnight
			t.Errorf("the metrics were\n%+v\nand are\n%+v", before, after)
		}
		s.forgotten(t)
		s.tables(t, store, len(stays))
		s.logged(t)
	})
}

// briefScene are coordinators in this process that keep nothing for long.
type briefScene struct {
	clients []*coordination.Client
	orders  []coordination.OrderRequest // that were completed
	first   []string                    // the workflows of these orders
	log     *guardedBuffer
}

type guardedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *guardedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *guardedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func serveBriefly(t *testing.T, store string, replicas int) *briefScene {
	t.Helper()
	s := &briefScene{log: &guardedBuffer{}}
	settings := config.Service{Listen: "127.0.0.1:0", OpsListen: config.Off, JWTSecret: harness.Secret, RateLimit: config.Off, Templates: "testdata/templates",
		Lease: 10 * time.Second, DrainTimeout: 10 * time.Second, WebhookAllowPrivate: true, SweepEvery: 100 * time.Millisecond,
		Retention: config.Retention{Completed: brief, Failed: brief, Cancelled: brief, Deliveries: brief, Audit: brief, Batches: brief}}
	if err := settings.Store.UnmarshalText([]byte(store)); err != nil {
		t.Fatal(err)
	}
	for range replicas {
		service, err := wiring.New(t.Context(), settings, slog.New(slog.NewJSONHandler(s.log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second) // an order is under way
			defer cancel()
			_ = service.Stop(ctx)
			if t.Failed() {
				t.Log(s.log.String())
			}
		})
		if err := service.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		client, err := coordination.New(service.APIURL(), coordination.WithToken(harness.Token(t, auth.RoleAdmin)))
		if err != nil {
			t.Fatal(err)
		}
		s.clients = append(s.clients, client)
	}
	receiver := harness.NewReceiver(t)
	receiver.Subscribe(t, s.clients[0])
	return s
}

// any is a client of one replica after the other.
func (s *briefScene) any(n int) *coordination.Client { return s.clients[n%len(s.clients)] }

func (s *briefScene) start(t *testing.T, client *coordination.Client, o coordination.OrderRequest) string {
	t.Helper()
	started, err := client.Workflows.StartOrder(t.Context(), o, coordination.WithIdempotencyKey("key-"+o.OrderID))
	if err != nil {
		t.Fatal(err)
	}
	return started.WorkflowID
}

// unended starts an order whose payment is not answered, and one that is parked.
func (s *briefScene) unended(t *testing.T) map[string]coordination.Status {
	t.Helper()
	active := s.start(t, s.any(0), order("tok_timeout"))
	waits := quick(t, s.any(1), map[string]string{"CHARGE": "RETRY:3"}).WorkflowID
	parked(t, s.any(0), waits, coordination.ParkStepExhausted, "CHARGE", anyAction...)
	return map[string]coordination.Status{active: coordination.StatusInProgress, waits: coordination.StatusParked}
}

// ended starts orders that complete, fail and are cancelled.
func (s *briefScene) ended(t *testing.T) (ids []string) {
	t.Helper()
	for n := range 4 {
		o := order("tok_visa_4242")
		s.orders = append(s.orders, o)
		ids = append(ids, s.start(t, s.any(n), o))
	}
	s.first = ids
	for n := range 2 {
		ids = append(ids, s.start(t, s.any(n), order("tok_chargeDeclined")))
	}
	cancelled := s.start(t, s.any(0), order("tok_timeout"))
	if _, err := s.any(1).Workflows.Cancel(t.Context(), cancelled, coordination.CancelRequest{Reason: "CUSTOMER_REQUESTED", InitiatedBy: "CUSTOMER", Force: true}); err != nil {
		t.Fatal(err)
	}
	return append(ids, cancelled)
}

func (s *briefScene) metrics(t *testing.T) *coordination.Metrics {
	t.Helper()
	m, err := s.any(0).Workflows.GetMetrics(t.Context(), coordination.MetricsQuery{Period: "MONTH"})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// counted returns the metrics when all orders have ended.
func (s *briefScene) counted(t *testing.T, want coordination.MetricsOverview) (m *coordination.Metrics) {
	t.Helper()
	harness.Eventually(t, endTimeout, "all orders to be counted", func() (string, bool) {
		m = s.metrics(t)
		got := m.Overview
		got.SuccessRate, got.AverageExecutionTime = want.SuccessRate, want.AverageExecutionTime
		return fmt.Sprintf("%+v", m.Overview), got == want
	})
	return m
}

// gone waits until lists show only what stays, and asks for each workflow.
func (s *briefScene) gone(t *testing.T, ended []string, stays map[string]coordination.Status) {
	t.Helper()
	for _, client := range s.clients {
		harness.Eventually(t, sweepTimeout, "only what has not ended to be listed", func() (string, bool) {
			list, err := client.Workflows.List(t.Context(), coordination.ListQuery{Size: 100})
			if err != nil {
				return err.Error(), false
			}
			for _, w := range list.Workflows {
				if stays[w.WorkflowID] != w.Status {
					return fmt.Sprintf("%s is %s", w.WorkflowID, w.Status), false
				}
			}
			return fmt.Sprintf("%+v", list.Pagination), list.Pagination.TotalElements == int64(len(stays)) && len(list.Workflows) == len(stays)
		})
		for _, id := range ended {
			_, err := client.Workflows.GetStatus(t.Context(), id)
			refused(t, err, coordination.ErrWorkflowNotFound, nil)
		}
		for id, status := range stays {
			if got, err := client.Workflows.GetStatus(t.Context(), id); err != nil || got.Status != status {
				t.Errorf("%s is %+v, %v; want %s", id, got, err, status)
			}
		}
	}
}

// forgotten starts a completed order again, with its key, and waits until that
// one is gone too: nothing of the first one is in the way.
func (s *briefScene) forgotten(t *testing.T) {
	t.Helper()
	again := s.start(t, s.any(1), s.orders[0])
	if again == s.first[0] {
		t.Error("the key of a removed workflow is remembered")
	}
	harness.Eventually(t, sweepTimeout, "the second one to be gone", func() (string, bool) {
		list, err := s.any(0).Workflows.List(t.Context(), coordination.ListQuery{BusinessKey: s.orders[0].OrderID})
		if err != nil {
			return err.Error(), false
		}
		return fmt.Sprintf("%+v", list.Pagination), list.Pagination.TotalElements == 0
	})
}

// tables expects that a SQL store holds nothing of what has ended.
func (s *briefScene) tables(t *testing.T, store string, stays int) {
	t.Helper()
	count := counter(t, store)
	if count == nil {
		return
	}
	for query, want := range map[string]int{
		"SELECT count(*) FROM workflows":                                                                stays,
		"SELECT count(DISTINCT nr) FROM events":                                                         stays,
		"SELECT count(*) FROM events WHERE nr NOT IN (SELECT nr FROM workflows)":                        0,
		"SELECT count(*) FROM deliveries WHERE workflow_id NOT IN (SELECT workflow_id FROM workflows)":  0,
		"SELECT count(*) FROM idempotency WHERE workflow_id NOT IN (SELECT workflow_id FROM workflows)": 0,
		"SELECT count(*) FROM idempotency":                                                              stays, // the client gives every start a key
		"SELECT count(*) FROM audit":                                                                    0,
	} {
		harness.Eventually(t, sweepTimeout, fmt.Sprintf("%s to be %d", query, want), func() (string, bool) {
			n := count(t, query)
			return fmt.Sprint(n), n == want
		})
	}
}

// counter reads one number from the database of a store; nil if it has none.
func counter(t *testing.T, store string) func(*testing.T, string) int {
	t.Helper()
	kind, path, _ := strings.Cut(store, ":")
	switch kind {
	case "memory":
		return nil
	case "sqlite":
		db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return func(t *testing.T, query string) (n int) {
			t.Helper()
			if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
			return n
		}
	}
	conn, err := pgx.Connect(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return func(t *testing.T, query string) (n int) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		return n
	}
}

// logged expects lines with counts and nothing else.
func (s *briefScene) logged(t *testing.T) {
	t.Helper()
	text := s.log.String()
	if !strings.Contains(text, `"msg":"removed what was over its age"`) {
		t.Error("no line tells what was removed")
	}
	for line := range strings.Lines(text) {
		if strings.Contains(line, "over its age") && (strings.Contains(line, "wf-") || strings.Contains(line, "ord-") || strings.Contains(line, `"level":"WARN"`)) {
			t.Errorf("logged: %s", line)
		}
	}
}
