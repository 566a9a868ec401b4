package rest_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/wire"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// admin calls as one.
func (s *server) admin(t testing.TB, method, path, body string, headers ...string) *response {
	t.Helper()
	return s.call(t, method, "/api/v1"+path, body, append([]string{"Authorization", "Bearer admin"}, headers...)...)
}

func (s *server) subscribe(t testing.TB, headers ...string) *coordination.Webhook {
	t.Helper()
	return into[coordination.Webhook](s.admin(t, "POST", "/webhooks", `{"url":"https://a.example.com/hook?k=v"}`, headers...).is(201))
}

// deliveries commits a workflow that a webhook is told of twice, attempts the
// first of them and lets it fail for good.
func (s *server) delivers(t testing.TB, webhookID string) (workflow string, at time.Time) {
	t.Helper()
	c := contracttests.StartOf(1)
	c.Notices = []ports.Notice{{Sequence: 1, Event: "workflow.completed", At: c.Row.StartedAt}, {Sequence: 2, Event: "workflow.completed", At: c.Row.StartedAt.Add(time.Second)}}
	if err := s.store.Commit(t.Context(), []ports.Change{c})[0]; err != nil {
		t.Fatal(err)
	}
	if err := s.store.Renew(t.Context(), "r", time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.ClaimDeliveries(t.Context(), "r", map[string]int{webhookID: 1}); err != nil {
		t.Fatal(err)
	}
	key := ports.DeliveryKey{WebhookID: webhookID, WorkflowID: c.Row.WorkflowID, Sequence: 1}
	if err := s.store.SettleDeliveries(t.Context(), "r", []ports.Attempt{{DeliveryKey: key, At: s.now, Status: ports.DeliveryFailed, ResponseStatus: 404, Error: "answered 404"}}); err != nil {
		t.Fatal(err)
	}
	return c.Row.WorkflowID, c.Row.StartedAt
}

func TestWebhookIsShownWithItsSecretOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	body := `{"url":"https://a.example.com/hook?k=v","events":["workflow.parked","workflow.failed"],"description":"d","active":false}`
	made := into[coordination.Webhook](s.admin(t, "POST", "/webhooks", body).is(201))
	if !strings.HasPrefix(made.ID, "whk-") || made.Secret == "" || made.Active || made.Description != "d" || len(made.Events) != 2 || made.CreatedAt.IsZero() {
		t.Errorf("made is %+v", made)
	}
	for _, id := range []string{made.ID, strings.TrimPrefix(made.ID, "whk-"), strings.ToUpper(strings.TrimPrefix(made.ID, "whk-"))} {
		got := s.get(t, "/webhooks/"+id).is(200)
		if strings.Contains(string(got.body), "secret") || into[coordination.Webhook](got).URL != made.URL {
			t.Errorf("shown is %s", got.body)
		}
	}
	list := into[coordination.WebhookList](s.get(t, "/webhooks").is(200))
	if len(list.Webhooks) != 1 || list.Webhooks[0].Secret != "" || list.Pagination.TotalElements != 1 {
		t.Errorf("listed is %+v", list)
	}
}

