package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/auth"
	"github.com/firstviscount/platform-coordination/adapters/postgres/pgtest"
	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

const (
	// batchStarters start workflows at the same time.
	batchStarters = 8
	// batchRate spreads a batch over as long as its kills take.
	batchRate   = 60
	batchReason = "INVENTORY_OUTAGE"

	succeeded = `{"outcome":"SUCCEEDED"}`
)

// TestABatchSurvivesKills kills the only coordinator of a SQLite file while a
// batch is under way, ends it in the end, and starts it at once each time.
func TestABatchSurvivesKills(t *testing.T) {
	t.Parallel()
	killBatch(t, size(200, 1000), size(3, 20), stores["sqlite"](t), 1)
}

// TestABatchSurvivesKillsOfReplicas kills the two coordinators of a Postgres
// database in turn: one of them has the batch.
func TestABatchSurvivesKillsOfReplicas(t *testing.T) {
	t.Parallel()
	killBatch(t, size(200, 1000), size(4, 20), pgtest.Empty(t), 2)
}

func killBatch(t *testing.T, workflows, kills int, store string, replicas int) {
	outage := harness.NewScript(t)
	all := serveAll(t, replicas, harness.Options{Store: store, Participants: outage.File(t, harness.Services...), Templates: "testdata/templates", Lease: harness.ShortLease, Drain: drainTimeout})
	patient := coordination.WithRetry(coordination.Retries{MaxAttempts: 1000, MinWait: repeatEvery, MaxWait: answerTimeout})
	clients := make([]*coordination.Client, replicas)
	for i := range all {
		clients[i] = all[i].Client(t, patient, coordination.WithTimeout(answerTimeout))
	}
	for _, action := range []string{"charge", "ship"} {
		outage.Always(action, http.StatusOK, succeeded)
	}
	outage.Always("reserve", http.StatusNotFound, "")
	ids := parkMany(t, clients[0], workflows)
	outage.Always("reserve", http.StatusOK, succeeded)

	b, err := clients[0].Batches.Create(t.Context(), coordination.BatchRequest{Action: coordination.BatchRetry, Reason: batchReason, PerSecond: batchRate,
		Filter: &coordination.BatchFilter{Type: "QUICK_ORDER", Status: coordination.StatusParked, Step: "RESERVE"}})
	if err != nil || b.Total != workflows {
		t.Fatalf("%+v, %v", b, err)
	}
	choice := random(t, 9)
	for i := range kills {
		victim := all[i%replicas]
		asker := clients[(i+1)%replicas]
		harness.Eventually(t, loadTimeout, "the batch to get on", func() (string, bool) {
			b, err := asker.Batches.Get(t.Context(), b.BatchID)
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(b.Succeeded), b.Succeeded >= (i+1)*workflows/(kills+2)
		})
		pause(choice)
		if i < kills-1 {
			victim.Kill(t)
		} else { // the last one is told to go
			victim.Terminate()
			if code := victim.Wait(t, drainTimeout+exitMargin); code != 0 {
				t.Errorf("exit code %d", code)
			}
		}
		victim.Restart(t)
	}
	batchVerdict(t, clients[0], b.BatchID, ids)
}

// parkMany starts workflows that are parked at their first step.
func parkMany(t *testing.T, client *coordination.Client, n int) []string {
	t.Helper()
	ids := make([]string, n)
	work := make(chan int, n)
	for i := range n {
		work <- i
	}
	close(work)
	var starters sync.WaitGroup
	for range batchStarters {
		starters.Go(func() {
			for i := range work {
				key := order("").OrderID
				input, _ := json.Marshal(map[string]string{"orderId": key})
				started, err := client.Workflows.Start(t.Context(), coordination.StartRequest{Type: "QUICK_ORDER", BusinessKey: key, Input: input})
				if err != nil {
					t.Errorf("start: %v", err)
					return
				}
				ids[i] = started.WorkflowID
			}
		})
	}
	starters.Wait()
	harness.Eventually(t, loadTimeout, fmt.Sprintf("%d parked workflows", n), func() (string, bool) {
		list, err := client.Workflows.List(t.Context(), coordination.ListQuery{Status: coordination.StatusParked, Size: 1})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(list.Pagination.TotalElements), list.Pagination.TotalElements == int64(n)
	})
	return ids
}

// batchVerdict waits for the end of a batch that retries workflows: each has one
// result, one retry in its log, one entry in the audit, and completes.
func batchVerdict(t *testing.T, client *coordination.Client, batchID string, ids []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), loadTimeout)
	defer cancel()
	b, err := client.Batches.Wait(ctx, batchID)
	if err != nil || b.Status != coordination.BatchCompleted || b.Succeeded != len(ids) || b.Failed != 0 || b.Pending != 0 {
		t.Fatalf("the batch ended as %+v, %v", b, err)
	}
	results := map[string]int{}
	for item, err := range client.Batches.AllItems(ctx, batchID, coordination.BatchesQuery{Size: 100}) {
		if err != nil {
			t.Fatal(err)
		}
		results[item.WorkflowID]++
		if item.Status != coordination.BatchItemSucceeded || item.SettledAt.IsZero() {
			t.Errorf("%+v", item)
		}
	}
	audited := map[string]int{}
	for e, err := range client.Audit.All(ctx, coordination.AuditQuery{Action: "retryWorkflow", Size: 100}) {
		if err != nil {
			t.Fatal(err)
		}
		audited[e.Target]++
		if e.Subject != "e2e-"+auth.RoleAdmin || e.Role != auth.RoleAdmin || e.Reason != batchReason || e.RequestID != batchID {
			t.Errorf("audited as %+v", e)
		}
	}
	for _, id := range ids {
		status := wait(t, client, id)
		is(t, status, coordination.StatusCompleted, coordination.SagaCompleted)
		retries := 0
		for _, e := range status.Events {
			if e.Event == coordination.EventWorkflowResumed {
				retries++
			}
		}
		if results[id] != 1 || retries != 1 || audited[id] != 1 {
			t.Errorf("%s has %d results, %d retries in its log, %d entries in the audit", id, results[id], retries, audited[id])
		}
	}
	if len(results) != len(ids) || len(audited) != len(ids) {
		t.Errorf("%d workflows have results and %d entries in the audit; %d were parked", len(results), len(audited), len(ids))
	}
}

