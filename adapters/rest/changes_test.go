package rest_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

func TestSameKeyAndBodyIsAnsweredTheSame(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	first := s.post(t, "/workflows/order/start", order("", ""), "X-Idempotency-Key", "key").is(201)
	if first.header.Get("Idempotency-Replayed") != "" {
		t.Error("the first answer says to be a replay")
	}
	id := first.tree()["workflowId"].(string)
	s.after(time.Minute).succeeds(t, id, "INVENTORY_RESERVATION", `{"reservationId":"res-1"}`)

	// Spacing, order of members and the form of numbers and texts do not make another value.
	same := order(`"orderId":"ord-1","customerId":"cust-1"`, `"customerId" : "cust-1", "orderId" : "ord\u002d1"`)
	same = strings.NewReplacer("5.25", "525e-2", "10.50", "10.5", `"quantity":2`, "\"quantity\":\n2").Replace(same)
	for _, header := range []string{"X-Idempotency-Key", "Idempotency-Key"} {
		again := s.post(t, "/workflows/order/start", same, header, "key").is(201)
		if !bytes.Equal(first.body, again.body) || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s: replayed %q:\n%s, want\n%s", header, again.header.Get("Idempotency-Replayed"), again.body, first.body)
		}
	}
	e := s.post(t, "/workflows/order/start", order("STANDARD", "EXPRESS"), "X-Idempotency-Key", "key").is(409).code(coordination.ErrWorkflowAlreadyExists)
	var details coordination.ConflictDetails
	if err := e.DecodeDetails(&details); err != nil || details.Reason != "IDEMPOTENCY_KEY_REUSED" {
		t.Errorf("details are %+v, %v", details, err)
	}
}

func TestKeysOfOthersAndOfOtherRoutesAreOther(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.post(t, "/workflows/order/start", order("", ""), "X-Idempotency-Key", "key", "Authorization", "Bearer service/alice").is(201)
	got := s.post(t, "/workflows/order/start", order("", ""), "X-Idempotency-Key", "key", "Authorization", "Bearer service/bob").is(409)
	if !strings.Contains(string(got.body), "workflowId") {
		t.Errorf("bob must meet the business key, not alice's record: %s", got.body)
	}
	generic := `{"type":"ORDER_FULFILLMENT","businessKey":"ord-1","input":` + order("", "") + `}`
	s.post(t, "/workflows/start", generic, "X-Idempotency-Key", "key", "Authorization", "Bearer service/alice").is(409)

	one, other := startExample(t, s), ""
	other = s.post(t, "/workflows/order/start", order("ord-1", "ord-2")).is(201).tree()["workflowId"].(string)
	for _, id := range []string{one, other} {
		got := s.post(t, "/workflows/"+id+"/cancel", cancelIt, "X-Idempotency-Key", "same").is(202)
		if got.tree()["workflowId"] != id {
			t.Errorf("the cancel of %s was answered with another's: %s", id, got.body)
		}
	}
}

func TestTwentyEqualStartsAreOne(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	answers := make([]*response, 20)
	var wait sync.WaitGroup
	for i := range answers {
		wait.Go(func() { answers[i] = s.post(t, "/workflows/order/start", order("", ""), "X-Idempotency-Key", "key") })
	}
	wait.Wait()
	for _, got := range answers {
		if got.is(201); !bytes.Equal(got.body, answers[0].body) {
			t.Errorf("answers differ:\n%s\n%s", got.body, answers[0].body)
		}
	}
}

func TestSecondStartOfAnOrderConflicts(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := s.post(t, "/workflows/order/start", order("", "")).is(201).tree()["workflowId"]
	e := s.post(t, "/workflows/order/start", order("", "")).is(409).code(coordination.ErrWorkflowAlreadyExists)
	var details coordination.ConflictDetails
	if err := e.DecodeDetails(&details); err != nil || details.WorkflowID != id || details.Reason != "" {
		t.Errorf("details are %+v, %v", details, err)
	}
}

