package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/app/e2e/harness"
)

// The reference's example request goes in byte for byte, and what comes out is
// compared with the reference's examples, member by member. Where the contract
// of this project differs from an example, the test says how.

// scene is a coordinator whose participants wait for the test's word.
type scene struct {
	*testing.T
	*harness.Coordinator
	script *harness.Script
}

func openScene(t *testing.T, store string) *scene {
	script := harness.NewScript(t)
	s := &scene{t, nil, script}
	s.Coordinator = harness.Serve(t, harness.Options{Store: store, Participants: script.File(t, harness.Services...)})
	// Answered at once: a step that took no millisecond has a duration all the same.
	script.Always("reserve_inventory", 200, `{"outcome":"SUCCEEDED","result":{"reservationId":"res-880e8400-e29b-41d4-a716-446655440000","itemsReserved":3,"warehousesUsed":["wh-001"]}}`)
	for _, action := range []string{"confirm_order", "prepare_fulfillment", "create_shipping_label", "notify_customer",
		"release_reservation", "cancel_shipment", "send_cancellation_notice"} {
		script.Always(action, 200, `{"outcome":"SUCCEEDED"}`)
	}
	return s
}

// same compares a response with an example, in which old texts are replaced by
// new ones first.
func (s *scene) same(r *harness.Response, example string, allow harness.Allow, replace ...string) {
	s.Helper()
	s.sameTree(r.Tree(), example, allow, replace...)
}

func (s *scene) sameTree(got map[string]any, example string, allow harness.Allow, replace ...string) {
	s.Helper()
	want := harness.Tree(s.T, []byte(strings.NewReplacer(replace...).Replace(reference(s.T, example))))
	if found := harness.Differences(want, got, allow); len(found) > 0 {
		s.Errorf("%s differs from the reference:\n  %s", example, strings.Join(found, "\n  "))
	}
}

// start starts the example order and returns its workflow and saga.
func (s *scene) start(headers ...string) (workflow, saga string) {
	s.Helper()
	r := s.Post(s.T, "/workflows/order/start", reference(s.T, "order-request"), headers...).Is(201)
	s.same(r, "order-started", harness.Allow{})
	return r.Text("workflowId"), r.Text("saga", "sagaId")
}

// ends waits for the status of a workflow.
func (s *scene) ends(workflow, status string) *harness.Response {
	s.Helper()
	var last *harness.Response
	harness.Eventually(s.T, harness.CommandTimeout, workflow+" to be "+status, func() (string, bool) {
		last = s.Get(s.T, "/workflows/"+workflow+"/status").Is(200)
		return last.Text("status"), last.Text("status") == status
	})
	return last
}

const paid = `{"outcome":"SUCCEEDED","result":{"paymentId":"pay-123456","paymentIntent":"pi_stripe_123456","amount":1499.97,"status":"CAPTURED"}}`

func TestReference(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(t *testing.T, store string) {
		s := openScene(t, store)
		s.templates()
		s.cancelledInFlight()
		s.parkedRetriedCompensated()
		s.declined()
		s.completed()
		s.metrics()
		s.health()
	})
}

// cancelledInFlight looks at an order while its payment is under way, and
// cancels it there.
func (s *scene) cancelledInFlight() {
	workflow, saga := s.start("X-Idempotency-Key", "unique-key")
	payment := s.script.Next(s.T, "process_payment")
	// The contract counts three events where the example's version says two.
	s.same(s.Get(s.T, "/workflows/"+workflow+"/status").Is(200), "workflow-status", harness.Allow{},
		`"version": 2`, `"version": 3`, "Successfully reserved inventory for all items", "Inventory reservation completed successfully")
	s.saga(saga)
	s.activeList()

	r := s.Post(s.T, "/workflows/"+workflow+"/cancel", reference(s.T, "cancel-request")).Is(202)
	s.cancelled(r)
	payment.Answer(200, paid)
	void := s.script.Next(s.T, "void_payment")
	if string(void.Forward.Outcome) != "SUCCEEDED" || void.Forward.CommandID != payment.CommandID {
		s.Errorf("the undo of the payment says %+v", void.Forward)
	}
	void.Answer(200, `{"outcome":"SUCCEEDED"}`)
	s.ends(workflow, "CANCELLED")
	again := s.Post(s.T, "/workflows/"+workflow+"/cancel", reference(s.T, "cancel-request")).Is(202)
	if at := again.Text("cancelledAt"); at != r.Text("cancelledAt") {
		s.Errorf("cancelledAt was %s and is %s", r.Text("cancelledAt"), at)
	}
}

