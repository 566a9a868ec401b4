package coordination_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

const (
	workflowID = "wf-660e8400-e29b-41d4-a716-446655440000"
	sagaID     = "saga-770e8400-e29b-41d4-a716-446655440000"
)

// exchange is one method of the client: what it must send and what it gets.
type exchange struct {
	name    string
	call    func(context.Context, *coordination.Client) (any, error)
	request string // method, path and query
	body    string // document that is sent, empty for none
	status  int
	answer  string // document that is answered
	bare    bool   // without the client's token
}

func exchanges() []exchange {
	return append(mutations(), reads()...)
}

func mutations() []exchange {
	return []exchange{
		{name: "StartOrder", call: startOrder, request: "POST /api/v1/workflows/order/start", body: "order-request", status: 201, answer: "order-started"},
		{name: "StartReturn", call: func(ctx context.Context, c *coordination.Client) (any, error) {
			return c.Workflows.StartReturn(ctx, coordination.ReturnRequest{
				ReturnID: "ret-1", OriginalOrderID: "ord-1", CustomerID: "cust-1", RefundAmount: "299.99",
				Items: []coordination.ReturnItem{{ProductID: "prod-1", Quantity: 1}},
			})
		}, request: "POST /api/v1/workflows/return/start",
			body:   `{"returnId":"ret-1","originalOrderId":"ord-1","customerId":"cust-1","items":[{"productId":"prod-1","quantity":1}],"refundAmount":299.99}`,
			status: 201, answer: "order-started"},
		{name: "StartReplenishment", call: func(ctx context.Context, c *coordination.Client) (any, error) {
			return c.Workflows.StartReplenishment(ctx, coordination.ReplenishmentRequest{
				ReplenishmentID: "rep-1", WarehouseID: "wh-1", SupplierID: "sup-1",
				Items: []coordination.ReplenishmentItem{{ProductID: "prod-1", Quantity: 100}},
			})
		}, request: "POST /api/v1/workflows/replenishment/start",
			body:   `{"replenishmentId":"rep-1","warehouseId":"wh-1","supplierId":"sup-1","items":[{"productId":"prod-1","quantity":100}]}`,
			status: 201, answer: "order-started"},
		{name: "Start", call: func(ctx context.Context, c *coordination.Client) (any, error) {
			return c.Workflows.Start(ctx, coordination.StartRequest{
				Type: "COMPENSATION_TEST", BusinessKey: "test-1", Input: json.RawMessage(`{"failStep":"EXECUTE"}`),
			})
		}, request: "POST /api/v1/workflows/start",
			body:   `{"type":"COMPENSATION_TEST","businessKey":"test-1","input":{"failStep":"EXECUTE"}}`,
			status: 201, answer: "order-started"},
		{name: "Cancel", call: func(ctx context.Context, c *coordination.Client) (any, error) {
			return c.Workflows.Cancel(ctx, workflowID, document[coordination.CancelRequest]("cancel-request"))
		}, request: "POST /api/v1/workflows/" + workflowID + "/cancel", body: "cancel-request", status: 202, answer: "cancel-response"},
		{name: "Retry", call: func(ctx context.Context, c *coordination.Client) (any, error) {
			return c.Workflows.Retry(ctx, workflowID, document[coordination.RetryRequest]("retry-request"))
		}, request: "POST /api/v1/workflows/" + workflowID + "/retry", body: "retry-request", status: 200, answer: "retry-response"},
		{name: "Compensate", call: func(ctx context.Context, c *coordination.Client) (any, error) {
			return c.Sagas.Compensate(ctx, sagaID, document[coordination.CompensateRequest]("compensate-request"))
		}, request: "POST /api/v1/sagas/" + sagaID + "/compensate", body: "compensate-request", status: 202, answer: "compensate-response"},
	}
}

