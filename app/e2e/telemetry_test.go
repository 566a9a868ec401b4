package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/telemetry/otlptest"
	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// The spans of an order whose payment is done at the second attempt, by their
// kinds. That of each commit is checked against the log instead.
var (
	completedSteps = []string{"INVENTORY_RESERVATION", "PAYMENT_PROCESSING", "ORDER_CONFIRMATION",
		"FULFILLMENT_PREPARATION", "SHIPPING_LABEL_CREATION", "CUSTOMER_NOTIFICATION"}
	completedAttempts = map[string]int{"POST /reserve_inventory": 1, "POST /process_payment": 2, "POST /confirm_order": 1,
		"POST /prepare_fulfillment": 1, "POST /create_shipping_label": 1, "POST /notify_customer": 1}
	declinedAttempts = map[string]int{"POST /reserve_inventory": 1, "POST /process_payment": 1,
		"POST /release_reservation": 1, "POST /send_cancellation_notice": 1}
	completedWebhooks = map[string]int{"webhook workflow.started": 1, "webhook workflow.step.completed": 6, "webhook workflow.completed": 1}
	declinedWebhooks  = map[string]int{"webhook workflow.started": 1, "webhook workflow.step.completed": 1,
		"webhook saga.compensating": 1, "webhook saga.compensated": 1, "webhook workflow.failed": 1}
)

const (
	startRoute   = "POST /api/v1/workflows/order/start"
	workflowSpan = "workflow ORDER_FULFILLMENT"
	webhookSpan  = "webhook " // and the event
)

// TestOneTraceHoldsAllOfAnOrder draws the traces of two orders from a receiver:
// the request, every step and attempt, every commit, every undo, every webhook.
func TestOneTraceHoldsAllOfAnOrder(t *testing.T) {
	t.Parallel()
	receiver := otlptest.New(t)
	shop := harness.OpenShop(t)
	c := harness.Serve(t, harness.Options{Store: "memory", Participants: shop.File, Ops: true, Hooks: true, LogLevel: "debug", Env: harness.Traced(receiver)})
	hooks := harness.NewReceiver(t)
	hook := hooks.Subscribe(t, c.Client(t))
	t.Run("completed", func(t *testing.T) {
		t.Parallel()
		started := c.Post(t, "/workflows/order/start", canaryOrder("ord-traced-1", canaries["payment token"], "tok_flaky"), "Prefer", "wait=30").Is(201)
		trace := harness.TraceOf(t, receiver, started.Text("workflowId"), startRoute)
		trace = withWebhooks(t, receiver, trace, completedWebhooks)
		isOneTrace(t, c, trace, started.Text("workflowId"), "", completedAttempts)
		areWebhooks(t, trace, hook.ID, hooks.Of(started.Text("workflowId")))
		for _, step := range completedSteps {
			isPath(t, trace, "step "+step, startRoute, workflowSpan)
		}
		for _, attempt := range trace.Named("POST /process_payment") {
			if at := trace.Above(attempt); !slices.Equal(at, []string{startRoute, workflowSpan, "step PAYMENT_PROCESSING"}) {
				t.Errorf("an attempt is below %v", at)
			}
		}
		first, second := trace.Named("POST /process_payment")[0], trace.Named("POST /process_payment")[1]
		if first.Attributes["coordination.outcome"] != "RETRY" || !first.Failed || first.Attributes["http.response.status_code"] != int64(503) ||
			second.Attributes["coordination.outcome"] != "SUCCEEDED" || second.Failed || second.Attributes["coordination.attempt"] != int64(2) {
			t.Errorf("the attempts are %v and %v", first, second)
		}
	})
	t.Run("declined, within the caller's trace", func(t *testing.T) {
		t.Parallel()
		const id, caller = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
		refused := c.Post(t, "/workflows/order/start", canaryOrder("ord-traced-2", canaries["payment token"], "tok_chargeDeclined"),
			"Prefer", "wait=30", "Traceparent", "00-"+id+"-"+caller+"-01").Is(422)
		workflowID := refused.Text("error", "details", "workflowId")
		trace := harness.TraceOf(t, receiver, workflowID, startRoute)
		if trace[0].TraceID != id || refused.Text("error", "traceId") != "4bf92f35-77b3-4da6-a3ce-929d0e0e4736" {
			t.Errorf("the trace is %s, not the caller's; the error says %s", trace[0].TraceID, refused.Text("error", "traceId"))
		}
		trace = withWebhooks(t, receiver, trace, declinedWebhooks)
		isOneTrace(t, c, trace, workflowID, caller, declinedAttempts)
		areWebhooks(t, trace, hook.ID, hooks.Of(workflowID))
		isPath(t, trace, "compensate RELEASE_INVENTORY", startRoute, workflowSpan)
		isPath(t, trace, "POST /release_reservation", startRoute, workflowSpan, "compensate RELEASE_INVENTORY")
		payment := trace.Named("step PAYMENT_PROCESSING")[0]
		if !payment.Failed || payment.Attributes["error.type"] != "PAYMENT_DECLINED" {
			t.Errorf("the declined step is %v", payment)
		}
	})
	t.Cleanup(func() {
		completed := c.Post(t, "/workflows/order/start", canaryOrder("ord-traced-3"), "Prefer", "wait=30").Is(201)
		harness.TraceOf(t, receiver, completed.Text("workflowId"), workflowSpan)
		w := &watcher{t: t, Coordinator: c, store: "memory"}
		w.look("the exported traces", receiver.Text())
		w.look("the metrics", scrape(t, c))
		w.look("the log", c.Log())
	})
}