func (s *scene) saga(id string) {
	got := s.Get(s.T, "/sagas/"+id).Is(200).Tree()
	// The example leaves out the third undo and a member of the result, and
	// shows what the payment step would only answer later.
	plan, _ := got["compensationPlan"].([]any)
	if len(plan) != 3 || plan[2].(map[string]any)["step"] != "CANCEL_SHIPMENT" {
		s.Errorf("the compensation plan is %v", plan)
		return
	}
	got["compensationPlan"] = plan[:2]
	s.sameTree(got, "saga", harness.Allow{
		Less: []string{"context.paymentIntent"},
		More: []string{"context.itemsReserved", "context.warehousesUsed", "completedSteps[].result.warehousesUsed"},
	})
}

func (s *scene) activeList() {
	got := s.Get(s.T, "/workflows/active?type=ORDER_FULFILLMENT&size=20").Is(200).Tree()
	want := strings.NewReplacer(
		`"totalActive": 45`, `"totalActive": 1`, `"totalElements": 45`, `"totalElements": 1`, `"totalPages": 3`, `"totalPages": 1`,
		`"IN_PROGRESS": 43,`, `"IN_PROGRESS": 1`, `"RETRYING": 2`, "",
		`"ORDER_FULFILLMENT": 40,`, `"ORDER_FULFILLMENT": 1`, `"RETURN_PROCESSING": 3,`, "", `"INVENTORY_REPLENISHMENT": 2`, "",
	).Replace(reference(s.T, "active-list"))
	example := harness.Tree(s.T, []byte(want)).(map[string]any)
	example["workflows"] = example["workflows"].([]any)[:1]
	if found := harness.Differences(example, got, harness.Allow{}); len(found) > 0 {
		s.Errorf("the list differs from the reference:\n  %s", strings.Join(found, "\n  "))
	}
}

// cancelled compares a cancellation: the contract lists execution order, which
// is the reverse of what the example lists, the hook last.
func (s *scene) cancelled(r *harness.Response) {
	got := r.Tree()
	steps := got["saga"].(map[string]any)["compensationSteps"].([]any)
	if len(steps) != 4 {
		s.Errorf("the compensation steps are %v", steps)
		return
	}
	steps[0], steps[2] = steps[2], steps[0]
	s.sameTree(got, "cancel-response", harness.Allow{})
}