func reads() []exchange {
	day := time.Date(2024, 1, 15, 12, 0, 0, 0, time.FixedZone("", 2*60*60))
	return []exchange{
		{name: "GetStatus", call: func(ctx context.Context, c *coordination.Client) (any, error) {
			return c.Workflows.GetStatus(ctx, workflowID)
		}, request: "GET /api/v1/workflows/" + workflowID + "/status", status: 200, answer: "workflow-status"},
		{name: "ListActive", call: func(ctx context.Context, c *coordination.Client) (any, error) {
			return c.Workflows.ListActive(ctx, coordination.ActiveQuery{
				Type: "ORDER_FULFILLMENT", Status: coordination.StatusInProgress, CustomerID: "cust-1",
				Priority: coordination.PriorityHigh, Page: 2, Size: 50, Sort: "startedAt,asc",
			})
		}, request: "GET /api/v1/workflows/active?customerId=cust-1&page=2&priority=HIGH&size=50&sort=startedAt%2Casc&status=IN_PROGRESS&type=ORDER_FULFILLMENT",
			status: 200, answer: "active-list"},
		{name: "List", call: func(ctx context.Context, c *coordination.Client) (any, error) {
			return c.Workflows.List(ctx, coordination.ListQuery{
				BusinessKey: "ord-1", Step: "PAYMENT_PROCESSING", ErrorCode: "PAYMENT_DECLINED",
				StartedAfter: day, StartedBefore: day.Add(time.Hour), Cursor: "c+1",
			})
		}, request: "GET /api/v1/workflows?businessKey=ord-1&cursor=c%2B1&errorCode=PAYMENT_DECLINED&startedAfter=2024-01-15T10%3A00%3A00Z&startedBefore=2024-01-15T11%3A00%3A00Z&step=PAYMENT_PROCESSING",
			status: 200, answer: "active-list"},
		{name: "GetMetrics", call: func(ctx context.Context, c *coordination.Client) (any, error) {
			return c.Workflows.GetMetrics(ctx, coordination.MetricsQuery{
				Period: coordination.PeriodMonth, Type: "ORDER_FULFILLMENT", IncludeHistorical: true,
			})
		}, request: "GET /api/v1/workflows/metrics?includeHistorical=true&period=MONTH&type=ORDER_FULFILLMENT", status: 200, answer: "metrics"},
		{name: "Events", call: func(ctx context.Context, c *coordination.Client) (any, error) {
			return c.Workflows.Events(ctx, workflowID, coordination.EventsQuery{Page: 1, Size: 2})
		}, request: "GET /api/v1/workflows/" + workflowID + "/events?page=1&size=2", status: 200, answer: "event-history"},
		{name: "Sagas.Get", call: func(ctx context.Context, c *coordination.Client) (any, error) {
			return c.Sagas.Get(ctx, sagaID)
		}, request: "GET /api/v1/sagas/" + sagaID, status: 200, answer: "saga"},
		{name: "PreviewCompensation", call: func(ctx context.Context, c *coordination.Client) (any, error) {
			return c.Sagas.PreviewCompensation(ctx, sagaID, document[coordination.CompensateRequest]("compensate-request"))
		}, request: "POST /api/v1/sagas/" + sagaID + "/compensate?dryRun=true", body: "compensate-request", status: 200, answer: "compensation-preview"},
		{name: "Templates.List", call: func(ctx context.Context, c *coordination.Client) (any, error) {
			templates, err := c.Templates.List(ctx)
			return &coordination.TemplateList{Templates: templates}, err
		}, request: "GET /api/v1/workflow-templates", status: 200, answer: "template-list"},
		{name: "Templates.Get", call: func(ctx context.Context, c *coordination.Client) (any, error) {
			return c.Templates.Get(ctx, "tmpl-order-fulfillment-v2")
		}, request: "GET /api/v1/workflow-templates/tmpl-order-fulfillment-v2", status: 200,
			answer: `{"templateId":"tmpl-order-fulfillment-v2","name":"N","type":"T","version":"2.1","steps":[],"compensationSteps":[],"active":true}`},
		{name: "Health.Get", call: func(ctx context.Context, c *coordination.Client) (any, error) {
			return c.Health.Get(ctx)
		}, request: "GET /api/v1/health", status: 200, answer: "health"},
		{name: "Callbacks.Answer", call: func(ctx context.Context, c *coordination.Client) (any, error) {
			return c.Callbacks.Answer(ctx, "cbt_1", document[coordination.Answer]("answer"))
		}, request: "POST /api/v1/callbacks/cbt_1", body: "answer", status: 200, answer: "callback-receipt", bare: true},
		{name: "Callbacks.Heartbeat", call: func(ctx context.Context, c *coordination.Client) (any, error) {
			return c.Callbacks.Heartbeat(ctx, "cbt_1")
		}, request: "POST /api/v1/callbacks/cbt_1/heartbeat", status: 200, answer: "callback-receipt", bare: true},
	}
}

