package rest_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
)

// The reference's examples, byte for byte, go in; what comes out is compared
// with its examples member by member. Only IDs that the service makes and
// moments that no rule derives are written over before.

var madeIDs = regexp.MustCompile(`(wf|saga|comp)-[0-9a-f-]{36}`)

// sameAsExample compares a body with an example, our IDs aside.
func sameAsExample(t *testing.T, got []byte, example string, replace ...string) {
	t.Helper()
	want := strings.NewReplacer(replace...).Replace(readFile(t, "examples/"+example+".json"))
	sameJSON(t, madeIDs.ReplaceAll(got, []byte("$1-")), madeIDs.ReplaceAll([]byte(want), []byte("$1-")))
}

func startExample(t *testing.T, s *server) string {
	t.Helper()
	return s.post(t, "/workflows/order/start", readFile(t, "examples/order-request.json")).is(201).tree()["workflowId"].(string)
}

func TestStartAnswersAsTheReferenceShows(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	got := s.post(t, "/workflows/order/start", readFile(t, "examples/order-request.json"), "X-Idempotency-Key", "unique-key").is(201)
	sameAsExample(t, got.body, "order-started", "2024-01-15T10:30:00Z", "2024-01-15T10:05:00Z")
}

func TestStatusAnswersAsTheReferenceShows(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := startExample(t, s)
	s.after(5*time.Second).succeeds(t, id, "INVENTORY_RESERVATION",
		`{"reservationId":"res-880e8400-e29b-41d4-a716-446655440000","itemsReserved":3,"warehousesUsed":["wh-001"]}`)
	// The contract counts three events where the example's version says two, and
	// the next step starts with the commit that ends the one before.
	sameAsExample(t, s.get(t, "/workflows/"+id+"/status").is(200).body, "workflow-status",
		`"version": 2`, `"version": 3`,
		"2024-01-15T10:00:06Z", "2024-01-15T10:00:05Z",
		"2024-01-15T10:00:36Z", "2024-01-15T10:00:35Z",
		"Successfully reserved inventory for all items", "Inventory reservation completed successfully")
}

func TestSagaAnswersAsTheReferenceShows(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := startExample(t, s)
	s.after(5*time.Second).succeeds(t, id, "INVENTORY_RESERVATION",
		`{"reservationId":"res-880e8400-e29b-41d4-a716-446655440000","itemsReserved":3}`)
	got := s.get(t, "/sagas/"+s.state(id).SagaID).is(200)
	tree := got.tree()
	// The example leaves out the third undo, and shows what the payment step
	// would only answer later.
	plan := tree["compensationPlan"].([]any)
	if len(plan) != 3 || plan[2].(map[string]any)["step"] != "CANCEL_SHIPMENT" {
		t.Errorf("compensation plan is %v", plan)
	}
	tree["compensationPlan"] = plan[:2]
	context := tree["context"].(map[string]any)
	if context["itemsReserved"] != 3.0 {
		t.Errorf("context is %v", context)
	}
	delete(context, "itemsReserved")
	context["paymentIntent"] = "pi_stripe_123456"
	sameAsExample(t, marshal(t, tree), "saga", "2024-01-15T10:00:06Z", "2024-01-15T10:00:05Z")
}

func TestCancelAnswersAsTheReferenceShows(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := startExample(t, s)
	s.succeeds(t, id, "INVENTORY_RESERVATION", `{"reservationId":"res-1"}`)
	s.after(5 * time.Minute)
	got := s.post(t, "/workflows/"+id+"/cancel", readFile(t, "examples/cancel-request.json")).is(202)
	tree := got.tree()
	// The contract lists execution order: the reverse of what the example lists, the hook last.
	steps := tree["saga"].(map[string]any)["compensationSteps"].([]any)
	if len(steps) != 4 {
		t.Fatalf("compensation steps are %v", steps)
	}
	steps[0], steps[2] = steps[2], steps[0]
	sameAsExample(t, marshal(t, tree), "cancel-response")
}

func TestRetryAnswersAsTheReferenceShows(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := startExample(t, s)
	s.succeeds(t, id, "INVENTORY_RESERVATION", `{"reservationId":"res-1"}`)
	s.exhausts(t, id, "PAYMENT_PROCESSING", domain.Retry, 2)
	if status := s.state(id).Status; status != domain.Parked {
		t.Fatalf("the workflow is %s", status)
	}
	s.after(6 * time.Minute) // 10:10
	sameAsExample(t, s.post(t, "/workflows/"+id+"/retry", readFile(t, "examples/retry-request.json")).is(200).body, "retry-response")
}

func TestCompensateAnswersAsTheReferenceShows(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := startExample(t, s)
	s.succeeds(t, id, "INVENTORY_RESERVATION", `{"reservationId":"res-1"}`)
	s.exhausts(t, id, "PAYMENT_PROCESSING", domain.Unknown, 2) // parked, and maybe paid
	s.after(6 * time.Minute)                                   // 10:10
	tree := s.post(t, "/sagas/"+s.state(id).SagaID+"/compensate", readFile(t, "examples/compensate-request.json")).is(202).tree()
	// The example does not list the hook, which the contract puts last.
	steps := tree["compensationSteps"].([]any)
	if len(steps) != 3 || steps[2].(map[string]any)["step"] != "NOTIFY_CUSTOMER" {
		t.Fatalf("compensation steps are %v", steps)
	}
	tree["compensationSteps"] = steps[:2]
	sameAsExample(t, marshal(t, tree), "compensate-response")
}

func TestFailureAnswersAsTheReferenceShows(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	body := readFile(t, "examples/order-request.json")
	answered := make(chan *response)
	go func() {
		answered <- s.post(t, "/workflows/order/start", body, "Prefer", "wait=10",
			"Traceparent", "00-b9d7c9a83e2f4d1e8c7b6a5d4c3b2a1f-00f067aa0ba902b7-01")
	}()
	id := s.onlyWorkflow(t)
	s.succeeds(t, id, "INVENTORY_RESERVATION", `{"reservationId":"res-1"}`)
	s.rejects(t, id, "PAYMENT_PROCESSING", "PAYMENT_DECLINED", "Payment was declined by the issuing bank")
	s.succeeds(t, id, "RELEASE_INVENTORY", `{}`)
	s.succeeds(t, id, "NOTIFY_CUSTOMER", `{}`)
	got := (<-answered).is(422)
	sameAsExample(t, got.body, "error")
	if applied := got.header.Get("Preference-Applied"); applied != "wait=10" {
		t.Errorf("Preference-Applied is %q", applied)
	}
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