// parkedRetriedCompensated lets the payment provider fail until the order is
// parked, twice.
func (s *scene) parkedRetriedCompensated() {
	s.script.Always("process_payment", 500, `{}`)
	workflow, saga := s.start()
	parked := s.ends(workflow, "PARKED")
	if reason := parked.Text("parked", "reason"); reason != "STEP_EXHAUSTED" {
		s.Errorf("parked because of %s", reason)
	}
	r := s.Post(s.T, "/workflows/"+workflow+"/retry", reference(s.T, "retry-request")).Is(200)
	s.same(r, "retry-response", harness.Allow{})
	s.ends(workflow, "PARKED")

	r = s.Post(s.T, "/sagas/"+saga+"/compensate?dryRun=true", reference(s.T, "compensate-request")).Is(200)
	if r.Tree()["dryRun"] != true {
		s.Errorf("the preview is %s", r.Body)
	}
	got := s.Post(s.T, "/sagas/"+saga+"/compensate", reference(s.T, "compensate-request")).Is(202).Tree()
	// The example does not list the hook, which the contract puts last.
	steps, _ := got["compensationSteps"].([]any)
	if len(steps) != 3 || steps[2].(map[string]any)["step"] != "NOTIFY_CUSTOMER" {
		s.Fatalf("the compensation steps are %v", steps)
	}
	got["compensationSteps"] = steps[:2]
	s.sameTree(got, "compensate-response", harness.Allow{More: []string{"compensationSteps[].description", "compensationSteps[].attempts"}})
	void := s.script.Next(s.T, "void_payment")
	if string(void.Forward.Outcome) != "UNKNOWN" {
		s.Errorf("the undo of the payment says %+v", void.Forward)
	}
	void.Answer(200, `{"outcome":"SUCCEEDED"}`)
	s.ends(workflow, "CANCELLED")
	s.script.Always("process_payment", 0, "")
}

// declined is the reference's error, of a start that waits.
func (s *scene) declined() {
	s.script.Always("process_payment", 422, `{"outcome":"REJECTED","error":{"code":"PAYMENT_DECLINED","message":"Payment was declined by the issuing bank"}}`)
	r := s.Post(s.T, "/workflows/order/start", reference(s.T, "order-request"), "Prefer", "wait=20",
		"Traceparent", "00-b9d7c9a83e2f4d1e8c7b6a5d4c3b2a1f-00f067aa0ba902b7-01").Is(422)
	s.same(r, "error", harness.Allow{})
	if trace := r.Text("error", "traceId"); trace != "b9d7c9a8-3e2f-4d1e-8c7b-6a5d4c3b2a1f" {
		s.Errorf("the trace is %s", trace)
	}
	s.ends(r.Text("error", "details", "workflowId"), "FAILED")
	s.script.Always("process_payment", 0, "")
}

// completed is an order that goes through, and the error of starting it again.
func (s *scene) completed() {
	workflow, _ := s.start()
	s.script.Next(s.T, "process_payment").Answer(200, paid)
	r := s.ends(workflow, "COMPLETED")
	progress := r.Tree()["progress"].(map[string]any)
	if fmt.Sprintf("%v of %v, %v", progress["completedSteps"], progress["totalSteps"], progress["percentage"]) != "6 of 6, 100" {
		s.Errorf("the progress is %v", progress)
	}
	if state := r.Text("saga", "state"); state != "COMPLETED" {
		s.Errorf("the saga is %s", state)
	}
	r = s.Post(s.T, "/workflows/order/start", reference(s.T, "order-request")).Is(409)
	if code, id := r.Text("error", "code"), r.Text("error", "details", "workflowId"); code != "WORKFLOW_ALREADY_EXISTS" || id != workflow {
		s.Errorf("starting a completed order again: %s", r.Body)
	}
	s.Post(s.T, "/workflows/"+workflow+"/cancel", reference(s.T, "cancel-request")).Is(422)
}

func (s *scene) templates() {
	got := s.Get(s.T, "/workflow-templates").Is(200).Tree()
	for _, template := range got["templates"].([]any) {
		if template.(map[string]any)["templateId"] == "tmpl-order-fulfillment-v2" {
			s.template(template.(map[string]any))
			return
		}
	}
	s.Errorf("the order template is not listed")
}