func startOrder(ctx context.Context, c *coordination.Client) (any, error) {
	return c.Workflows.StartOrder(ctx, document[coordination.OrderRequest]("order-request"))
}

func TestEveryMethodSendsItsRequestAndReadsItsAnswer(t *testing.T) {
	t.Parallel()
	for _, want := range exchanges() {
		t.Run(want.name, func(t *testing.T) {
			t.Parallel()
			var got *http.Request
			var sent []byte
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r
				sent, _ = io.ReadAll(r.Body)
				w.WriteHeader(want.status)
				_, _ = io.WriteString(w, text(want.answer))
			}))
			defer server.Close()
			answer, err := want.call(t.Context(), newClient(t, server.URL+"/api/v1/", coordination.WithToken("secret-token"), coordination.WithUserAgent("shop/1")))
			if err != nil {
				t.Fatal(err)
			}
			if request := got.Method + " " + got.URL.RequestURI(); request != want.request {
				t.Errorf("sent %s, want %s", request, want.request)
			}
			checkHeaders(t, want, got.Header)
			if want.body == "" && len(sent) > 0 || want.body != "" && !sameJSON(t, sent, []byte(text(want.body))) {
				t.Errorf("sent body %s, want %s", sent, text(want.body))
			}
			encoded, err := json.Marshal(answer)
			if err != nil || !sameJSON(t, encoded, []byte(text(want.answer))) {
				t.Errorf("read %s (%v), want %s", encoded, err, text(want.answer))
			}
		})
	}
}

func checkHeaders(t *testing.T, want exchange, header http.Header) {
	t.Helper()
	token, contentType, key := "Bearer secret-token", "application/json", `^$`
	if want.bare {
		token = ""
	}
	if want.body == "" {
		contentType = ""
	}
	for _, mutation := range mutations() {
		if mutation.name == want.name {
			key = `^[A-Z2-7]{26,}$` // 26 characters of base32 are 130 bits
		}
	}
	if got := header.Get("Authorization"); got != token {
		t.Errorf("Authorization is %q, want %q", got, token)
	}
	if got := header.Get("Content-Type"); got != contentType {
		t.Errorf("Content-Type is %q, want %q", got, contentType)
	}
	if got := header.Get("X-Idempotency-Key"); !regexp.MustCompile(key).MatchString(got) {
		t.Errorf("X-Idempotency-Key is %q, want %s", got, key)
	}
	if got := header.Get("User-Agent"); got != "shop/1 platform-coordination-go/"+coordination.Version {
		t.Errorf("User-Agent is %q", got)
	}
}

func TestCallOptions(t *testing.T) {
	t.Parallel()
	var header http.Header
	client := newClient(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		_, _ = io.WriteString(w, text("retry-response"))
	}))
	_, err := client.Workflows.Retry(t.Context(), workflowID, coordination.RetryRequest{},
		coordination.WithIdempotencyKey("mine-1"), coordination.WithWait(1500*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	if key, prefer := header.Get("X-Idempotency-Key"), header.Get("Prefer"); key != "mine-1" || prefer != "wait=2" {
		t.Errorf("sent key %q and preference %q", key, prefer)
	}
	for name, option := range map[string]coordination.CallOption{
		"empty key":      coordination.WithIdempotencyKey(""),
		"long key":       coordination.WithIdempotencyKey(strings.Repeat("k", 256)),
		"key with space": coordination.WithIdempotencyKey("a b"),
		"key of 8 bits":  coordination.WithIdempotencyKey("ä"),
		"no wait":        coordination.WithWait(0),
		"long wait":      coordination.WithWait(61 * time.Second),
	} {
		header = nil
		if _, err := client.Workflows.Retry(t.Context(), workflowID, coordination.RetryRequest{}, option); err == nil || header != nil {
			t.Errorf("%s: sent %v, error %v", name, header, err)
		}
	}
}

func TestWithWaitDeliversTheFinalStatus(t *testing.T) {
	t.Parallel()
	client := newClient(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Preference-Applied", r.Header.Get("Prefer"))
		_, _ = io.WriteString(w, strings.Replace(text("workflow-status"), `"status": "IN_PROGRESS",
  "currentStep"`, `"status": "COMPLETED",
  "currentStep"`, 1))
	}))
	ctx, wait := t.Context(), coordination.WithWait(time.Minute)
	started, err := client.Workflows.StartOrder(ctx, document[coordination.OrderRequest]("order-request"), wait)
	if err != nil || started.Ended == nil || started.WorkflowID != workflowID || started.Status != coordination.StatusCompleted ||
		started.Saga.SagaID != sagaID || len(started.Steps) != 6 || started.CreatedAt.IsZero() || started.Timeline.LastUpdate != started.Ended.UpdatedAt {
		t.Errorf("started %+v (%v)", started, err)
	}
	cancelled, err := client.Workflows.Cancel(ctx, workflowID, coordination.CancelRequest{Reason: "R"}, wait)
	if err != nil || cancelled.Ended == nil || cancelled.Reason != "R" || cancelled.Saga.SagaID != sagaID {
		t.Errorf("cancelled %+v (%v)", cancelled, err)
	}
	retried, err := client.Workflows.Retry(ctx, workflowID, coordination.RetryRequest{}, wait)
	if err != nil || retried.Ended == nil || retried.WorkflowID != workflowID {
		t.Errorf("retried %+v (%v)", retried, err)
	}
	compensated, err := client.Sagas.Compensate(ctx, sagaID, coordination.CompensateRequest{}, wait)
	if err != nil || compensated.Ended == nil || compensated.SagaID != sagaID || compensated.Ended.Saga.Version != 2 {
		t.Errorf("compensated %+v (%v)", compensated, err)
	}
}