// isOneTrace checks the form of a trace, that each attempt is in it, and that
// its commits wrote the log.
func isOneTrace(t *testing.T, c *harness.Coordinator, trace harness.Trace, workflowID, caller string, attempts map[string]int) {
	t.Helper()
	if faults := trace.Faults(caller); len(faults) > 0 {
		t.Errorf("%v in%s", faults, trace)
	}
	got := trace.Names("CLIENT")
	maps.DeleteFunc(got, func(name string, _ int) bool { return strings.HasPrefix(name, webhookSpan) })
	if !maps.Equal(got, attempts) {
		t.Errorf("attempts: %v, want %v", got, attempts)
	}
	if got := trace.Names("SERVER"); !maps.Equal(got, map[string]int{startRoute: 1}) {
		t.Errorf("requests: %v", got)
	}
	if got, want := trace.Events(workflowID), eventsOf(t, c, workflowID); !slices.Equal(got, want) {
		t.Errorf("the commits wrote %v, the log is %v", got, want)
	}
	for i := range trace {
		if trace[i].Resource["service.name"] != "platform-coordination" || trace[i].Attributes["coordination.workflow.id"] != workflowID {
			t.Errorf("%s is of %v, for %v", trace[i].Name, trace[i].Resource, trace[i].Attributes)
		}
	}
}

// isPath checks that there is one span of a name, and what it is below.
func isPath(t *testing.T, trace harness.Trace, name string, path ...string) {
	t.Helper()
	spans := trace.Named(name)
	if len(spans) != 1 || !slices.Equal(trace.Above(spans[0]), path) {
		t.Errorf("%d spans %s, or not below %v, in%s", len(spans), name, path, trace)
	}
}

// eventsOf is the log of a workflow.
func eventsOf(t *testing.T, c *harness.Coordinator, workflowID string) []string {
	t.Helper()
	var names []string
	for event, err := range c.Client(t).Workflows.AllEvents(t.Context(), workflowID, coordination.EventsQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, string(event.Event))
	}
	return names
}

// scrape reads the metrics of a coordinator.
func scrape(t *testing.T, c *harness.Coordinator) string {
	t.Helper()
	response, err := http.Get("http://" + c.Ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("metrics: %s, %v", response.Status, err)
	}
	return string(text)
}