func TestWebhookRequestsAreChecked(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := s.subscribe(t).ID
	long := strings.Repeat("x", 2100)
	for body, path := range map[string]string{
		`{}`: "body", `{"url":7}`: "body.url", `{"url":""}`: "body.url", `{"url":"https://a.example.com/` + long + `"}`: "body.url",
		`{"url":"https://forbidden/"}`: "body.url", `{"url":"https://a.example.com/","events":["workflow.exploded"]}`: "body.events[0]",
		`{"url":"https://a.example.com/","events":[]}`: "body.events", `{"url":"https://a.example.com/","events":["workflow.failed","workflow.failed"]}`: "body.events",
		`{"url":"https://a.example.com/","active":"yes"}`: "body.active", `{"url":"https://a.example.com/","secret":"mine"}`: "body.secret",
		`{"url":"https://a.example.com/","description":"` + strings.Repeat("d", 1025) + `"}`: "body.description",
		`{"url":"https://a.example.com/","url":"https://b.example.com/"}`:                    "body.url",
	} {
		got := s.admin(t, "POST", "/webhooks", body).is(400).violations()
		if got[path] == "" {
			t.Errorf("%.60s: violations are %v, want one of %s", body, got, path)
		}
		for _, message := range got {
			if strings.Contains(message, "a.example.com") {
				t.Errorf("%.60s: the URL is repeated: %s", body, message)
			}
		}
	}
	for body, path := range map[string]string{`{"url":null,"x":1}`: "body.x", `{"events":[]}`: "body.events", `{"active":1}`: "body.active"} {
		if got := s.admin(t, "PATCH", "/webhooks/"+id, body).is(400).violations(); got[path] == "" {
			t.Errorf("%s: violations are %v", body, got)
		}
	}
	for body, path := range map[string]string{`{"overlap":"PT169H"}`: "body.overlap", `{"overlap":"1 day"}`: "body.overlap"} {
		if got := s.admin(t, "POST", "/webhooks/"+id+"/rotate-secret", body).is(400).violations(); got[path] == "" {
			t.Errorf("%s: violations are %v", body, got)
		}
	}
	for body, path := range map[string]string{`{}`: "body", `{"since":"yesterday"}`: "body.since"} {
		if got := s.admin(t, "POST", "/webhooks/"+id+"/recover", body).is(400).violations(); got[path] == "" {
			t.Errorf("%s: violations are %v", body, got)
		}
	}
	s.admin(t, "PATCH", "/webhooks/"+id, `{"active":true}`, "Content-Type", "text/plain").is(415)
	s.admin(t, "PATCH", "/webhooks/"+id, `{"description":"`+strings.Repeat("d", 300<<10)+`"}`).is(413)
}

func TestUnknownWebhooksAndDeliveries(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := s.subscribe(t).ID
	for _, bad := range []string{absentID, "whk-" + absentID, "whk-1", "wf-" + absentID, "whk-whk-" + absentID} {
		for route, body := range map[string]string{"GET ": "", "PATCH ": `{}`, "DELETE ": "", "POST /rotate-secret": `{}`, "GET /deliveries": "",
			"POST /recover": `{"since":"2024-01-15T00:00:00Z"}`, "POST /deliveries/dlv-" + absentID + "-1/redeliver": ""} {
			method, rest, _ := strings.Cut(route, " ")
			s.admin(t, method, "/webhooks/"+bad+rest, body).is(404).code(coordination.ErrWebhookNotFound)
		}
	}
	for _, bad := range []string{"dlv-" + absentID + "-1", "dlv-" + absentID, "dlv-" + absentID + "-0", "dlv-" + absentID + "--1", "dlv-" + absentID + "-01",
		"dlv-" + absentID + "-9999999999999999999999", "x", "evt-" + absentID, "dlv-" + absentID + "-1x"} {
		s.admin(t, "POST", "/webhooks/"+id+"/deliveries/"+bad+"/redeliver", "").is(404).code(coordination.ErrDeliveryNotFound)
	}
}

func TestWebhookIsChangedAndDeleted(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := s.subscribe(t).ID
	changed := into[coordination.Webhook](s.admin(t, "PATCH", "/webhooks/"+id, `{"description":"new","events":["saga.compensated"]}`).is(200))
	if changed.Description != "new" || !slices.Equal(changed.Events, []coordination.WebhookEvent{"saga.compensated"}) || changed.URL != "https://a.example.com/hook?k=v" || !changed.Active {
		t.Errorf("changed is %+v", changed)
	}
	if _, err := s.store.DisableWebhook(t.Context(), id, "gone", s.now); err != nil {
		t.Fatal(err)
	}
	if got := into[coordination.Webhook](s.get(t, "/webhooks/"+id).is(200)); got.Active || got.Disabled != "gone" {
		t.Errorf("disabled is %+v", got)
	}
	if got := s.admin(t, "DELETE", "/webhooks/"+id, "").is(204); len(got.body) > 0 {
		t.Errorf("204 with %s", got.body)
	}
	s.get(t, "/webhooks/"+id).is(404).code(coordination.ErrWebhookNotFound)
}