func TestHealthThatIsDownIsAnAnswer(t *testing.T) {
	t.Parallel()
	client := newClient(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, strings.Replace(text("health"), `"UP"`, `"DOWN"`, 1))
	}))
	health, err := client.Health.Get(t.Context())
	if err != nil || health.Status != coordination.HealthDown {
		t.Errorf("health is %+v (%v)", health, err)
	}
}

func TestIdentifiersCannotLeaveTheirPath(t *testing.T) {
	t.Parallel()
	var path string
	client := newClient(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.EscapedPath()
		_, _ = io.WriteString(w, `{}`)
	}))
	if _, err := client.Sagas.Get(t.Context(), "a/../b?c#d"); err != nil || path != "/sagas/a%2F..%2Fb%3Fc%23d" {
		t.Errorf("sent %s (%v)", path, err)
	}
	for _, id := range []string{"", ".", ".."} {
		path = ""
		if _, err := client.Workflows.GetStatus(t.Context(), id); err == nil || path != "" {
			t.Errorf("sent %s for %q (%v)", path, id, err)
		}
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	for _, baseURL := range []string{"", "/api/v1", "platform-coordination:8081", "ftp://host/", "http://", "http://user:pw@host", "http://host/?a=b", "http://host/#f", "http://host:port"} {
		if _, err := coordination.New(baseURL); err == nil || strings.Contains(err.Error(), "pw") {
			t.Errorf("%q: error %v", baseURL, err)
		}
	}
	for name, option := range map[string]coordination.Option{
		"empty token": coordination.WithToken(""), "no token source": coordination.WithTokenSource(nil),
		"no HTTP client": coordination.WithHTTPClient(nil), "no timeout": coordination.WithTimeout(0),
		"no response limit": coordination.WithMaxResponseBytes(0),
	} {
		if _, err := coordination.New("http://host", option); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	other := serve(t, func(w http.ResponseWriter, r *http.Request) { t.Errorf("followed to %s", r.URL) })
	client := newClient(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other, http.StatusTemporaryRedirect)
	}), coordination.WithToken("secret-token"))
	_, err := client.Sagas.Get(t.Context(), sagaID)
	if !errors.Is(err, coordination.ErrUnexpectedResponse) {
		t.Errorf("the error is %v", err)
	}
}

func newClient(t *testing.T, baseURL string, options ...coordination.Option) *coordination.Client {
	t.Helper()
	client, err := coordination.New(baseURL, options...)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// serve returns the URL of a server that answers with handle.
func serve(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server.URL
}

// text returns a document by its name; JSON stands for itself.
func text(document string) string {
	if strings.HasPrefix(document, "{") {
		return document
	}
	data, err := testdata.ReadFile("testdata/" + document + ".json")
	if err != nil {
		panic(err)
	}
	return string(data)
}

// document decodes a document by its name.
func document[T any](name string) T {
	var value T
	if err := json.Unmarshal([]byte(text(name)), &value); err != nil {
		panic(err)
	}
	return value
}

func sameJSON(t *testing.T, got, want []byte) bool {
	t.Helper()
	return reflect.DeepEqual(canonical(t, got), canonical(t, want))
}