// TestATraceOutlivesItsReplica kills the coordinator in the middle of an order:
// the next one goes on in the same trace.
func TestATraceOutlivesItsReplica(t *testing.T) {
	t.Parallel()
	receiver := otlptest.New(t)
	script := succeeding(t)
	c := harness.Serve(t, harness.Options{Store: "sqlite:" + filepath.Join(t.TempDir(), "coordination.db"), Participants: script.File(t, harness.Services...), Lease: harness.ShortLease, Env: harness.Traced(receiver)})
	started := c.Post(t, "/workflows/order/start", canaryOrder("ord-traced-4")).Is(201)
	id := started.Text("workflowId")
	script.Next(t, "confirm_order")
	harness.TraceOf(t, receiver, id, "step PAYMENT_PROCESSING") // it has left the process
	c.Kill(t)
	c.Restart(t)
	script.Next(t, "confirm_order").Answer(200, `{"outcome":"SUCCEEDED"}`)
	wait(t, c.Client(t), id)
	trace := harness.TraceOf(t, receiver, id, workflowSpan)
	for _, step := range completedSteps {
		isPath(t, trace, "step "+step, startRoute, workflowSpan)
	}
	if got := trace.Named("POST /confirm_order"); len(got) != 1 {
		t.Errorf("%d deliveries that ended, want that of the second replica", len(got))
	}
	if faults := trace.Faults(""); len(faults) > 0 {
		t.Errorf("%v in%s", faults, trace)
	}
	if got, want := trace.Events(id), eventsOf(t, c, id); !slices.Equal(got, want) {
		t.Errorf("the commits wrote %v, the log is %v", got, want)
	}
}

// TestRetriesStayInTheTrace lets a step fail for good twice, in one run and then
// in another: each budget of attempts is a span of its own, each run too.
func TestRetriesStayInTheTrace(t *testing.T) {
	t.Parallel()
	receiver := otlptest.New(t)
	script := succeeding(t)
	script.Always("confirm_order", 200, `{"outcome":"SUCCEEDED"}`)
	script.Always("process_payment", 404, `{}`) // parked at once
	c := harness.Serve(t, harness.Options{Store: "memory", Participants: script.File(t, harness.Services...), Env: harness.Traced(receiver)})
	id := c.Post(t, "/workflows/order/start", canaryOrder("ord-traced-6")).Is(201).Text("workflowId")
	parked := func() {
		t.Helper()
		if status := wait(t, c.Client(t), id); status.Status != coordination.StatusParked {
			t.Fatalf("the order is %s", status.Status)
		}
	}
	parked()
	script.Always("process_payment", 422, `{"outcome":"REJECTED","error":{"code":"DECLINED","message":"no"}}`)
	retry := c.Post(t, "/workflows/"+id+"/retry", `{}`, "Prefer", "wait=30").Is(422)
	script.Always("process_payment", 200, `{"outcome":"SUCCEEDED","result":{"paymentId":"pay-1"}}`)
	c.Post(t, "/workflows/"+id+"/retry", `{}`, "Prefer", "wait=30").Is(200)
	var trace harness.Trace
	harness.Eventually(t, harness.StartTimeout, "the second run", func() (string, bool) {
		trace = harness.TraceOf(t, receiver, id, workflowSpan)
		return trace.String(), len(trace.Named(workflowSpan)) == 2
	})
	if faults := trace.Faults(""); len(faults) > 0 {
		t.Errorf("%v in%s", faults, trace)
	}
	for name, want := range map[string]int{"step PAYMENT_PROCESSING": 3, "POST /process_payment": 3, "compensate RELEASE_INVENTORY": 1, "step CUSTOMER_NOTIFICATION": 1, startRoute: 1} {
		if got := trace.Named(name); len(got) != want {
			t.Errorf("%d spans %s, want %d, in%s", len(got), name, want, trace)
		}
	}
	if got, want := trace.Events(id), eventsOf(t, c, id); !slices.Equal(got, want) {
		t.Errorf("the commits wrote %v, the log is %v", got, want)
	}
	const retryRoute = "POST /api/v1/workflows/{workflowId}/retry"
	requests := harness.TraceOf(t, receiver, id, retryRoute)
	if requests[0].TraceID == trace[0].TraceID || !slices.Contains(requests[0].Links, trace[0].TraceID) || retry.Text("error", "traceId") == "" {
		t.Errorf("the retry's trace is %s with links to %v, want one to %s", requests[0].TraceID, requests[0].Links, trace[0].TraceID)
	}
}

