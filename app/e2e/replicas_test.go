package e2e_test

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/auth"
	"github.com/firstviscount/platform-coordination/adapters/postgres/pgtest"
	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// TestAnyReplicaWillDo starts orders at one replica and does everything else at
// the other one.
func TestAnyReplicaWillDo(t *testing.T) {
	t.Parallel()
	shop := harness.OpenShop(t)
	all := serveAll(t, 2, harness.Options{Store: pgtest.Empty(t), Participants: shop.File})
	here, there := all[0].Client(t), all[1].Client(t)
	start := func(t *testing.T, token string) *coordination.StartedWorkflow {
		t.Helper()
		started, err := here.Workflows.StartOrder(t.Context(), order(token))
		if err != nil {
			t.Fatal(err)
		}
		return started
	}
	t.Run("all", func(t *testing.T) {
		t.Run("stream", func(t *testing.T) {
			t.Parallel()
			streamThere(t, all[1], start(t, "tok_slow_202").WorkflowID)
		})
		t.Run("cancel and wait", func(t *testing.T) {
			t.Parallel()
			cancelThere(t, here, there)
		})
		t.Run("compensate and wait", func(t *testing.T) {
			t.Parallel()
			started := start(t, "tok_visa_4242")
			wait(t, there, started.WorkflowID)
			undone, err := there.Sagas.Compensate(t.Context(), started.Saga.SagaID, coordination.CompensateRequest{Reason: "TEST"}, coordination.WithWait(endTimeout))
			if err != nil || undone.Ended == nil || undone.Ended.Status != coordination.StatusCancelled {
				t.Errorf("%+v, %v", undone, err)
			}
		})
		t.Run("list", func(t *testing.T) {
			t.Parallel()
			listThere(t, all, func() string { return start(t, "tok_visa_4242").WorkflowID })
		})
	})
	for _, fault := range shop.Ledger(t).Faults() {
		t.Error(fault)
	}
}

func cancelThere(t *testing.T, here, there *coordination.Client) {
	_, cancelled := cancelInFlight(t, here, there, false, coordination.WithWait(endTimeout))
	if cancelled.Ended == nil || cancelled.Ended.Status != coordination.StatusCancelled {
		t.Errorf("the cancellation that waited: %+v", cancelled)
	}
}

// streamThere follows a workflow to its end: every event once, in order.
func streamThere(t *testing.T, c *harness.Coordinator, workflowID string) {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.API("/workflows/"+workflowID+"/stream"), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+harness.Token(t, auth.RoleExternal))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var ids, names []string
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() { // the stream ends after the terminal event
		if id, found := strings.CutPrefix(lines.Text(), "id: "); found {
			ids = append(ids, id)
		}
		if name, found := strings.CutPrefix(lines.Text(), "event: "); found {
			names = append(names, name)
		}
	}
	if err := lines.Err(); err != nil {
		t.Error(err)
	}
	status := wait(t, c.Client(t), workflowID)
	var wantIDs, wantNames []string
	for i, e := range status.Events {
		wantIDs, wantNames = append(wantIDs, fmt.Sprint(i+1)), append(wantNames, string(e.Event))
	}
	if fmt.Sprint(ids, names) != fmt.Sprint(wantIDs, wantNames) {
		t.Errorf("streamed %v %v\nlogged   %v %v", ids, names, wantIDs, wantNames)
	}
}

// listedOrders are more than fit on a few pages of listedPage.
const (
	listedOrders = 12
	listedPage   = 5
)

// listThere pages through a list, each page from another replica, while new
// orders are started: none of those that were there is missed or seen twice.
func listThere(t *testing.T, all []*harness.Coordinator, start func() string) {
	before := map[string]int{}
	for range listedOrders {
		before[start()] = 0
	}
	query := coordination.ListQuery{Type: coordination.TypeOrderFulfillment, Size: listedPage}
	for page := 0; ; page++ {
		list, err := all[page%len(all)].Client(t).Workflows.List(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range list.Workflows {
			if _, known := before[w.WorkflowID]; known {
				before[w.WorkflowID]++
			}
		}
		if query.Cursor = list.Pagination.NextCursor; query.Cursor == "" {
			break
		}
		start()
	}
	for id, times := range before {
		if times != 1 {
			t.Errorf("%s was listed %d times", id, times)
		}
	}
}