func TestOtherStartsFillInTheirDefaults(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	ret := into[coordination.StartedWorkflow](s.post(t, "/workflows/return/start", readFile(t, "examples/return-request.json")).is(201))
	if ret.WorkflowType != "RETURN_PROCESSING" || ret.ReturnID == "" || ret.OriginalOrderID == "" || ret.CustomerID == "" || ret.BusinessKey != "" {
		t.Errorf("the return is %+v", ret)
	}
	rep := into[coordination.StartedWorkflow](s.post(t, "/workflows/replenishment/start", readFile(t, "examples/replenishment-request.json")).is(201))
	if rep.ReplenishmentID == "" || rep.WarehouseID != "wh-001" || rep.SupplierID != "sup-042" {
		t.Errorf("the replenishment is %+v", rep)
	}
	generic := into[coordination.StartedWorkflow](s.post(t, "/workflows/start", readFile(t, "examples/start-request.json")).is(201))
	if generic.WorkflowType != "COMPENSATION_TEST" || generic.BusinessKey != "test-1" {
		t.Errorf("the generic workflow is %+v", generic)
	}
	if input := string(s.state(ret.WorkflowID).Input); !strings.Contains(input, `"currency":"USD"`) || !strings.Contains(input, `"priority":"NORMAL"`) {
		t.Errorf("the return's input is %s", input)
	}
}

func TestGenericStartReadsBuiltInInputsAsTheirOwnRoutesDo(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	start := func(workflowType, key, input, rest string) *response {
		return s.post(t, "/workflows/start", fmt.Sprintf(`{"type":%q,"businessKey":%q,"input":%s%s}`, workflowType, key, input, rest))
	}
	got := start("ORDER_FULFILLMENT", "ord-1", order(`,"metadata":{"a":1}`, ``), `,"metadata":{"outer":true},"options":{"priority":"HIGH"}`).is(201)
	state := s.state(got.tree()["workflowId"].(string))
	if !strings.Contains(string(state.Input), `"metadata":{"outer":true}`) || state.Priority != "HIGH" || state.CustomerID != "cust-1" {
		t.Errorf("priority %s, customer %s, input %s", state.Priority, state.CustomerID, state.Input)
	}
	for path, got := range map[string]*response{
		"body.input.orderId":             start("ORDER_FULFILLMENT", "ord-2", order("", ""), ``).is(400),
		"body.input.items[0].quantity":   start("ORDER_FULFILLMENT", "ord-1", order(`"quantity":2`, `"quantity":0`), ``).is(400),
		"body.input.items[0].unitPrice":  start("ORDER_FULFILLMENT", "ord-1", order("5.25", "5.255"), ``).is(400),
		"body.input.x":                   start("ORDER_FULFILLMENT", "ord-1", order(`"metadata"`, `"x":1,"metadata"`), ``).is(400),
		"body.input.paymentMethod.token": start("ORDER_FULFILLMENT", "ord-1", order("tok_secret", "4242424242424242"), ``).is(400),
		"body.input":                     start("ORDER_FULFILLMENT", "ord-1", `[]`, ``).is(400),
		"body.input.failStep":            start("COMPENSATION_TEST", "t-1", `{"failStep":"NOWHERE"}`, ``).is(400),
		"body.input.step":                start("COMPENSATION_TEST", "t-1", `{"step":"PREPARE"}`, ``).is(400),
		"body.input.refundAmount":        start("RETURN_PROCESSING", "r-1", strings.Replace(readFile(t, "examples/return-request.json"), "299.99", "299.999", 1), ``).is(400),
		"body.input.items[0].productId":  start("INVENTORY_REPLENISHMENT", "r-1", strings.Replace(readFile(t, "examples/replenishment-request.json"), "550e", "?", 1), ``).is(400),
		"body.businessKey":               start("COMPENSATION_TEST", "?", `{}`, ``).is(400),
		"body.options.priority":          start("COMPENSATION_TEST", "t-1", `{}`, `,"options":{"priority":"X"}`).is(400),
		"body.metadata":                  start("COMPENSATION_TEST", "t-1", `{}`, `,"metadata":[]`).is(400),
	} {
		if found := got.violations(); found[path] == "" {
			t.Errorf("%s: violations are %v", path, found)
		}
	}
	start("ORDER_FULFILLMENT", "ord-1", order("10.50", "1"), ``).is(422).code(coordination.ErrBusinessRuleViolation)
	start("NO_SUCH_TYPE", "k", `{}`, ``).is(404).code(coordination.ErrTemplateNotFound)

	merged := start("COMPENSATION_TEST", "t-2", `{"failStep":"EXECUTE"}`, `,"metadata":{"simulate":{"PREPARE":"RETRY:1"}}`).is(201)
	if input := string(s.state(merged.tree()["workflowId"].(string)).Input); input != `{"metadata":{"simulate":{"PREPARE":"RETRY:1"}},"failStep":"EXECUTE"}` {
		t.Errorf("input is %s", input)
	}
	empty := start("COMPENSATION_TEST", "t-3", `{ }`, `,"metadata":{}`).is(201)
	if input := string(s.state(empty.tree()["workflowId"].(string)).Input); input != `{"metadata":{}}` {
		t.Errorf("input is %s", input)
	}
}

