package e2e_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// TestParked parks quick orders (testdata/templates/quick.yaml) in every way
// and lets them go on. The participants are simulated, and fail as told.
func TestParked(t *testing.T) {
	t.Parallel()
	cases := map[string]func(*testing.T, *coordination.Client){
		"retry resumes with a fresh budget":          parkedRetry,
		"an unknown outcome is undone":               parkedUnknown,
		"cancel":                                     parkedCancel,
		"reset starts from the first step":           parkedReset,
		"a compensation that is retried":             parkedCompensation,
		"a parked compensation is compensated":       compensateAgain,
		"a contract error parks at once":             parkedContract,
		"a failed order is retried in another run":   failedRetry,
		"a rejected step is compensated, not parked": rejected,
	}
	onEveryStore(t, func(t *testing.T, store string) {
		client := harness.Serve(t, harness.Options{Store: store, Templates: "testdata/templates"}).Client(t)
		for name, run := range cases {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				run(t, client)
			})
		}
	})
}

// quick starts a quick order in which steps behave as simulate says.
func quick(t *testing.T, client *coordination.Client, simulate map[string]string) *coordination.StartedWorkflow {
	t.Helper()
	id := order("").OrderID
	input, err := json.Marshal(map[string]any{"orderId": id, "metadata": map[string]any{"simulate": simulate}})
	if err != nil {
		t.Fatal(err)
	}
	started, err := client.Workflows.Start(t.Context(), coordination.StartRequest{Type: "QUICK_ORDER", BusinessKey: id, Input: input})
	if err != nil {
		t.Fatal(err)
	}
	return started
}

// parked checks why a workflow waits.
func parked(t *testing.T, client *coordination.Client, workflowID string, reason coordination.ParkReason, step string, actions ...coordination.Action) {
	t.Helper()
	got := wait(t, client, workflowID)
	if got.Status != coordination.StatusParked || got.Parked == nil || got.Parked.Reason != reason || got.Parked.Step != step {
		t.Fatalf("the workflow is %s: %+v; want PARKED, %s at %s", got.Status, got.Parked, reason, step)
	}
	allowed := slices.Sorted(slices.Values(got.Parked.AllowedActions))
	if !slices.Equal(allowed, slices.Sorted(slices.Values(actions))) {
		t.Errorf("allowed are %v, want %v", allowed, actions)
	}
}

func resume(t *testing.T, client *coordination.Client, workflowID string, request coordination.RetryRequest, attempt int, step string) {
	t.Helper()
	got, err := client.Workflows.Retry(t.Context(), workflowID, request)
	if err != nil || got.RetryAttempt != attempt || got.CurrentStep != step {
		t.Fatalf("retry: %+v, %v; want attempt %d at %s", got, err, attempt, step)
	}
}

var anyAction = []coordination.Action{coordination.ActionRetry, coordination.ActionCancel, coordination.ActionCompensate}

func parkedRetry(t *testing.T, client *coordination.Client) {
	id := quick(t, client, map[string]string{"CHARGE": "RETRY:3"}).WorkflowID
	parked(t, client, id, coordination.ParkStepExhausted, "CHARGE", anyAction...)
	_, err := client.Workflows.Retry(t.Context(), id, coordination.RetryRequest{FromStep: "SHIP"})
	var details coordination.StateDetails
	refused(t, err, coordination.ErrInvalidWorkflowState, &details)
	if details.ResumesFrom != "CHARGE" {
		t.Errorf("it resumes from %s", details.ResumesFrom)
	}
	resume(t, client, id, coordination.RetryRequest{FromStep: "CHARGE"}, 2, "CHARGE")
	got := wait(t, client, id)
	is(t, got, coordination.StatusCompleted, coordination.SagaCompleted)
	if attempts := got.Steps[1].Attempts; attempts != 4 {
		t.Errorf("the charge took %d attempts, want 4", attempts)
	}
}

func parkedUnknown(t *testing.T, client *coordination.Client) {
	started := quick(t, client, map[string]string{"CHARGE": "UNKNOWN"})
	parked(t, client, started.WorkflowID, coordination.ParkStepExhausted, "CHARGE", anyAction...)
	if status := wait(t, client, started.WorkflowID).Steps[1].Status; status != coordination.StepUnknown {
		t.Errorf("the charge is %s", status)
	}
	if _, err := client.Sagas.Compensate(t.Context(), started.Saga.SagaID, coordination.CompensateRequest{Reason: "MANUAL_INTERVENTION"}); err != nil {
		t.Fatal(err)
	}
	is(t, wait(t, client, started.WorkflowID), coordination.StatusCancelled, coordination.SagaCompensated, "VOID", "RELEASE")
}