// TestBatches goes through what a person does with batches.
func TestBatches(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(t *testing.T, store string) {
		outage := harness.NewScript(t)
		c := harness.Serve(t, harness.Options{Store: store, Participants: outage.File(t, harness.Services...), Templates: "testdata/templates"})
		outage.Always("reserve", http.StatusNotFound, "")
		outage.Always("release", http.StatusOK, succeeded)
		client := c.Client(t)
		ids := parkMany(t, client, 3)
		slowly := stopped(t, client, ids)
		cancelled := cancelMany(t, client, ids)
		var listed []string
		for b, err := range client.Batches.All(t.Context(), coordination.BatchesQuery{Size: 1}) {
			if err != nil {
				t.Fatal(err)
			}
			listed = append(listed, b.BatchID)
		}
		if !slices.Equal(listed, []string{cancelled, slowly}) {
			t.Errorf("listed are %v", listed)
		}
		for _, role := range []string{auth.RoleService, auth.RoleExternal} {
			other, err := coordination.New(c.API(""), coordination.WithToken(harness.Token(t, role)))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := other.Batches.Get(t.Context(), cancelled); !errors.Is(err, coordination.ErrInsufficientPermissions) {
				t.Errorf("a batch for the role %s: %v", role, err)
			}
		}
	})
}

// stopped makes a batch of workflows that do not take it, and of so many that do
// not exist that it is under way for a minute, and stops it after the first.
func stopped(t *testing.T, client *coordination.Client, ids []string) (batchID string) {
	t.Helper()
	named := slices.Clone(ids)
	for i := range 60 {
		named = append(named, fmt.Sprintf("wf-018d0ea9-0000-7000-8000-%012d", i))
	}
	made, err := client.Batches.Create(t.Context(), coordination.BatchRequest{Action: coordination.BatchRetry, Reason: "TRIAL", WorkflowIDs: named, PerSecond: 1,
		Request: &coordination.BatchItemRequest{FromStep: "SHIP"}})
	if err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, endTimeout, "the first result", func() (string, bool) {
		b, err := client.Batches.Get(t.Context(), made.BatchID)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(b.Failed), b.Failed > 0
	})
	b, err := client.Batches.Cancel(t.Context(), made.BatchID)
	if err != nil || b.Status != coordination.BatchCancelled {
		t.Fatalf("%+v, %v", b, err)
	}
	items, err := client.Batches.Items(t.Context(), b.BatchID, coordination.BatchesQuery{Size: 100})
	if err != nil || len(items.Items) != len(named) || items.Items[len(named)-1].Status != coordination.BatchItemPending {
		t.Fatalf("%+v, %v", items, err)
	}
	if first := items.Items[0]; first.WorkflowID != ids[0] || first.Code != coordination.ErrInvalidWorkflowState || first.Message == "" {
		t.Errorf("the first is %+v", first)
	}
	return b.BatchID
}

// cancelMany cancels parked workflows, after a look at what that would mean.
func cancelMany(t *testing.T, client *coordination.Client, ids []string) (batchID string) {
	t.Helper()
	request := coordination.BatchRequest{Action: coordination.BatchCancel, Reason: "RECALL", Filter: &coordination.BatchFilter{Parked: true},
		Request: &coordination.BatchItemRequest{ReasonDetails: "details", Force: true}}
	plan, err := client.Batches.DryRun(t.Context(), request)
	if err != nil || plan.Total != len(ids) || len(plan.First) != len(ids) || plan.First[0].Code != "" || plan.First[0].Status != coordination.StatusParked {
		t.Fatalf("the plan is %+v, %v", plan, err)
	}
	key := coordination.WithIdempotencyKey("recall-" + ids[0])
	made, err := client.Batches.Create(t.Context(), request, key)
	if err != nil {
		t.Fatal(err)
	}
	done, err := client.Batches.Wait(t.Context(), made.BatchID)
	if err != nil || done.Succeeded != len(ids) {
		t.Fatalf("%+v, %v", done, err)
	}
	again, err := client.Batches.Create(t.Context(), request, key)
	if err != nil || again.BatchID != made.BatchID || again.Status != coordination.BatchRunning || again.Pending != len(ids) {
		t.Errorf("made again: %+v, %v", again, err)
	}
	var told []string
	for e, err := range client.Audit.All(t.Context(), coordination.AuditQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Action != "startWorkflow" {
			told = append(told, e.Action+" "+e.Reason)
		}
	}
	slices.Sort(told)
	if got := strings.Join(told, ", "); got != "cancelBatch TRIAL, "+strings.Repeat("cancelWorkflow RECALL, ", len(ids))+"createBatch RECALL, createBatch TRIAL" {
		t.Errorf("audited: %s", got)
	}
	for _, id := range ids {
		is(t, wait(t, client, id), coordination.StatusCancelled, coordination.SagaCompensated, "RELEASE")
	}
	return made.BatchID
}