func TestIDsAreTakenWithAndWithoutPrefix(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := startExample(t, s)
	saga := s.state(id).SagaID
	for _, path := range []string{"/workflows/" + id + "/status", "/workflows/" + strings.TrimPrefix(id, "wf-") + "/status",
		"/workflows/" + strings.ToUpper(strings.TrimPrefix(id, "wf-")) + "/status", "/sagas/" + saga, "/sagas/" + strings.TrimPrefix(saga, "saga-")} {
		s.get(t, path).is(200)
	}
	for _, bad := range []string{"x", "wf-", "wf-wf-" + id, saga, id + "0", strings.Repeat("6", 2000), "wf-018d0ea9000070008000000000000001", "wf-018d0ea9-0000-7000-8000-00000000000g"} {
		s.get(t, "/workflows/"+bad+"/status").is(404).code(coordination.ErrWorkflowNotFound)
		s.get(t, "/workflows/"+bad+"/events").is(404).code(coordination.ErrWorkflowNotFound)
		s.get(t, "/workflows/"+bad+"/stream").is(404).code(coordination.ErrWorkflowNotFound)
		s.post(t, "/workflows/"+bad+"/cancel", cancelIt).is(404).code(coordination.ErrWorkflowNotFound)
		s.post(t, "/workflows/"+bad+"/retry", `{}`).is(404).code(coordination.ErrWorkflowNotFound)
	}
	s.get(t, "/sagas/"+id).is(404).code(coordination.ErrSagaNotFound)
	s.post(t, "/sagas/x/compensate", `{"reason":"R"}`).is(404).code(coordination.ErrSagaNotFound)
	for _, bad := range []string{"tmpl-none", "%00", "%ff", "a%20b", strings.Repeat("t", 2000)} {
		s.get(t, "/workflow-templates/"+bad).is(404).code(coordination.ErrTemplateNotFound)
	}
}

func TestCancelIsRepeatableUntilItCannotBe(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := startExample(t, s)
	s.succeeds(t, id, "INVENTORY_RESERVATION", `{"reservationId":"res-1"}`)
	s.succeeds(t, id, "PAYMENT_PROCESSING", `{"paymentIntent":"pi-1"}`)
	first := into[coordination.CancelResponse](s.post(t, "/workflows/"+id+"/cancel", cancelIt).is(202))
	if first.Status != "CANCELLING" || first.Refund == nil || !first.Refund.Eligible {
		t.Errorf("the answer is %+v, refund %+v", first, first.Refund)
	}
	s.after(time.Minute)
	again := into[coordination.CancelResponse](s.post(t, "/workflows/"+id+"/cancel", `{"reason":"OTHER","initiatedBy":"ADMIN"}`).is(202))
	if !again.CancelledAt.Equal(first.CancelledAt.Time) || again.Reason != first.Reason {
		t.Errorf("repeated: cancelled at %s because of %s", again.CancelledAt, again.Reason)
	}
	s.rejects(t, id, "ORDER_CONFIRMATION", "CLOSED", "")
	for _, undo := range []string{"VOID_PAYMENT", "RELEASE_INVENTORY", "NOTIFY_CUSTOMER"} {
		s.succeeds(t, id, undo, `{}`)
	}
	ended := into[coordination.CancelResponse](s.post(t, "/workflows/"+id+"/cancel", cancelIt).is(202))
	if ended.Status != "CANCELLED" || ended.Saga.State != "COMPENSATED" || !ended.CancelledAt.Equal(first.CancelledAt.Time) {
		t.Errorf("after the end: %+v", ended)
	}
	var executed []string
	for _, step := range into[coordination.WorkflowStatus](s.get(t, "/workflows/"+id+"/status").is(200)).Saga.CompensationExecuted {
		executed = append(executed, step.Step)
	}
	if got := strings.Join(executed, " "); got != "VOID_PAYMENT RELEASE_INVENTORY NOTIFY_CUSTOMER" {
		t.Errorf("executed %s: want the order in which it happened", got)
	}
}