func parkedCancel(t *testing.T, client *coordination.Client) {
	id := quick(t, client, map[string]string{"CHARGE": "RETRY:99"}).WorkflowID
	parked(t, client, id, coordination.ParkStepExhausted, "CHARGE", anyAction...)
	if _, err := client.Workflows.Cancel(t.Context(), id, byCustomer); err != nil {
		t.Fatal(err)
	}
	// RETRY says that nothing was charged, so nothing is voided.
	is(t, wait(t, client, id), coordination.StatusCancelled, coordination.SagaCompensated, "RELEASE")
}

func parkedReset(t *testing.T, client *coordination.Client) {
	id := quick(t, client, map[string]string{"CHARGE": "RETRY:2"}).WorkflowID
	parked(t, client, id, coordination.ParkStepExhausted, "CHARGE", anyAction...)
	resume(t, client, id, coordination.RetryRequest{ResetState: true}, 2, "RESERVE")
	is(t, wait(t, client, id), coordination.StatusCompleted, coordination.SagaCompleted)
}

func parkedCompensation(t *testing.T, client *coordination.Client) {
	id := quick(t, client, map[string]string{"SHIP": "REJECTED:NO_CARRIER", "VOID": "RETRY:3"}).WorkflowID
	parked(t, client, id, coordination.ParkCompensationExhausted, "VOID", anyAction...)
	got := wait(t, client, id)
	is(t, got, coordination.StatusParked, coordination.SagaCompensationFailed)
	harness.Eventually(t, endTimeout, "health to count a stuck workflow", func() (string, bool) {
		health, err := client.Health.Get(t.Context())
		if err != nil {
			return err.Error(), false
		}
		return fmt.Sprint(health.Details.Coordination), health.Details.Coordination.StuckWorkflows > 0
	})
	resume(t, client, id, coordination.RetryRequest{}, 2, "VOID")
	is(t, wait(t, client, id), coordination.StatusFailed, coordination.SagaCompensated, "VOID", "RELEASE")
}

// compensateAgain resumes an undo that was given up by asking for it anew, which
// makes a failed order a cancelled one.
func compensateAgain(t *testing.T, client *coordination.Client) {
	started := quick(t, client, map[string]string{"SHIP": "REJECTED:NO_CARRIER", "VOID": "RETRY:3"})
	parked(t, client, started.WorkflowID, coordination.ParkCompensationExhausted, "VOID", anyAction...)
	if _, err := client.Sagas.Compensate(t.Context(), started.Saga.SagaID, coordination.CompensateRequest{Reason: "MANUAL_INTERVENTION"}); err != nil {
		t.Fatal(err)
	}
	is(t, wait(t, client, started.WorkflowID), coordination.StatusCancelled, coordination.SagaCompensated, "VOID", "RELEASE")
}

func parkedContract(t *testing.T, client *coordination.Client) {
	id := quick(t, client, map[string]string{"SHIP": "NONSENSE"}).WorkflowID
	parked(t, client, id, coordination.ParkContractError, "SHIP", anyAction...)
	if attempts := wait(t, client, id).Steps[2].Attempts; attempts != 1 {
		t.Errorf("the step took %d attempts", attempts)
	}
}

func failedRetry(t *testing.T, client *coordination.Client) {
	// What a run has done is undone; the next one does it anew, under new keys.
	id := quick(t, client, map[string]string{"RESERVE": "RETRY:1", "SHIP": "REJECTED"}).WorkflowID
	is(t, wait(t, client, id), coordination.StatusFailed, coordination.SagaCompensated, "VOID", "RELEASE")
	resume(t, client, id, coordination.RetryRequest{}, 2, "RESERVE")
	is(t, wait(t, client, id), coordination.StatusFailed, coordination.SagaCompensated, "VOID", "RELEASE")
	resume(t, client, id, coordination.RetryRequest{FromStep: "RESERVE"}, 3, "RESERVE")
}

func rejected(t *testing.T, client *coordination.Client) {
	id := quick(t, client, map[string]string{"CHARGE": "REJECTED:CARD_STOLEN"}).WorkflowID
	got := wait(t, client, id)
	is(t, got, coordination.StatusFailed, coordination.SagaCompensated, "RELEASE")
	if e := got.Steps[1].Error; e == nil || e.Code != "CARD_STOLEN" {
		t.Errorf("the charge's error is %+v", e)
	}
}
