package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// deliveryTimeout is how long a delivery may take that nothing holds up.
const deliveryTimeout = 2 * time.Minute

// hookScene is a coordinator whose participants are simulated.
type hookScene struct {
	*harness.Coordinator
	client *coordination.Client
}

func openHookScene(t *testing.T, store string) *hookScene {
	t.Helper()
	c := harness.Serve(t, harness.Options{Store: store, Hooks: true, Lease: harness.ShortLease, LogLevel: "debug"})
	return &hookScene{c, c.Client(t)}
}

// ended starts an order and waits for its end.
func (s *hookScene) ended(t *testing.T, token string) string {
	t.Helper()
	started, err := s.client.Workflows.StartOrder(t.Context(), order(token))
	if err != nil {
		t.Fatal(err)
	}
	wait(t, s.client, started.WorkflowID)
	return started.WorkflowID
}

// receives waits until a receiver has taken n events of a workflow.
func receives(t *testing.T, r *harness.Receiver, workflowID string, n int) []harness.Received {
	t.Helper()
	harness.Eventually(t, deliveryTimeout, fmt.Sprintf("%d events of %s", n, workflowID), func() (string, bool) {
		got := r.Of(workflowID)
		return fmt.Sprint(names(got)), len(got) >= n
	})
	return r.Of(workflowID)
}

func names(list []harness.Received) []string {
	var all []string
	for _, r := range list {
		all = append(all, string(r.Event))
	}
	return all
}

// delivery waits until the only delivery of a webhook has a status.
func (s *hookScene) delivery(t *testing.T, webhookID string, want coordination.DeliveryStatus) coordination.Delivery {
	t.Helper()
	var d coordination.Delivery
	harness.Eventually(t, deliveryTimeout, "a delivery to be "+string(want), func() (string, bool) {
		list, err := s.client.Webhooks.Deliveries(t.Context(), webhookID, coordination.DeliveriesQuery{})
		if err != nil || len(list.Deliveries) == 0 {
			return fmt.Sprint(err), false
		}
		d = list.Deliveries[0]
		return fmt.Sprintf("%+v", d), d.Status == want
	})
	return d
}

// TestEveryEventIsToldInOrder and at the first attempt, signed, and without
// anything that is secret or personal.
func TestEveryEventIsToldInOrder(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(t *testing.T, store string) {
		s := openHookScene(t, store)
		r := harness.NewReceiver(t)
		hook := r.Subscribe(t, s.client)
		w := &watcher{t, s.Coordinator, store}
		orders := 0
		for token, want := range map[string][]string{
			"tok_visa_4242": {"workflow.started", "workflow.step.completed", "workflow.step.completed", "workflow.step.completed",
				"workflow.step.completed", "workflow.step.completed", "workflow.step.completed", "workflow.completed"},
			"tok_chargeDeclined": {"workflow.started", "workflow.step.completed", "saga.compensating", "saga.compensated", "workflow.failed"},
		} {
			orders++
			orderID := fmt.Sprintf("ord-hook-%d", orders)
			o := canaryOrder(orderID, canaries["payment token"], token)
			id := s.Post(t, "/workflows/order/start", o).Is(201).Text("workflowId")
			got := receives(t, r, id, len(want))
			if !slices.Equal(names(got), want) {
				t.Errorf("told of %v, want %v", names(got), want)
			}
			for i, one := range got {
				w.look("a webhook", one.Body+fmt.Sprint(one.Header))
				if strings.Contains(one.Body, token) || one.Data.OrderID != orderID || one.Data.WorkflowType != "ORDER_FULFILLMENT" {
					t.Errorf("told of %s", one.Body)
				}
				if i > 0 && (one.Data.Sequence <= got[i-1].Data.Sequence || one.Timestamp.Before(got[i-1].Timestamp.Time)) {
					t.Errorf("event %d at %s follows event %d at %s", one.Data.Sequence, one.Timestamp, got[i-1].Data.Sequence, got[i-1].Timestamp)
				}
			}
		}
		harness.Eventually(t, deliveryTimeout, "all deliveries to be recorded", func() (string, bool) {
			list, err := s.client.Webhooks.Deliveries(t.Context(), hook.ID, coordination.DeliveriesQuery{Status: coordination.DeliveryDelivered})
			return fmt.Sprintf("%+v, %v", list, err), err == nil && list.Pagination.TotalElements == 13
		})
		for d, err := range s.client.Webhooks.AllDeliveries(t.Context(), hook.ID, coordination.DeliveriesQuery{Size: 5}) {
			if err != nil || d.Attempts != 1 || d.ResponseStatus != http.StatusNoContent || !slices.ContainsFunc(r.Got(), func(one harness.Received) bool { return one.ID == d.EventID }) {
				t.Errorf("%+v, %v", d, err)
			}
		}
		w.look("the log", s.Log())
		if strings.Contains(s.Log(), hook.Secret) || strings.Contains(s.Log(), r.URL()) {
			t.Error("the log holds a secret or a URL")
		}
	})
}

