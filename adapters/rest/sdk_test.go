package rest_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/firstviscount/platform-coordination/adapters/rest"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// sdkCalls are all methods of the Go client, each with the route that it calls.
func sdkCalls(workflowID, sagaID string) map[string]struct {
	route string
	call  func(context.Context, *coordination.Client) error
} {
	type client = *coordination.Client
	type ctx = context.Context
	var order coordination.OrderRequest
	const webhook = "whk-" + absentID
	const batch = "bat-" + absentID
	return map[string]struct {
		route string
		call  func(ctx, client) error
	}{
		"Workflows.StartOrder": {"POST /workflows/order/start", func(ctx ctx, c client) error { return second(c.Workflows.StartOrder(ctx, order)) }},
		"Workflows.StartReturn": {"POST /workflows/return/start", func(ctx ctx, c client) error {
			return second(c.Workflows.StartReturn(ctx, coordination.ReturnRequest{RefundAmount: "1"}))
		}},
		"Workflows.StartReplenishment": {"POST /workflows/replenishment/start", func(ctx ctx, c client) error {
			return second(c.Workflows.StartReplenishment(ctx, coordination.ReplenishmentRequest{}))
		}},
		"Workflows.Start": {"POST /workflows/start", func(ctx ctx, c client) error {
			return second(c.Workflows.Start(ctx, coordination.StartRequest{Type: "COMPENSATION_TEST", BusinessKey: "k", Input: []byte(`{}`)}))
		}},
		"Workflows.GetStatus": {"GET /workflows/{workflowId}/status", func(ctx ctx, c client) error { return second(c.Workflows.GetStatus(ctx, workflowID)) }},
		"Workflows.Wait":      {"GET /workflows/{workflowId}/status", func(ctx ctx, c client) error { return second(c.Workflows.Wait(ctx, workflowID)) }},
		"Workflows.Watch": {"GET /workflows/{workflowId}/stream", func(ctx ctx, c client) error {
			return first(c.Workflows.Watch(ctx, workflowID, coordination.WatchOptions{}))
		}},
		"Workflows.Cancel": {"POST /workflows/{workflowId}/cancel", func(ctx ctx, c client) error {
			return second(c.Workflows.Cancel(ctx, workflowID, coordination.CancelRequest{Reason: "R", InitiatedBy: "CUSTOMER"}))
		}},
		"Workflows.Retry": {"POST /workflows/{workflowId}/retry", func(ctx ctx, c client) error {
			return second(c.Workflows.Retry(ctx, workflowID, coordination.RetryRequest{}))
		}},
		"Workflows.List": {"GET /workflows", func(ctx ctx, c client) error { return second(c.Workflows.List(ctx, coordination.ListQuery{})) }},
		"Workflows.All":  {"GET /workflows", func(ctx ctx, c client) error { return first(c.Workflows.All(ctx, coordination.ListQuery{})) }},
		"Workflows.ListActive": {"GET /workflows/active", func(ctx ctx, c client) error {
			return second(c.Workflows.ListActive(ctx, coordination.ActiveQuery{}))
		}},
		"Workflows.AllActive": {"GET /workflows/active", func(ctx ctx, c client) error {
			return first(c.Workflows.AllActive(ctx, coordination.ActiveQuery{}))
		}},
		"Workflows.Events": {"GET /workflows/{workflowId}/events", func(ctx ctx, c client) error {
			return second(c.Workflows.Events(ctx, workflowID, coordination.EventsQuery{}))
		}},
		"Workflows.AllEvents": {"GET /workflows/{workflowId}/events", func(ctx ctx, c client) error {
			return first(c.Workflows.AllEvents(ctx, workflowID, coordination.EventsQuery{}))
		}},
		"Workflows.GetMetrics": {"GET /workflows/metrics", func(ctx ctx, c client) error {
			return second(c.Workflows.GetMetrics(ctx, coordination.MetricsQuery{}))
		}},
		"Sagas.Get": {"GET /sagas/{sagaId}", func(ctx ctx, c client) error { return second(c.Sagas.Get(ctx, sagaID)) }},
		"Sagas.Compensate": {"POST /sagas/{sagaId}/compensate", func(ctx ctx, c client) error {
			return second(c.Sagas.Compensate(ctx, sagaID, coordination.CompensateRequest{Reason: "R"}))
		}},
		"Sagas.PreviewCompensation": {"POST /sagas/{sagaId}/compensate", func(ctx ctx, c client) error {
			return second(c.Sagas.PreviewCompensation(ctx, sagaID, coordination.CompensateRequest{Reason: "R"}))
		}},
		"Templates.List": {"GET /workflow-templates", func(ctx ctx, c client) error { return second(c.Templates.List(ctx)) }},
		"Templates.Get": {"GET /workflow-templates/{templateId}", func(ctx ctx, c client) error {
			return second(c.Templates.Get(ctx, "tmpl-order-fulfillment-v2"))
		}},
		"Health.Get": {"GET /health", func(ctx ctx, c client) error { return second(c.Health.Get(ctx)) }},
		"Callbacks.Answer": {"POST /callbacks/{token}", func(ctx ctx, c client) error {
			return second(c.Callbacks.Answer(ctx, "cbt_1", coordination.Answer{Outcome: coordination.OutcomeSucceeded}))
		}},
		"Webhooks.Create": {"POST /webhooks", func(ctx ctx, c client) error {
			return second(c.Webhooks.Create(ctx, coordination.WebhookRequest{URL: "https://a.example.com/"}))
		}},
		"Webhooks.List": {"GET /webhooks", func(ctx ctx, c client) error { return second(c.Webhooks.List(ctx)) }},
		"Webhooks.Get":  {"GET /webhooks/{webhookId}", func(ctx ctx, c client) error { return second(c.Webhooks.Get(ctx, webhook)) }},
		"Webhooks.Update": {"PATCH /webhooks/{webhookId}", func(ctx ctx, c client) error {
			return second(c.Webhooks.Update(ctx, webhook, coordination.WebhookUpdate{}))
		}},
		"Webhooks.Delete": {"DELETE /webhooks/{webhookId}", func(ctx ctx, c client) error { return c.Webhooks.Delete(ctx, webhook) }},
		"Webhooks.RotateSecret": {"POST /webhooks/{webhookId}/rotate-secret", func(ctx ctx, c client) error {
			return second(c.Webhooks.RotateSecret(ctx, webhook, coordination.DefaultSecretOverlap))
		}},
		"Webhooks.Deliveries": {"GET /webhooks/{webhookId}/deliveries", func(ctx ctx, c client) error {
			return second(c.Webhooks.Deliveries(ctx, webhook, coordination.DeliveriesQuery{Status: coordination.DeliveryFailed}))
		}},
		"Webhooks.AllDeliveries": {"GET /webhooks/{webhookId}/deliveries", func(ctx ctx, c client) error {
			return first(c.Webhooks.AllDeliveries(ctx, webhook, coordination.DeliveriesQuery{Size: 5}))
		}},
		"Webhooks.Redeliver": {"POST /webhooks/{webhookId}/deliveries/{deliveryId}/redeliver", func(ctx ctx, c client) error {
			return second(c.Webhooks.Redeliver(ctx, webhook, "dlv-1"))
		}},
		"Webhooks.Recover": {"POST /webhooks/{webhookId}/recover", func(ctx ctx, c client) error {
			return second(c.Webhooks.Recover(ctx, webhook, time.Now()))
		}},
		"Batches.Create": {"POST /batches", func(ctx ctx, c client) error {
			return second(c.Batches.Create(ctx, coordination.BatchRequest{Action: coordination.BatchRetry, Reason: "R", WorkflowIDs: []string{workflowID}}))
		}},
		"Batches.DryRun": {"POST /batches", func(ctx ctx, c client) error {
			return second(c.Batches.DryRun(ctx, coordination.BatchRequest{Action: coordination.BatchRetry, Reason: "R", WorkflowIDs: []string{workflowID}}))
		}},
		"Batches.Get":   {"GET /batches/{batchId}", func(ctx ctx, c client) error { return second(c.Batches.Get(ctx, batch)) }},
		"Batches.Wait":  {"GET /batches/{batchId}", func(ctx ctx, c client) error { return second(c.Batches.Wait(ctx, batch)) }},
		"Batches.List":  {"GET /batches", func(ctx ctx, c client) error { return second(c.Batches.List(ctx, coordination.BatchesQuery{})) }},
		"Batches.All":   {"GET /batches", func(ctx ctx, c client) error { return first(c.Batches.All(ctx, coordination.BatchesQuery{Size: 5})) }},
		"Batches.Items": {"GET /batches/{batchId}/items", func(ctx ctx, c client) error { return second(c.Batches.Items(ctx, batch, coordination.BatchesQuery{})) }},
		"Batches.AllItems": {"GET /batches/{batchId}/items", func(ctx ctx, c client) error {
			return first(c.Batches.AllItems(ctx, batch, coordination.BatchesQuery{}))
		}},
		"Batches.Cancel":      {"POST /batches/{batchId}/cancel", func(ctx ctx, c client) error { return second(c.Batches.Cancel(ctx, batch)) }},
		"Audit.List":          {"GET /audit", func(ctx ctx, c client) error { return second(c.Audit.List(ctx, coordination.AuditQuery{})) }},
		"Audit.All":           {"GET /audit", func(ctx ctx, c client) error { return first(c.Audit.All(ctx, coordination.AuditQuery{})) }},
		"Callbacks.Heartbeat": {"POST /callbacks/{token}/heartbeat", func(ctx ctx, c client) error { return second(c.Callbacks.Heartbeat(ctx, "cbt_1")) }},
	}
}

