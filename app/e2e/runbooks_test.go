package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/postgres/pgtest"
	"github.com/firstviscount/platform-coordination/adapters/testserver"
	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

func TestRunbookParticipantDown(t *testing.T) {
	t.Parallel()
	shop := harness.OpenShop(t)
	c := harness.Serve(t, harness.Options{Store: "memory", Participants: shop.File, Ops: true})
	client := c.Client(t)
	shop.Kill(t)
	begun := time.Now().UTC().Format(time.RFC3339)
	var started []string
	start := func() string {
		s, err := client.Workflows.StartOrder(t.Context(), order("tok_visa_4242"))
		if err != nil {
			t.Fatal(err)
		}
		started = append(started, s.WorkflowID)
		return s.WorkflowID
	}
	if ended := wait(t, client, start()); ended.Status != coordination.StatusFailed {
		t.Errorf("a lone order is %s", ended.Status)
	}
	for range 40 { // more than open a breaker
		start()
	}
	o := called(t, c, "participant-down", "memory")
	const step = "INVENTORY_RESERVATION"
	look := func() string {
		return o.sh(see, 0, "http://payment.internal/", shopURL(t, shop), "PAYMENT_PROCESSING", step)
	}
	down := func(is string) string { return "\"payment-service\": {\n    \"status\": \"" + is + `"` }
	until(t, down("DOWN"), look)
	tells(t, look(), `"wf-`, "000 ") // curl has no answer
	until(t, `coordination_participant_breaker_open{coordination_service="inventory-service"} 1`, look)
	shop.Restart(t)
	until(t, down("UP"), look)
	failed := 0
	for _, id := range started {
		if wait(t, client, id).Status == coordination.StatusFailed {
			failed++
		}
	}
	t.Logf("%d of %d failed before the breaker opened", failed, len(started))
	retry := []string{"PAYMENT_PROCESSING", step, "2026-01-15T00:00:00Z", begun}
	tells(t, o.sh(do, 0, retry...), fmt.Sprintf(`"total": %d,`, failed))
	o.sh(do, 0, append(retry, `,"dryRun":true`, "")...)
	for _, id := range started {
		harness.Eventually(t, endTimeout, "a failed order to be retried and completed", func() (string, bool) {
			got, err := client.Workflows.GetStatus(t.Context(), id)
			return fmt.Sprint(got, err), err == nil && got.Status == coordination.StatusCompleted
		})
	}
	for _, fault := range shop.Ledger(t).Faults() {
		t.Error(fault)
	}
	busy := regexp.MustCompile(`(?m)^coordination_participant_(breaker_open|queued)\{.*\} [^0]`)
	harness.Eventually(t, time.Minute, "breakers to be closed and queues to be empty", func() (string, bool) {
		text := o.sh(over, 0)
		return text, strings.Contains(text, `"payment-service":"UP"`) && strings.Contains(text, "coordination_participant_breaker_open{") && !busy.MatchString(text)
	})
}

// shopURL is where a shop's payment service is.
func shopURL(t *testing.T, shop *harness.Shop) string {
	t.Helper()
	text, err := os.ReadFile(shop.File)
	if err != nil {
		t.Fatal(err)
	}
	_, at, _ := strings.Cut(string(text), "http://")
	host, _, _ := strings.Cut(at, "\n")
	return "http://" + strings.Trim(strings.TrimSpace(host), `"},`) + "/"
}