func TestWhatWasAskedForIsTold(t *testing.T) {
	t.Parallel()
	s := openHookScene(t, "memory")
	r := harness.NewReceiver(t)
	r.Subscribe(t, s.client, coordination.WebhookStepFailed, coordination.WebhookWorkflowParked, coordination.WebhookSagaCompensationFailed)
	request := order("tok_chargeDeclined")
	request.Metadata = []byte(`{"simulate":{"RELEASE_INVENTORY":"REJECTED:STOCK_LOCKED"}}`)
	started, err := s.client.Workflows.StartOrder(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	got := receives(t, r, started.WorkflowID, 3)
	if want := []string{"workflow.step.failed", "saga.compensation.failed", "workflow.parked"}; !slices.Equal(names(got), want) {
		t.Fatalf("told of %v", names(got))
	}
	if got[0].Data.Error.Code != "PAYMENT_DECLINED" || got[1].Data.Error.Code != "STOCK_LOCKED" || got[2].Data.Reason != "COMPENSATION_EXHAUSTED" {
		t.Errorf("%s\n%s\n%s", got[0].Body, got[1].Body, got[2].Body)
	}
}

// TestAFailedDeliveryIsRepeatedTheSame by the schedule: same id, same bytes.
func TestAFailedDeliveryIsRepeatedTheSame(t *testing.T) {
	t.Parallel()
	s := openHookScene(t, stores["sqlite"](t))
	r := harness.NewReceiver(t)
	var first string
	r.Misbehave(func(n int, w http.ResponseWriter, request *http.Request) bool {
		if n == 1 {
			body := make([]byte, request.ContentLength)
			_, _ = request.Body.Read(body)
			first = request.Header.Get("Webhook-Id") + string(body)
			w.WriteHeader(http.StatusInternalServerError)
		}
		return n == 1
	})
	hook := r.Subscribe(t, s.client, coordination.WebhookWorkflowCompleted)
	id := s.ended(t, "tok_visa_4242")
	failed := s.delivery(t, hook.ID, coordination.DeliveryRetrying)
	if wait := failed.NextAttemptAt.Sub(failed.LastAttemptAt.Time); wait < 5*time.Second || wait > 7*time.Second || failed.ResponseStatus != 500 {
		t.Errorf("%+v, again after %s", failed, wait)
	}
	got := receives(t, r, id, 1)
	if got[0].ID+got[0].Body != first {
		t.Errorf("first %s\nthen  %s", first, got[0].Body)
	}
	if d := s.delivery(t, hook.ID, coordination.DeliveryDelivered); d.Attempts != 2 {
		t.Errorf("%+v", d)
	}
}

// TestAGoneReceiverIsDisabledAndRecovered: what failed meanwhile is asked for
// again when it is back, and a delivery that arrived can be too.
func TestAGoneReceiverIsDisabledAndRecovered(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(t *testing.T, store string) {
		s := openHookScene(t, store)
		r := harness.NewReceiver(t)
		r.Misbehave(func(_ int, w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusGone); return true })
		begun := time.Now().Add(-time.Second)
		hook := r.Subscribe(t, s.client, coordination.WebhookWorkflowCompleted)
		id := s.ended(t, "tok_visa_4242")
		if d := s.delivery(t, hook.ID, coordination.DeliveryFailed); d.ResponseStatus != http.StatusGone || d.Attempts != 1 {
			t.Errorf("%+v", d)
		}
		harness.Eventually(t, deliveryTimeout, "the webhook to be disabled", func() (string, bool) {
			got, err := s.client.Webhooks.Get(t.Context(), hook.ID)
			return fmt.Sprintf("%+v, %v", got, err), err == nil && !got.Active && got.Disabled != ""
		})
		health, err := s.client.Health.Get(t.Context())
		if err != nil || health.Details.Webhooks == nil || health.Details.Webhooks.Disabled != 1 {
			t.Errorf("health tells %+v, %v", health, err)
		}
		harness.Eventually(t, deliveryTimeout, "the log to tell", func() (string, bool) { return "", strings.Contains(s.Log(), "webhook disabled") })
		s.ended(t, "tok_visa_4242") // nobody is told
		r.Misbehave(nil)
		active := true
		if back, err := s.client.Webhooks.Update(t.Context(), hook.ID, coordination.WebhookUpdate{Active: &active}); err != nil || !back.Active || back.Disabled != "" {
			t.Fatalf("%+v, %v", back, err)
		}
		if recovered, err := s.client.Webhooks.Recover(t.Context(), hook.ID, begun); err != nil || recovered.Recovered != 1 {
			t.Fatalf("%+v, %v", recovered, err)
		}
		receives(t, r, id, 1)
		d := s.delivery(t, hook.ID, coordination.DeliveryDelivered)
		if _, err := s.client.Webhooks.Redeliver(t.Context(), hook.ID, d.DeliveryID); err != nil {
			t.Fatal(err)
		}
		got := receives(t, r, id, 2)
		if got[0].Body != got[1].Body || got[0].ID != got[1].ID || len(r.Got()) != 2 {
			t.Errorf("redelivered as %s after %s, %d in all", got[1].Body, got[0].Body, len(r.Got()))
		}
	})
}