// TestCallbacksJoinTheTrace answers a step later, with the trace that its
// command brought and without.
func TestCallbacksJoinTheTrace(t *testing.T) {
	t.Parallel()
	receiver := otlptest.New(t)
	script := succeeding(t)
	c := harness.Serve(t, harness.Options{Store: "memory", Participants: script.File(t, harness.Services...), Env: harness.Traced(receiver)})
	const id, caller, later = "6af7651916cd43dd8448eb211c803191", "b7ad6b7169203331", "c7ad6b7169203332"
	for _, given := range []bool{true, false} {
		workflowID := c.Post(t, "/workflows/order/start", canaryOrder(fmt.Sprint("ord-traced-7-", given)), "Traceparent", "00-"+id+"-"+caller+"-01").Is(201).Text("workflowId")
		call := script.Next(t, "confirm_order")
		call.Answer(202, `{}`)
		header := ""
		if given {
			header = "00-" + id + "-" + later + "-01"
		}
		c.Post(t, "/callbacks/"+call.Callback.Token, `{"outcome":"SUCCEEDED"}`, "Traceparent", header).Is(200)
		wait(t, c.Client(t), workflowID)
		harness.TraceOf(t, receiver, workflowID, workflowSpan)
		callback := harness.TraceOf(t, receiver, workflowID, "POST /api/v1/callbacks/{token}")
		commits := harness.Trace(receiver.Trace(id)).Named("commit")
		caused := slices.ContainsFunc(commits, func(s otlptest.Span) bool {
			if given {
				return s.Parent == callback.Named("POST /api/v1/callbacks/{token}")[0].SpanID
			}
			return slices.Contains(s.Links, callback[0].TraceID)
		})
		if !caused {
			t.Errorf("no commit tells of the callback (trace given: %t) in%s", given, harness.Trace(receiver.Trace(id)))
		}
	}
	if strings.Contains(receiver.Text(), "cbt_") {
		t.Error("a callback's token is in the traces")
	}
}

// succeeding is a participant that does everything but confirm orders.
func succeeding(t *testing.T) *harness.Script {
	script := harness.NewScript(t)
	for _, action := range []string{"reserve_inventory", "process_payment", "prepare_fulfillment", "create_shipping_label", "notify_customer",
		"release_reservation", "send_cancellation_notice"} {
		script.Always(action, 200, `{"outcome":"SUCCEEDED","result":{"reservationId":"res-1","paymentId":"pay-1","deliveryId":"del-1"}}`)
	}
	return script
}