func second[T any](_ T, err error) error { return err }

// first takes one element.
func first[T any](list iter.Seq2[T, error]) error {
	for _, err := range list {
		return err
	}
	return nil
}

// direct carries requests to a handler and records them, without a network.
type direct struct {
	handler http.Handler
	mu      sync.Mutex
	sent    []*http.Request
}

func (d *direct) RoundTrip(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	d.sent = append(d.sent, r)
	d.mu.Unlock()
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

func sdkClient(t *testing.T, url string, transport http.RoundTripper) *coordination.Client {
	t.Helper()
	client, err := coordination.New(url+rest.BasePath, coordination.WithToken("admin"), coordination.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// documented are the routes of the OpenAPI document.
func documented(t *testing.T) (routes []string) {
	t.Helper()
	text, err := rest.OpenAPI(rest.OpenAPI31)
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]any `yaml:"paths"`
	}
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	for path, operations := range document.Paths {
		for method := range operations {
			routes = append(routes, strings.ToUpper(method)+" "+path)
		}
	}
	return routes
}

// TestEveryRouteHasAMethodOfTheClient compares the document with the client,
// both ways, and sends every call to the real handlers: a route that is not
// there, or a request that is none, would be noticed.
func TestEveryRouteHasAMethodOfTheClient(t *testing.T) {
	t.Parallel()
	routes := documented(t)
	router := http.NewServeMux()
	for _, route := range routes {
		method, path, _ := strings.Cut(route, " ")
		router.Handle(method+" "+rest.BasePath+path, http.NotFoundHandler())
	}
	calls, called := sdkCalls("", ""), map[string]bool{}
	for name := range calls {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			id := declined(t, s)
			c := sdkCalls(id, s.state(id).SagaID)[name]
			transport := &direct{handler: s}
			err := c.call(t.Context(), sdkClient(t, "http://coordination.test", transport))
			if len(transport.sent) == 0 {
				t.Fatalf("nothing was sent: %v", err)
			}
			_, pattern := router.Handler(transport.sent[0])
			if got := strings.Replace(pattern, rest.BasePath, "", 1); got != c.route {
				t.Errorf("calls %q, want %q", got, c.route)
			}
			called[c.route] = true
			if fault := notOfTheRoute(err); fault {
				t.Errorf("the server did not understand it: %v", err)
			}
		})
	}
	for _, route := range routes {
		if !called[route] {
			t.Errorf("no method of the client calls %s: add one, and put it into sdkCalls", route)
		}
	}
	for _, name := range clientMethods() {
		if _, tested := calls[name]; !tested {
			t.Errorf("%s is not in sdkCalls", name)
		}
	}
}