func TestCancelBeforePaymentRefundsNothing(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := startExample(t, s)
	got := into[coordination.CancelResponse](s.post(t, "/workflows/"+id+"/cancel", cancelIt).is(202))
	if got.Refund == nil || got.Refund.Eligible || got.Refund.Amount != "1499.97" || got.Refund.Currency != "USD" {
		t.Errorf("refund is %+v", got.Refund)
	}
	other := s.post(t, "/workflows/replenishment/start", readFile(t, "examples/replenishment-request.json")).is(201).tree()["workflowId"].(string)
	if got := into[coordination.CancelResponse](s.post(t, "/workflows/"+other+"/cancel", cancelIt).is(202)); got.Refund != nil {
		t.Errorf("a replenishment refunds %+v", got.Refund)
	}
}

func TestHookOfThePaymentServiceRefundsNothing(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.templates = append(s.templates, parseTemplate(t, `{"templateId":"tmpl-hooked-v1","name":"Hooked","type":"HOOKED","version":"1",
		"steps":[{"name":"ONE","service":"one-service","action":"one","timeout":"PT1M","retryPolicy":{"maxAttempts":1,"backoffMultiplier":1}}],
		"compensationSteps":[{"name":"TELL","service":"payment-service","action":"tell","timeout":"PT1M","retryPolicy":{"maxAttempts":1,"backoffMultiplier":1}}]}`))
	id := s.post(t, "/workflows/start", `{"type":"HOOKED","businessKey":"k","input":{"paymentMethod":{"amount":5,"currency":"EUR"}}}`).is(201).tree()["workflowId"].(string)
	got := into[coordination.CancelResponse](s.post(t, "/workflows/"+id+"/cancel", cancelIt).is(202))
	if got.Refund == nil || got.Refund.Eligible || got.Refund.Currency != "EUR" {
		t.Errorf("refund is %+v", got.Refund)
	}
}

func TestHookThatFailsIsNotPendingForEver(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := startExample(t, s)
	s.rejects(t, id, "INVENTORY_RESERVATION", "INSUFFICIENT_STOCK", "")
	saga := into[coordination.Saga](s.get(t, "/sagas/"+s.state(id).SagaID).is(200))
	if len(saga.CompensationState.Pending) != 1 || saga.CompensationState.Pending[0] != "NOTIFY_CUSTOMER" {
		t.Errorf("pending is %v", saga.CompensationState.Pending)
	}
	s.rejects(t, id, "NOTIFY_CUSTOMER", "NO_ADDRESS", "")
	saga = into[coordination.Saga](s.get(t, "/sagas/"+s.state(id).SagaID).is(200))
	if saga.State != "COMPENSATED" || len(saga.CompensationState.Pending) != 0 || len(saga.CompensationState.Executed) != 0 {
		t.Errorf("after the end: %+v", saga.CompensationState)
	}
}

// declined is an order whose payment was declined and which was undone.
func declined(t *testing.T, s *server) string {
	t.Helper()
	id := startExample(t, s)
	s.succeeds(t, id, "INVENTORY_RESERVATION", `{"reservationId":"res-1"}`)
	s.rejects(t, id, "PAYMENT_PROCESSING", "PAYMENT_DECLINED", "Payment was declined by the issuing bank")
	s.succeeds(t, id, "RELEASE_INVENTORY", `{}`)
	s.succeeds(t, id, "NOTIFY_CUSTOMER", `{}`)
	return id
}

// parkedInUndo is an order whose compensation has failed.
func parkedInUndo(t *testing.T, s *server) string {
	t.Helper()
	id := startExample(t, s)
	s.succeeds(t, id, "INVENTORY_RESERVATION", `{"reservationId":"res-1"}`)
	s.rejects(t, id, "PAYMENT_PROCESSING", "PAYMENT_DECLINED", "")
	s.rejects(t, id, "RELEASE_INVENTORY", "STUCK", "the shelf is stuck")
	return id
}

func stateDetails(t *testing.T, got *response) coordination.StateDetails {
	t.Helper()
	var details coordination.StateDetails
	if err := got.is(422).code(coordination.ErrInvalidWorkflowState).DecodeDetails(&details); err != nil {
		t.Fatal(err)
	}
	return details
}

