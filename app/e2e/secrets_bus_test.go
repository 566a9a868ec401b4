package e2e_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/bus"
	"github.com/firstviscount/platform-coordination/adapters/cloudevents"
	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// answersTopic is where the test's requests are answered.
const answersTopic = "coordination.answers.canaries"

// eavesdropper hears what is on topics of a message bus.
type eavesdropper struct {
	ports.Bus
	t *testing.T

	mu    sync.Mutex
	heard map[string]string // by topic: all messages
}

// eavesdrop listens to topics until the test ends.
func eavesdrop(t *testing.T, url string, topics ...string) *eavesdropper {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Config{URL: url, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	e := &eavesdropper{Bus: b, t: t, heard: map[string]string{}}
	for _, topic := range topics {
		err := b.Subscribe(t.Context(), ports.Subscription{Topic: topic, Group: "canaries", Handle: func(_ context.Context, m ports.Message) error {
			headers, err := json.Marshal(m.Headers)
			e.mu.Lock()
			defer e.mu.Unlock()
			e.heard[topic] += m.ID + " " + m.Key + " " + string(headers) + " " + string(m.Body) + "\n"
			return err
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// of is everything on a topic so far.
func (e *eavesdropper) of(topic string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard[topic]
}

// until waits until a topic has brought a text.
func (e *eavesdropper) until(topic, text string) {
	e.t.Helper()
	harness.Eventually(e.t, time.Minute, text+" on "+topic, func() (string, bool) {
		heard := e.of(topic)
		return heard, strings.Contains(heard, text)
	})
}

// ask publishes a request to start an order.
func (e *eavesdropper) ask(id, body string) {
	e.t.Helper()
	data, err := json.Marshal(coordination.BusRequest{Operation: coordination.OperationStart, Type: coordination.TypeOrderFulfillment, Body: json.RawMessage(body)})
	if err != nil {
		e.t.Fatal(err)
	}
	m, err := cloudevents.Message(coordination.CloudEvent{ID: id, Type: coordination.TypeRequest, ReplyTo: answersTopic, Data: data})
	if err == nil {
		err = e.Publish(e.t.Context(), coordination.TopicRequests, m)
	}
	if err != nil {
		e.t.Fatal(err)
	}
}

// TestTheBusTellsNoSecrets starts orders with canaries over the bus and hears
// what is published about them, while participants gossip.
func TestTheBusTellsNoSecrets(t *testing.T) {
	t.Parallel()
	broker, script, store := harness.Brokers["nats"](t), gossips(t), stores["sqlite"](t)
	script.Always("process_payment", http.StatusOK, `{"result":{"paymentIntent":"pi-1","receipt":"`+gossip+`"}}`)
	e := eavesdrop(t, broker.URL(), coordination.TopicEvents, answersTopic)
	c := harness.Serve(t, harness.Options{Store: store, Participants: script.File(t, harness.Services...), Bus: broker.URL(), LogLevel: "debug"})
	w := &watcher{t, c, store}
	e.ask("request-1", canaryOrder("ord-canary-1"))
	e.until(coordination.TopicEvents, string(coordination.EventWorkflowCompleted))
	script.Always("process_payment", http.StatusUnprocessableEntity, `{"error":{"code":"PAYMENT_DECLINED","message":"`+gossip+`"}}`)
	e.ask("request-2", canaryOrder("ord-canary-2"))
	e.until(coordination.TopicEvents, string(coordination.EventWorkflowFailed))
	e.ask("request-3", canaryOrder(canaries["street"]))
	e.ask("request-4", canaryOrder("ord-canary-4", canaries["payment token"], "4242 4242 4242 4242"))
	for _, request := range []string{"request-1", "request-2", "request-3", "request-4"} {
		e.until(answersTopic, request)
	}
	for _, topic := range []string{coordination.TopicEvents, answersTopic} {
		w.look(topic, e.of(topic))
	}
	w.everywhere()
}