// TestBothSecretsSignWhileTheyOverlap: whoever knows either verifies.
func TestBothSecretsSignWhileTheyOverlap(t *testing.T) {
	t.Parallel()
	s := openHookScene(t, stores["sqlite"](t))
	r := harness.NewReceiver(t)
	hook := r.Subscribe(t, s.client, coordination.WebhookWorkflowCompleted)
	const overlap = 6 * time.Second
	rotated, err := s.client.Webhooks.RotateSecret(t.Context(), hook.ID, coordination.Duration(overlap))
	if err != nil || rotated.Secret == "" || rotated.Secret == hook.Secret {
		t.Fatalf("%+v, %v", rotated, err)
	}
	verifies := func(one harness.Received, secret string) bool {
		parsed := webhook.MustParseSecret(secret)
		return webhook.Verify(one.Header, []byte(one.Body), one.At, parsed) == nil
	}
	got := receives(t, r, s.ended(t, "tok_visa_4242"), 1) // the receiver knows the old one only
	if !verifies(got[0], rotated.Secret) || webhook.VerifySeal([]byte(got[0].Body), webhook.MustParseSecret(rotated.Secret)) != nil {
		t.Error("the new secret does not sign while they overlap")
	}
	r.Knows(t, rotated.Secret)
	time.Sleep(time.Until(rotated.SecretOverlapUntil.Time)) // past the overlap is what this is about
	got = receives(t, r, s.ended(t, "tok_visa_4242"), 1)
	if verifies(got[0], hook.Secret) || len(strings.Fields(got[0].Header.Get("Webhook-Signature"))) != 1 {
		t.Error("the old secret signs after the overlap")
	}
	if shown, err := s.client.Webhooks.Get(t.Context(), hook.ID); err != nil || !shown.SecretOverlapUntil.IsZero() || shown.Secret != "" {
		t.Errorf("%+v, %v", shown, err)
	}
}