// notOfTheRoute reports whether an error tells of a request that no handler
// took. Empty orders are refused by their handler, which has read them.
func notOfTheRoute(err error) bool {
	var details coordination.ViolationDetails
	if e, ok := errors.AsType[*coordination.Error](err); ok && e.DecodeDetails(&details) == nil {
		for _, v := range details.Violations {
			if !strings.HasPrefix(v.Path, "body.") {
				return true
			}
		}
	}
	return errors.Is(err, coordination.ErrNotFound) || errors.Is(err, coordination.ErrMethodNotAllowed) || errors.Is(err, coordination.ErrUnexpectedResponse)
}

// clientMethods are the methods of all services of the client.
func clientMethods() (names []string) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[coordination.Client]()) {
		if !field.IsExported() {
			continue
		}
		for method := range field.Type.Methods() {
			names = append(names, field.Name+"."+method.Name)
		}
	}
	slices.Sort(names)
	return names
}

// cutting cuts every stream after so many bytes, on a real connection.
type cutting struct {
	after   int64
	streams int
}

func (c *cutting) RoundTrip(r *http.Request) (*http.Response, error) {
	got, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && got.Header.Get("Content-Type") == "text/event-stream" {
		c.streams++
		got.Body = &cutBody{got.Body, c.after}
	}
	return got, err
}

type cutBody struct {
	io.ReadCloser
	left int64
}

func (b *cutBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// TestTheClientWatchesAndWaits follows an order from another goroutine, over
// connections that do not last.
func TestTheClientWatchesAndWaits(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	url, id := listening(t, s), startExample(t, s)
	lossy := &cutting{after: 700}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		status, err := sdkClient(t, url, http.DefaultTransport).Workflows.Wait(ctx, id)
		if err != nil || status.Status != coordination.StatusCompleted {
			t.Errorf("waited for %+v (%v)", status, err)
		}
	})
	var events []coordination.RecordedEvent
	for event, err := range sdkClient(t, url, lossy).Workflows.Watch(ctx, id, coordination.WatchOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if events = append(events, event); len(events) == 1 {
			completes(t, s, id)
		}
	}
	waiting.Wait()
	history, err := sdkClient(t, url, http.DefaultTransport).Workflows.Events(ctx, id, coordination.EventsQuery{Size: 100})
	if err != nil || !slices.Equal(events, history.Events) {
		t.Errorf("watched %v, want %v (%v)", events, history.Events, err)
	}
	if last := events[len(events)-1]; last.Event != coordination.EventWorkflowCompleted || !last.Event.Terminal() || lossy.streams < 3 {
		t.Errorf("ended with %v after %d streams", last, lossy.streams)
	}
}