// TestATraceGoesOverTheBus sends the commands over the bus inside the process.
func TestATraceGoesOverTheBus(t *testing.T) {
	t.Parallel()
	receiver := otlptest.New(t)
	var file strings.Builder
	file.WriteString("participants:\n")
	for _, name := range harness.Services {
		fmt.Fprintf(&file, "  %s: {transport: bus}\n", name)
	}
	c := harness.Serve(t, harness.Options{Store: "memory", Participants: harness.WriteFile(t, "participants.yaml", file.String()), Env: harness.Traced(receiver)})
	started := c.Post(t, "/workflows/order/start", canaryOrder("ord-traced-5"), "Prefer", "wait=30").Is(201)
	trace := harness.TraceOf(t, receiver, started.Text("workflowId"), startRoute)
	if faults := trace.Faults(""); len(faults) > 0 {
		t.Errorf("%v in%s", faults, trace)
	}
	const sent = "send coordination.commands.payment-service"
	isPath(t, trace, sent, startRoute, workflowSpan, "step PAYMENT_PROCESSING")
	if got := trace.Names("CONSUMER")["process coordination.replies"]; got != len(completedSteps) {
		t.Errorf("%d replies for %d steps in%s", got, len(completedSteps), trace)
	}
	for _, reply := range trace.Named("process coordination.replies") {
		if above := trace.Above(reply); len(above) != 4 || !strings.HasPrefix(above[3], "send coordination.commands.") {
			t.Errorf("a reply is below %v", above)
		}
	}
}

// TestLogsAreQuietAndTellTheTrace counts the lines of orders at the level of
// every day, and joins those for debugging to their trace and workflow.
func TestLogsAreQuietAndTellTheTrace(t *testing.T) {
	t.Parallel()
	const orders = 20
	t.Run("info", func(t *testing.T) {
		t.Parallel()
		c := harness.Serve(t, harness.Options{Store: "memory"})
		before := strings.Count(c.Log(), "\n")
		for i := range orders {
			token := "tok_visa"
			if i%2 == 1 {
				token = "tok_chargeDeclined"
			}
			c.Post(t, "/workflows/order/start", canaryOrder(fmt.Sprint("ord-quiet-", i), canaries["payment token"], token), "Prefer", "wait=30")
		}
		if lines := strings.Count(c.Log(), "\n") - before; lines > 2*orders {
			t.Errorf("%d lines for %d orders:\n%s", lines, orders, c.Log())
		}
	})
	t.Run("parked", func(t *testing.T) {
		t.Parallel()
		c := harness.Serve(t, harness.Options{Store: "memory"})
		body := strings.Replace(canaryOrder("ord-parked"), `"metadata":{`, `"metadata":{"simulate":{"RELEASE_INVENTORY":"REJECTED:NO"},`, 1)
		started := c.Post(t, "/workflows/order/start", strings.Replace(body, canaries["payment token"], "tok_chargeDeclined", 1)).Is(201)
		wait(t, c.Client(t), started.Text("workflowId"))
		line := logged(t, c, "workflow parked: it waits for a person")
		if line["level"] != "WARN" || line["workflowId"] != started.Text("workflowId") || line["reason"] != "COMPENSATION_EXHAUSTED" || line["trace_id"] == nil {
			t.Errorf("the warning is %v", line)
		}
	})
	t.Run("debug", func(t *testing.T) {
		t.Parallel()
		c := harness.Serve(t, harness.Options{Store: "memory", LogLevel: "debug"})
		const id = "0af7651916cd43dd8448eb211c80319c"
		started := c.Post(t, "/workflows/order/start", canaryOrder("ord-debug"), "Prefer", "wait=30", "Traceparent", "00-"+id+"-b7ad6b7169203331-01").Is(201)
		for _, message := range []string{"request", "workflow ended"} {
			if line := logged(t, c, message); line["trace_id"] != id || line["workflowId"] != started.Text("workflowId") {
				t.Errorf("%s: %v", message, line)
			}
		}
	})
}

// logged waits for a line about a workflow in a coordinator's log.
func logged(t *testing.T, c *harness.Coordinator, message string) map[string]any {
	t.Helper()
	var found map[string]any
	harness.Eventually(t, endTimeout, "the line "+message, func() (string, bool) {
		for line := range bytes.Lines([]byte(c.Log())) {
			var fields map[string]any
			if json.Unmarshal(line, &fields) == nil && fields["msg"] == message && fields["workflowId"] != nil {
				found = fields
				return "", true
			}
		}
		return "", false
	})
	return found
}
