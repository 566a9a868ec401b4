package coordtest_test

import (
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/app/coordtest"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// TestWhatPersonsAskForIsAudited follows an order through the hands of several
// callers: each change has an entry, and nothing else has.
func TestWhatPersonsAskForIsAudited(t *testing.T) {
	t.Parallel()
	c := coordtest.NewServer(t)
	c.Participant("payment-service").On("process_payment").Answer(coordtest.Hang())
	id := start(t, c, "tok_canary_4242")
	c.Rest()
	service := c.ClientAs("service").Workflows
	cancel := coordination.CancelRequest{Reason: "CUSTOMER_REQUESTED", InitiatedBy: "CUSTOMER", Force: true}
	for range 2 { // the second changes nothing
		if _, err := service.Cancel(t.Context(), id, cancel); err != nil {
			t.Fatal(err)
		}
	}
	wantStatus(t, c, id, coordination.StatusCancelled)
	if _, err := service.Retry(t.Context(), id, coordination.RetryRequest{}); err == nil { // refused
		t.Fatal("a cancelled order was retried")
	}
	var told []string
	for e, err := range c.Client().Audit.All(t.Context(), coordination.AuditQuery{Target: id}) {
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, e.Subject+" "+e.Action+" "+e.Reason)
		if text := string(e.Before) + string(e.After); strings.Contains(text, "canary") || strings.Contains(text, "Jane") || e.RequestID == "" || e.TraceID == "" {
			t.Errorf("%+v", e)
		}
		if (e.Before == nil) != (e.Action == "startOrderWorkflow") {
			t.Errorf("%s: before %s", e.Action, e.Before)
		}
	}
	want := "test-service cancelWorkflow CUSTOMER_REQUESTED, test-admin startOrderWorkflow "
	if got := strings.Join(told, ", "); got != want {
		t.Errorf("audited %q\nwant    %q", got, want)
	}
}