// TestAHangingReceiverSlowsNobodyDown: the others are told as if it was not there.
func TestAHangingReceiverSlowsNobodyDown(t *testing.T) {
	t.Parallel()
	s := openHookScene(t, stores["sqlite"](t))
	release := make(chan struct{})
	hanging := harness.NewReceiver(t)
	t.Cleanup(func() { close(release) }) // before the receiver closes, which waits for what hangs
	hanging.Misbehave(func(_ int, _ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return true
	})
	hanging.Subscribe(t, s.client)
	var others []*harness.Receiver
	for range 9 {
		r := harness.NewReceiver(t)
		r.Subscribe(t, s.client)
		others = append(others, r)
	}
	const hookOrders = 8
	var ids []string
	for range hookOrders {
		ids = append(ids, s.ended(t, "tok_visa_4242"))
	}
	for _, r := range others {
		for _, id := range ids {
			for _, one := range receives(t, r, id, 8) {
				if late := one.At.Sub(one.Timestamp.Time); late > 14*time.Second {
					t.Errorf("%s arrived after %s", one.Event, late)
				}
			}
		}
	}
	if n := hanging.Requests(); n == 0 || n > 8 {
		t.Errorf("the one that hangs holds %d requests", n)
	}
}

func TestWebhookTargetsAreGuarded(t *testing.T) {
	t.Parallel()
	c := harness.Serve(t, harness.Options{Store: "memory"})
	client := c.Client(t)
	r := harness.NewReceiver(t)
	for _, url := range []string{r.URL(), "https://127.0.0.1/", "https://169.254.169.254/latest/meta-data/", "https://localhost/", "https://2130706433/",
		"https://[::ffff:10.0.0.1]/", "ftp://example.com/", "https://user:hunter2@example.com/", "https://example.com:22/"} {
		_, err := client.Webhooks.Create(t.Context(), coordination.WebhookRequest{URL: url})
		var details coordination.ViolationDetails
		e, ok := errors.AsType[*coordination.Error](err)
		if !ok || e.Code != coordination.ErrInvalidRequest || e.DecodeDetails(&details) != nil || details.Violations[0].Path != "body.url" || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if r.Requests() > 0 {
		t.Error("it was reached")
	}
}

// TestDevPrintsTheSecretOfItsWebhooks: the first webhook of a person who tries
// it is verified at once.
func TestDevPrintsTheSecretOfItsWebhooks(t *testing.T) {
	t.Parallel()
	address := harness.Addresses(t, 1)[0]
	p := harness.Start(t, harness.Program{Path: harness.CoordinatorPath(t), Args: []string{"dev", "--listen", address, "--ops-listen", "off"}})
	harness.Eventually(t, commandTimeout, "dev to serve", func() (string, bool) { return p.Stdout(), strings.Contains(p.Stdout(), "Serving.") })
	printed := func(prefix string) string {
		for line := range strings.Lines(p.Stdout()) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, prefix) {
				return line
			}
		}
		t.Fatalf("nothing printed begins with %s:\n%s", prefix, p.Stdout())
		return ""
	}
	client, err := coordination.New("http://"+address+"/api/v1", coordination.WithToken(printed("eyJ")))
	if err != nil {
		t.Fatal(err)
	}
	r := harness.NewReceiver(t)
	if hook := r.Subscribe(t, client); hook.Secret != printed("whsec_") {
		t.Error("the webhook has another secret than the one that was printed")
	}
	r.Knows(t, printed("whsec_"))
	started, err := client.Workflows.StartOrder(t.Context(), order("tok_visa_4242"))
	if err != nil {
		t.Fatal(err)
	}
	receives(t, r, started.WorkflowID, 8)
}
