package rest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/rest"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// instantStart answers every start with the same workflow, so that only the
// handler is measured.
type instantStart struct {
	*engine
	receipt ports.Receipt
}

func (s *instantStart) Start(context.Context, ports.StartRequest) (ports.Receipt, error) {
	return s.receipt, nil
}

// BenchmarkStartOrder is one start of the reference's order through the whole
// handler: scan, decode, validate, price, render. It writes to memory.
func BenchmarkStartOrder(b *testing.B) {
	for name, headers := range map[string]map[string]string{
		"plain":      {},
		"idempotent": {"X-Idempotency-Key": "order-550e8400"},
	} {
		b.Run(name, func(b *testing.B) {
			e := newEngine(b)
			started := &instantStart{engine: e}
			body := readFile(b, "examples/order-request.json")
			var err error
			started.receipt, err = e.Start(b.Context(), ports.StartRequest{Type: "ORDER_FULFILLMENT", BusinessKey: "ord-1", Input: []byte(body)})
			if err != nil {
				b.Fatal(err)
			}
			handler, err := rest.New(rest.Deps{Workflows: started, Answers: e, Queries: e, Webhooks: newSubscriptions(e), Batches: newBatches(), Verify: verify, Clock: e})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, "/api/v1/workflows/order/start", strings.NewReader(body))
				r.Header.Set("Authorization", "Bearer service")
				r.Header.Set("Content-Type", "application/json")
				for key, value := range headers {
					r.Header.Set(key, value)
				}
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				if w.Code != http.StatusCreated {
					b.Fatalf("%d: %s", w.Code, w.Body)
				}
			}
		})
	}
}

// BenchmarkStatus is one status of a workflow in the middle of its steps.
func BenchmarkStatus(b *testing.B) {
	s := newServer(b)
	got := s.post(b, "/workflows/order/start", readFile(b, "examples/order-request.json")).is(201)
	id := got.tree()["workflowId"].(string)
	s.answers(b, id, "INVENTORY_RESERVATION", domain.Answer{Outcome: domain.Succeeded, Result: []byte(`{"reservationId":"res-1"}`)})
	b.ReportAllocs()
	for b.Loop() {
		s.get(b, "/workflows/"+id+"/status").is(200)
	}
}