func TestWebhookRequestsWithKeysAreAnsweredOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	first := s.admin(t, "POST", "/webhooks", `{"url":"https://a.example.com/"}`, "X-Idempotency-Key", "k").is(201)
	again := s.admin(t, "POST", "/webhooks", ` { "url" : "https:\/\/a.example.com\/" } `, "Idempotency-Key", "k").is(201)
	if again.header.Get("Idempotency-Replayed") != "true" || first.header.Get("Idempotency-Replayed") != "" {
		t.Error("the replay does not say so, or the first answer does")
	}
	want, got := first.tree(), again.tree()
	if want["secret"] == nil || got["secret"] != nil {
		t.Errorf("the secret is in the replay: %s", again.body)
	}
	delete(want, "secret")
	for name := range want {
		if differences("", got[name], want[name]) != nil {
			t.Errorf("%s differs", name)
		}
	}
	e := s.admin(t, "POST", "/webhooks", `{"url":"https://b.example.com/"}`, "X-Idempotency-Key", "k").is(409).code(coordination.ErrWorkflowAlreadyExists)
	var details coordination.ConflictDetails
	if err := e.DecodeDetails(&details); err != nil || details.Reason != coordination.ReasonIdempotencyKeyReused {
		t.Errorf("details are %+v, %v", details, err)
	}
	path := "/webhooks/" + want["id"].(string) + "/rotate-secret"
	rotated := s.admin(t, "POST", path, `{"overlap":"PT1H"}`, "X-Idempotency-Key", "k").is(200).tree()
	replay := s.admin(t, "POST", path, `{"overlap":"PT1H"}`, "X-Idempotency-Key", "k").is(200).tree()
	if rotated["secret"] == nil || replay["secret"] != nil || replay["secretOverlapUntil"] != rotated["secretOverlapUntil"] {
		t.Errorf("rotated %v, again %v", rotated, replay)
	}
	s.admin(t, "POST", path, `{}`, "X-Idempotency-Key", "k").is(409)
}

func TestRotationOverlapsForADayIfNothingIsSaid(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := s.subscribe(t).ID
	for body, overlap := range map[string]time.Duration{"": 24 * time.Hour, `{}`: 24 * time.Hour, `{"overlap":"PT1H"}`: time.Hour, `{"overlap":"PT0S"}`: 0, `{"overlap":"PT168H"}`: 168 * time.Hour} {
		got := into[coordination.RotatedSecret](s.admin(t, "POST", "/webhooks/"+id+"/rotate-secret", body).is(200))
		if got.ID != id || got.Secret == "" || got.SecretOverlapUntil.Sub(got.RotatedAt.Time) != overlap {
			t.Errorf("%s: %+v", body, got)
		}
		if shown := into[coordination.Webhook](s.get(t, "/webhooks/"+id).is(200)); shown.SecretOverlapUntil.IsZero() != (overlap == 0) {
			t.Errorf("%s: shown is %s", body, shown.SecretOverlapUntil)
		}
	}
}