func TestStatesRefuseWhatTheyCannotDo(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	active := s.post(t, "/workflows/order/start", order("", "")).is(201).tree()["workflowId"].(string)
	if d := stateDetails(t, s.post(t, "/workflows/"+active+"/retry", `{}`)); d.Reason != "NOT_RETRIABLE" || d.Status != "STARTED" {
		t.Errorf("retry of an active workflow: %+v", d)
	}
	failed := declined(t, s)
	if d := stateDetails(t, s.post(t, "/workflows/"+failed+"/cancel", cancelIt)); d.Reason != "ALREADY_ENDED" || d.Status != "FAILED" {
		t.Errorf("cancel of a failed workflow: %+v", d)
	}
	if d := stateDetails(t, s.post(t, "/workflows/"+failed+"/retry", `{"fromStep":"CUSTOMER_NOTIFICATION"}`)); d.ResumesFrom != "INVENTORY_RESERVATION" {
		t.Errorf("retry from another step: %+v", d)
	}
	if d := stateDetails(t, s.post(t, "/sagas/"+s.state(failed).SagaID+"/compensate", `{"reason":"R"}`)); d.Reason != "ALREADY_COMPENSATED" {
		t.Errorf("compensation of a compensated saga: %+v", d)
	}
}

func TestParkedWorkflowSaysWhatMayBeDone(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := parkedInUndo(t, s)
	status := into[coordination.WorkflowStatus](s.get(t, "/workflows/"+id+"/status").is(200))
	p := status.Parked
	if status.Status != "PARKED" || status.Saga.State != "COMPENSATION_FAILED" || p == nil || p.Reason != "COMPENSATION_EXHAUSTED" ||
		p.Step != "RELEASE_INVENTORY" || p.LastError.Code != "STUCK" || !p.Until.IsZero() || len(p.AllowedActions) != 3 {
		t.Fatalf("status %s, parked %+v", status.Status, p)
	}
	saga := into[coordination.Saga](s.get(t, "/sagas/"+status.Saga.SagaID).is(200))
	if saga.Parked == nil || saga.CurrentStep != "RELEASE_INVENTORY" || len(saga.CompensationState.Pending) != 2 || saga.Version != status.Saga.Version {
		t.Errorf("the saga is %+v", saga)
	}
	preview := into[coordination.CompensationPreview](s.post(t, "/sagas/"+saga.SagaID+"/compensate?dryRun=true", `{"reason":"R"}`).is(200))
	if preview.State != "COMPENSATION_FAILED" || len(preview.CompensationSteps) == 0 {
		t.Errorf("the preview is %+v", preview)
	}
	retried := into[coordination.RetryResponse](s.post(t, "/workflows/"+id+"/retry", "").is(200)) // every member is optional
	if retried.CurrentStep != "RELEASE_INVENTORY" || retried.RetryAttempt != 2 || retried.Status != "COMPENSATING" {
		t.Errorf("the retry is %+v", retried)
	}
}

func TestAParkedCompensationIsResumedByCompensating(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := parkedInUndo(t, s)
	saga := s.state(id).SagaID
	got := into[coordination.CompensateResponse](s.post(t, "/sagas/"+saga+"/compensate", `{"reason":"R"}`).is(202))
	if got.State != "COMPENSATING" || got.CompensationID == "" {
		t.Errorf("answered %+v", got)
	}
	if state := s.state(id); state.Parked != nil || state.Compensation.Goal != domain.Cancelled {
		t.Errorf("the workflow is %s, towards %s", state.Status, state.Compensation.Goal)
	}
}