func TestRunbookCompensationFailed(t *testing.T) {
	t.Parallel()
	script := harness.NewScript(t)
	script.Always("reserve_inventory", http.StatusOK, `{"outcome":"SUCCEEDED","result":{"reservationId":"res-1"}}`)
	script.Always("process_payment", http.StatusUnprocessableEntity, `{"outcome":"REJECTED","error":{"code":"PAYMENT_DECLINED","message":"no"}}`)
	script.Always("release_reservation", http.StatusUnprocessableEntity, `{"outcome":"REJECTED","error":{"code":"STOCK_LOCKED","message":"counting"}}`)
	script.Always("send_cancellation_notice", http.StatusOK, `{"outcome":"SUCCEEDED"}`)
	c := harness.Serve(t, harness.Options{Store: stores["sqlite"](t), Participants: script.File(t, harness.Services...)})
	client := c.Client(t)
	started, err := client.Workflows.StartOrder(t.Context(), order("tok_visa_4242"))
	if err != nil {
		t.Fatal(err)
	}
	wait(t, client, started.WorkflowID)
	o := called(t, c, "compensation-failed", "")
	id := []string{"wf-…", started.WorkflowID}
	tells(t, o.sh(see, 0, id...), started.WorkflowID, "COMPENSATION_EXHAUSTED", "STOCK_LOCKED", "RELEASE_INVENTORY", "COMPENSATION_FAILED", "res-1")
	script.Always("release_reservation", http.StatusOK, `{"outcome":"SUCCEEDED"}`) // the cause is repaired
	retry := "WORKFLOW=" + started.WorkflowID + "\n" + blocks(o.section(do))[0]
	tells(t, o.run(retry), started.WorkflowID)
	wait(t, client, started.WorkflowID)
	if out := o.run("WORKFLOW=" + started.WorkflowID + "\n" + blocks(o.section(over))[0]); out != "[\"FAILED\",\"COMPENSATED\"]\n0\n" {
		t.Errorf("it is not over:\n%s", out)
	}
	if out := o.sh(see, 0, id...); strings.Contains(out, "COMPENSATION_EXHAUSTED") {
		t.Errorf("it is still parked:\n%s", out)
	}
}

func TestRunbookWebhookDead(t *testing.T) {
	t.Parallel()
	c := harness.Serve(t, harness.Options{Store: stores["sqlite"](t), Hooks: true})
	client, r := c.Client(t), harness.NewReceiver(t)
	r.Misbehave(func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	hook := r.Subscribe(t, client, coordination.WebhookWorkflowCompleted)
	s := &hookScene{c, client}
	first := s.ended(t, "tok_visa_4242")
	o := called(t, c, "webhook-dead", "")
	look := func() string { return o.sh(see, 0, "whk-…", hook.ID) }
	until(t, `"attempts": 1`, look)
	tells(t, look(), `"failingSince": "2`, `"responseStatus": 503`, `"active": true`)
	r.Misbehave(func(_ int, w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusGone); return true })
	until(t, `"active": false`, look) // by the next attempt
	r.Misbehave(nil)
	revive := "WEBHOOK=" + hook.ID + "\n" + blocks(o.section(do))[0]
	tells(t, o.run(fill(t, revive, "2026-01-15T00:00:00Z", time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))), `"active":true`, `"recovered":1`)
	receives(t, r, first, 1)
	s.delivery(t, hook.ID, coordination.DeliveryDelivered)
	receives(t, r, s.ended(t, "tok_visa_4242"), 1)
	until(t, "[\"DELIVERED\",2]\n[\"RETRYING\",0]\n[\"FAILED\",0]\n", func() string { return o.run("WEBHOOK=" + hook.ID + "\n" + blocks(o.section(over))[0]) })
	if out := look(); strings.Contains(out, `"failingSince": "`) {
		t.Errorf("it does not look over:\n%s", out)
	}
	o.line(do, `api -X DELETE "$API/webhooks/$WEBHOOK"`, "$WEBHOOK", hook.ID)
	if out := o.sh(see, 0, "whk-…", hook.ID); strings.Contains(out, `"url"`) {
		t.Errorf("it is still there:\n%s", out)
	}
}

// TestRunbookWorkflowStuck has a replica hang that nobody may take over for a
// long time.
func TestRunbookWorkflowStuck(t *testing.T) {
	t.Parallel()
	store := pgtest.Empty(t)
	lease := harness.Options{Store: store, Templates: impatient(t), Lease: 10 * time.Minute}
	hung, other := harness.Serve(t, lease), harness.New(t, lease)
	started := quick(t, hung.Client(t), map[string]string{"RESERVE": "SLOW:PT60S"})
	hung.Pause()
	t.Cleanup(hung.Continue)
	other.Restart(t)
	o := called(t, other, "workflow-stuck", store)
	look := func() string { return o.sh(see, 0, "$WORKFLOW", started.WorkflowID) }
	until(t, `"stuckWorkflows": 1`, look)
	tells(t, look(), `"currentStep": "RESERVE"`, `"reason": "OVERDUE"`)
	keeper := o.sh(see, 1)
	tells(t, keeper, started.WorkflowID, "replica-")
	if !strings.Contains(keeper, "replica-") {
		t.FailNow()
	}
	owner := keeper[strings.Index(keeper, "replica-"):]
	owner = owner[:strings.IndexAny(owner, " |")]
	tells(t, hung.Log(), owner) // which process it is
	hung.Kill(t)
	o.sh(do, 0, "replica-…", owner)
	client := other.Client(t)
	if _, err := client.Workflows.Cancel(t.Context(), started.WorkflowID, coordination.CancelRequest{Reason: "TEST", InitiatedBy: "ADMIN", Force: true}); err != nil {
		t.Fatal(err)
	}
	if ended := wait(t, client, started.WorkflowID); ended.Status != coordination.StatusCancelled {
		t.Errorf("it is %s", ended.Status)
	}
	until(t, "0\n0\n", func() string { return o.sh(over, 0) })
}