// template compares a template; the example shows the first steps only, and few
// members of them.
func (s *scene) template(got map[string]any) {
	list := harness.Tree(s.T, []byte(reference(s.T, "template-list"))).(map[string]any)
	example := list["templates"].([]any)[0].(map[string]any)
	for _, name := range []string{"steps", "compensationSteps"} {
		got[name] = got[name].([]any)[:len(example[name].([]any))]
	}
	allow := harness.Allow{Free: []string{"usage"}, More: []string{"businessKey", "context", "metadata"}}
	for _, member := range []string{"action", "description", "timeout", "estimatedDuration", "parameters", "onExhausted", "onRejected", "parkFor",
		"after", "kind", "failureReason", "attributes", "compensates", "retryPolicy", "retryPolicy.initialInterval", "retryPolicy.maxInterval",
		"retryPolicy.jitter"} {
		allow.More = append(allow.More, "steps[]."+member, "compensationSteps[]."+member)
	}
	if found := harness.Differences(example, got, allow); len(found) > 0 {
		s.Errorf("the template differs from the reference:\n  %s", strings.Join(found, "\n  "))
	}
	usage := got["usage"].(map[string]any)
	if len(usage) != 2 || usage["lastMonth"] == nil || usage["successRate"] == nil {
		s.Errorf("the usage is %v", usage)
	}
}

// metrics are those of the orders before: one completed, one failed, two cancelled.
func (s *scene) metrics() {
	var got map[string]any
	harness.Eventually(s.T, harness.CommandTimeout, "the metrics of four orders", func() (string, bool) {
		r := s.Get(s.T, "/workflows/metrics?includeHistorical=true").Is(200)
		got = r.Tree()
		total := fmt.Sprint(got["overview"].(map[string]any)["totalWorkflows"])
		return total, total == "4"
	})
	example := harness.Tree(s.T, []byte(reference(s.T, "metrics"))).(map[string]any)
	types := example["workflowTypes"].(map[string]any)
	example["workflowTypes"] = map[string]any{"ORDER_FULFILLMENT": types["ORDER_FULFILLMENT"]}
	overview := []any{got["overview"], got["workflowTypes"].(map[string]any)["ORDER_FULFILLMENT"]}
	for _, figures := range overview {
		f := figures.(map[string]any)
		if fmt.Sprintf("%v %v %v %v", f["completed"], f["failed"], f["cancelled"], f["successRate"]) != "1 1 2 25" {
			s.Errorf("the figures are %v", f)
		}
	}
	allow := harness.Allow{Free: []string{"overview", "workflowTypes.ORDER_FULFILLMENT", "stepPerformance", "compensation.mostCommonReasons",
		"compensation.totalCompensations", "compensation.successful", "compensation.failed", "trends.daily", "trends.hourly", "period.description"}}
	if found := harness.Differences(example, got, allow); len(found) > 0 {
		s.Errorf("the metrics differ from the reference:\n  %s", strings.Join(found, "\n  "))
	}
	s.metricLists(example, got)
}

// metricLists compares the first element of each list, and the totals, by their members.
func (s *scene) metricLists(example, got map[string]any) {
	first := func(tree map[string]any, path ...string) any {
		var value any = tree
		for _, name := range path {
			value = value.(map[string]any)[name]
		}
		if list, ok := value.([]any); ok {
			if len(list) == 0 {
				return nil
			}
			return list[0]
		}
		return value
	}
	for _, path := range [][]string{{"overview"}, {"workflowTypes", "ORDER_FULFILLMENT"}, {"stepPerformance"},
		{"compensation", "mostCommonReasons"}, {"trends", "daily"}, {"trends", "hourly"}} {
		want, is := first(example, path...), first(got, path...)
		var free []string
		for name := range want.(map[string]any) {
			free = append(free, name)
		}
		if found := harness.Differences(want, is, harness.Allow{Free: free}); len(found) > 0 {
			s.Errorf("metrics %v differ from the reference:\n  %s", path, strings.Join(found, "\n  "))
		}
	}
}

func (s *scene) health() {
	s.same(s.Get(s.T, "/health").Is(200), "health", harness.Allow{
		Free: []string{"details.coordination.activeWorkflows", "details.infrastructure.messageQueue.queueDepth", "details.infrastructure.database.connectionPool"},
		More: []string{"details.dependencies.test-service"},
		Less: []string{"details.infrastructure.database.connectionPool"},
	})
}