func TestDryRunShowsThePlanAndChangesNothing(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := startExample(t, s)
	s.succeeds(t, id, "INVENTORY_RESERVATION", `{"reservationId":"res-1"}`)
	s.succeeds(t, id, "PAYMENT_PROCESSING", `{"paymentIntent":"pi-1"}`)
	path := "/sagas/" + s.state(id).SagaID + "/compensate?dryRun=true"
	before, calls := s.state(id).Version, s.callCount()
	preview := into[coordination.CompensationPreview](s.post(t, path, `{"reason":"R"}`).is(200))
	var names []string
	for _, step := range preview.CompensationSteps {
		names = append(names, step.Step+" "+string(step.Status))
	}
	want := "CANCEL_SHIPMENT NOT_APPLICABLE, VOID_PAYMENT PENDING, RELEASE_INVENTORY PENDING, NOTIFY_CUSTOMER PENDING"
	if got := strings.Join(names, ", "); got != want || !preview.DryRun || preview.EstimatedCompletionTime.String() != "PT2M" {
		t.Errorf("the plan is %s in %s", got, preview.EstimatedCompletionTime)
	}
	d := stateDetails(t, s.post(t, path, `{"reason":"R","fromStep":"INVENTORY_RESERVATION"}`))
	if d.Reason != "LATER_STEPS_IN_EFFECT" || len(d.LaterSteps) != 1 || d.LaterSteps[0] != "PAYMENT_PROCESSING" {
		t.Errorf("details are %+v", d)
	}
	s.post(t, path, `{"reason":"R","fromStep":"INVENTORY_RESERVATION","forceCompensation":true}`).is(200)
	if found := s.post(t, path, `{"reason":"R","fromStep":"NOWHERE"}`).is(400).violations(); found["body.fromStep"] == "" {
		t.Errorf("violations are %v", found)
	}
	failed := newServer(t)
	undone := "/sagas/" + failed.state(declined(t, failed)).SagaID + "/compensate?dryRun=true"
	if d := stateDetails(t, failed.post(t, undone, `{"reason":"R"}`)); d.Reason != "ALREADY_COMPENSATED" {
		t.Errorf("a dry run must be refused as the request itself: %+v", d)
	}
	if s.state(id).Version != before || s.callCount() != calls {
		t.Error("a dry run changed something")
	}
}

func TestCompensateFromAStepLeavesLaterOnesAlone(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := startExample(t, s)
	s.succeeds(t, id, "INVENTORY_RESERVATION", `{"reservationId":"res-1"}`)
	path := "/sagas/" + s.state(id).SagaID + "/compensate"
	if d := stateDetails(t, s.post(t, path, `{"reason":"R","fromStep":"INVENTORY_RESERVATION"}`)); len(d.LaterSteps) != 1 {
		t.Errorf("the payment is in flight: %+v", d)
	}
	got := into[coordination.CompensateResponse](s.post(t, path, `{"reason":"R","fromStep":"INVENTORY_RESERVATION","forceCompensation":true}`).is(202))
	if !strings.HasPrefix(got.CompensationID, "comp-") || got.State != "COMPENSATING" {
		t.Errorf("the answer is %+v", got)
	}
}

func TestEveryErrorOfTheEngineHasItsAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		status int
		code   coordination.Code
	}{
		{ports.ErrOverloaded, 503, coordination.ErrServiceUnavailable},
		{ports.ErrUnavailable, 503, coordination.ErrServiceUnavailable},
		{ports.ErrClosed, 503, coordination.ErrServiceUnavailable},
		{ports.ErrConflict, 503, coordination.ErrServiceUnavailable},
		{fmt.Errorf("store: %w", ports.ErrUnavailable), 503, coordination.ErrServiceUnavailable},
		{ports.ErrBusinessKeyTaken, 409, coordination.ErrWorkflowAlreadyExists},
		{&ports.ExistsError{WorkflowID: "wf-1"}, 409, coordination.ErrWorkflowAlreadyExists},
		{ports.ErrKeyReused, 409, coordination.ErrWorkflowAlreadyExists},
		{ports.ErrNotFound, 404, coordination.ErrTemplateNotFound},
		{&domain.StateError{Message: "no"}, 422, coordination.ErrInvalidWorkflowState},
		{&domain.StepNameError{Field: "fromStep"}, 400, coordination.ErrInvalidRequest},
		{fmt.Errorf("connection to 10.0.0.1 with password hunter2 refused"), 500, coordination.ErrInternal},
	} {
		s := newServer(t)
		s.refuse = c.err
		got := s.post(t, "/workflows/order/start", order("", "")).is(c.status)
		got.code(c.code)
		if (c.status == 503) != (got.header.Get("Retry-After") != "") {
			t.Errorf("%v: Retry-After is %q", c.err, got.header.Get("Retry-After"))
		}
		if strings.Contains(string(got.body), "hunter2") {
			t.Errorf("an internal error leaks: %s", got.body)
		}
	}
}