func TestDeliveriesAreListedAndAskedForAgain(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.now = contracttests.Epoch.Add(time.Hour)
	id := s.subscribe(t).ID
	workflow, at := s.delivers(t, id)
	path := "/webhooks/" + id + "/deliveries"
	list := into[coordination.DeliveryList](s.get(t, path).is(200))
	if len(list.Deliveries) != 2 || list.Pagination.TotalElements != 2 {
		t.Fatalf("%+v", list)
	}
	d := list.Deliveries[1]
	want := coordination.Delivery{DeliveryID: "dlv-" + strings.TrimPrefix(workflow, "wf-") + "-1", EventID: wire.EventID(workflow, 1, at), Event: "workflow.completed",
		WorkflowID: workflow, Status: "FAILED", Attempts: 1, LastAttemptAt: coordination.At(s.now), ResponseStatus: 404, Error: "answered 404"}
	if d != want {
		t.Errorf("got  %+v\nwant %+v", d, want)
	}
	page := into[coordination.DeliveryList](s.get(t, path+"?size=1").is(200))
	next := into[coordination.DeliveryList](s.get(t, path+"?size=1&cursor="+page.Pagination.NextCursor).is(200))
	if len(next.Deliveries) != 1 || next.Deliveries[0] != want || next.Pagination.NextCursor != "" {
		t.Errorf("the second page is %+v", next)
	}
	failed := into[coordination.DeliveryList](s.get(t, path+"?status=FAILED").is(200))
	if len(failed.Deliveries) != 1 || failed.Deliveries[0] != want {
		t.Errorf("failed are %+v", failed)
	}
	s.get(t, path+"?status=LOST").is(400)
	s.get(t, path+"?cursor=bm9uZQ").is(400)
	for i, name := range []string{d.DeliveryID, strings.TrimPrefix(d.DeliveryID, "dlv-")} {
		answer := s.admin(t, "POST", path+"/"+name+"/redeliver", "", "X-Idempotency-Key", "k").is(202)
		if got := into[coordination.RedeliverResponse](answer); *got != (coordination.RedeliverResponse{DeliveryID: d.DeliveryID, Status: "PENDING"}) {
			t.Errorf("%+v", got)
		}
		if again := answer.header.Get("Idempotency-Replayed"); again != []string{"", "true"}[i] {
			t.Errorf("request %d is a replay: %q", i+1, again)
		}
	}
	if got := into[coordination.DeliveryList](s.get(t, path+"?status=FAILED").is(200)); len(got.Deliveries) != 0 {
		t.Errorf("still failed are %+v", got)
	}
}

func TestRecoverAsksForWhatFailed(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.now = contracttests.Epoch.Add(time.Hour)
	id := s.subscribe(t).ID
	_, at := s.delivers(t, id)
	for i, c := range []struct {
		since time.Time
		want  int
	}{{at.Add(time.Second), 0}, {at.In(time.FixedZone("", 3600)), 1}, {at, 0}} {
		body, key := `{"since":"`+c.since.Format(time.RFC3339Nano)+`"}`, strconv.Itoa(i)
		for range 2 { // the second one is a replay
			if got := into[coordination.RecoverResponse](s.admin(t, "POST", "/webhooks/"+id+"/recover", body, "X-Idempotency-Key", key).is(202)); got.Recovered != c.want {
				t.Errorf("since %s: %d recovered, want %d", c.since, got.Recovered, c.want)
			}
		}
		s.admin(t, "POST", "/webhooks/"+id+"/recover", `{"since":"2024-01-15T00:00:00Z"}`, "X-Idempotency-Key", key).is(409)
	}
}

func TestHealthShowsWebhooksIfThereAreAny(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	if strings.Contains(string(s.get(t, "/health").is(200).body), "webhooks") {
		t.Error("webhooks are shown although there are none")
	}
	s.webhookHealth = ports.WebhookHealth{Subscriptions: 3, Disabled: 1, Pending: 2, OldestDue: s.now}
	got := into[coordination.Health](s.get(t, "/health").is(200)).Details.Webhooks
	if got == nil || got.Webhooks != 3 || got.Disabled != 1 || got.PendingDeliveries != 2 || !got.OldestDueAt.Equal(s.now) {
		t.Errorf("%+v", got)
	}
}

func TestWebhookRoutesKnowTheirMethods(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for path, allow := range map[string]string{"/webhooks": "GET, HEAD, POST", "/webhooks/" + absentID: "DELETE, GET, HEAD, PATCH"} {
		if got := s.admin(t, http.MethodPut, path, "").is(405); got.header.Get("Allow") != allow {
			t.Errorf("%s allows %s", path, got.header.Get("Allow"))
		}
	}
}