// impatient is a directory with a quick order whose steps time out soon.
func impatient(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/templates/quick.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(harness.WriteFile(t, "quick.yaml", strings.ReplaceAll(string(text), "timeout: PT30S", "timeout: PT5S")))
}

// TestRunbookDatabaseFull fills the file system that a database is on.
func TestRunbookDatabaseFull(t *testing.T) {
	t.Parallel()
	testserver.Need(t, "mount")
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		volume := newVolume(t, "16m")
		fullAndRepaired(t, volume, "sqlite:"+filepath.Join(volume, "coordination.db"), func() {})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		volume := newVolume(t, "192m")
		server := pgtest.StartIn(t, volume)
		fullAndRepaired(t, volume, server.URL(), func() {
			server.Kill() // it may have stopped itself
			server.Restart(t)
		})
	})
}

// newVolume mounts a file system of its own, so large.
func newVolume(t *testing.T, size string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "volume-") // others than us must reach it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) })
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "mode=1777,size="+size, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() { // -l: whatever still has a file open
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// ordersUntilFull is how many orders fit at most beside what fills a volume.
const ordersUntilFull = 20_000

func fullAndRepaired(t *testing.T, volume, store string, start func()) {
	c := harness.Serve(t, harness.Options{Store: store})
	client := c.Client(t)
	var taken []string
	for range 3 {
		taken = append(taken, c.Post(t, "/workflows/order/start", mustJSON(t, order("tok_slow_202"))).Is(http.StatusCreated).Text("workflowId"))
	}
	logs := filepath.Join(volume, "old.log")
	fillUp(t, logs)
	refused := ""
	for n := 0; refused == ""; n++ {
		if n > ordersUntilFull {
			t.Fatal("it never was full")
		}
		body := mustJSON(t, order("tok_visa_4242"))
		switch got := c.Post(t, "/workflows/order/start", body); got.Status {
		case http.StatusCreated:
			taken = append(taken, got.Text("workflowId"))
		case http.StatusServiceUnavailable:
			refused = body
		default:
			t.Fatalf("%d: %s", got.Status, got.Body)
		}
	}
	o := called(t, c, "database-full", store)
	look := func() string { return o.run(strings.Split(blocks(o.section(see))[0], "psql")[0]) }
	until(t, `"DOWN"`, look)
	out := look()
	tells(t, out, "100%", volume)
	t.Logf("%d orders were taken; then %q", len(taken), strings.SplitN(out, "\n", 3)[:2])
	if err := os.Remove(logs); err != nil { // what is not the database's
		t.Fatal(err)
	}
	start()
	until(t, `["UP","Connected"]`, func() string { return o.sh(over, 0) })
	if strings.HasPrefix(store, "postgres") {
		tells(t, o.sh(see, 0), "workflows", "events")
	}
	harness.Eventually(t, time.Minute, "the order to be taken", func() (string, bool) {
		got := c.Post(t, "/workflows/order/start", refused)
		if got.Status == http.StatusCreated {
			taken = append(taken, got.Text("workflowId"))
		}
		return fmt.Sprintf("%d: %s", got.Status, got.Body), got.Status == http.StatusCreated || got.Status == http.StatusConflict
	})
	for _, id := range taken {
		if ended := wait(t, client, id); ended.Status != coordination.StatusCompleted {
			t.Errorf("%s is %s", id, ended.Status)
		}
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// fillUp writes a file until there is no room.
func fillUp(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for block := make([]byte, 1<<16); err == nil; {
		_, err = file.Write(block)
		if err != nil && len(block) > 1 {
			block, err = block[:len(block)/2], nil
		}
	}
}
