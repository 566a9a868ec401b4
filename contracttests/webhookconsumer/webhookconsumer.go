// Package webhookconsumer is what a receiver of the coordinator's webhooks must
// keep: it takes what is signed and nothing else, and survives that events come
// again, in another order, or of types that it does not know.
//
//	func TestReceiver(t *testing.T) {
//		webhookconsumer.Run(t, webhookconsumer.Target{URL: server.URL + "/hook", Secret: secret})
//	}
package webhookconsumer

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/contracttests/verify"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// Suite is the suite's name in reports.
const Suite = "webhook"

// AnswerWithin is how long the coordinator waits for an answer.
const AnswerWithin = 10 * time.Second

// Target is a receiver of webhooks.
type Target struct {
	// URL is where events are posted.
	URL string
	// Secret is the one that the receiver knows.
	Secret webhook.Secret
	// Handled, if given, tells how often the receiver has acted on an event.
	Handled func(eventID string) int
	// Client sends the events; one of the package's own if nil.
	Client *http.Client
}

var errTarget = errors.New("webhookconsumer: URL and Secret are needed")

// Rules are all rules for a target. They may be checked in parallel.
func Rules(target Target) ([]verify.Rule, error) {
	if target.URL == "" || target.Secret.IsZero() {
		return nil, errTarget
	}
	if target.Client == nil {
		target.Client = verify.Client()
	}
	rules := make([]verify.Rule, 0, len(all))
	for _, r := range all {
		rules = append(rules, verify.Rule{ID: Suite + "/" + r.id, Promise: r.promise,
			Check: func(p *verify.Probe) { r.check(&check{Probe: p, Target: target}) }})
	}
	return rules, nil
}

// Run checks every rule, in parallel.
func Run(t *testing.T, target Target) {
	t.Helper()
	rules, err := Rules(target)
	if err != nil {
		t.Fatal(err)
	}
	verify.Test(t, rules)
}

type check struct {
	*verify.Probe
	Target
}

// event is one that was never sent before.
func (c *check) event(kind string) map[string]any {
	return map[string]any{
		"id": "evt-" + strings.ToLower(rand.Text()), "timestamp": time.Now().UTC().Format(time.RFC3339), "event": kind,
		"data": map[string]any{"workflowId": "wf-660e8400-e29b-41d4-a716-446655440000", "workflowType": "ORDER_FULFILLMENT", "status": "RUNNING"},
	}
}

// encode is an event as it is sent, with its seal in it.
func (c *check) encode(e map[string]any) []byte {
	payload, err := json.Marshal(e)
	if err == nil {
		payload, err = webhook.Seal(payload, c.Secret)
	}
	if err != nil {
		c.Fail("an event that can be sent", "%v", err)
	}
	return payload
}

// signed is the header of a delivery.
func signed(id string, at time.Time, body []byte, secrets ...webhook.Secret) http.Header {
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	webhook.SetHeaders(h, id, at, body, secrets...)
	return h
}

func (c *check) post(h http.Header, body []byte) *verify.Exchange {
	began := time.Now()
	e := c.Send(c.Client, http.MethodPost, c.URL, h, body)
	c.Want(time.Since(began) < AnswerWithin, "an answer within "+AnswerWithin.String(), "%s", time.Since(began))
	return e
}

// deliver sends an event as the coordinator does; it must be taken.
func (c *check) deliver(e map[string]any) {
	body := c.encode(e)
	c.wantTaken(c.post(signed(e["id"].(string), time.Now(), body, c.Secret), body))
}

func (c *check) wantTaken(e *verify.Exchange) {
	c.Want(e.Status >= 200 && e.Status < 300, "2xx", "%d", e.Status)
}

// refuses sends what must not be taken: 4xx, but not 410, which ends the subscription.
func (c *check) refuses(id string, h http.Header, body []byte) {
	e := c.post(h, body)
	c.Want(e.Status >= 400 && e.Status < 500 && e.Status != http.StatusGone, "a refusal (4xx, not 410)", "%d", e.Status)
	c.wantHandled(id, 0)
}

func (c *check) wantHandled(id string, times int) {
	if c.Handled != nil {
		got := c.Handled(id)
		c.Want(got == times, fmt.Sprintf("the event to be acted on %d times", times), "%d", got)
	}
}

// rule is a promise before it has a target.
type rule struct {
	id, promise string
	check       func(c *check)
}

var all = []rule{
	{"signed", "an event that is signed is taken (2xx)", func(c *check) {
		e := c.event("workflow.completed")
		c.deliver(e)
		c.wantHandled(e["id"].(string), 1)
	}},
	{"unsigned", "an event without a signature is refused (4xx)", func(c *check) {
		e := c.event("workflow.completed")
		c.refuses(e["id"].(string), http.Header{"Content-Type": {"application/json"}}, c.encode(e))
	}},
	{"wrong-secret", "an event that somebody else signed is refused (4xx)", func(c *check) {
		e := c.event("workflow.completed")
		body := c.encode(e)
		c.refuses(e["id"].(string), signed(e["id"].(string), time.Now(), body, c.other()), body)
	}},
	{"changed-body", "an event that was changed after it was signed is refused (4xx)", func(c *check) {
		e := c.event("workflow.started")
		body := c.encode(e)
		h := signed(e["id"].(string), time.Now(), body, c.Secret)
		c.refuses(e["id"].(string), h, bytes.Replace(body, []byte("started"), []byte("completed"), 1))
	}},
	{"changed-id", "an event under another webhook-id than was signed is refused (4xx)", func(c *check) {
		e := c.event("workflow.completed")
		body := c.encode(e)
		h := signed("evt-of-another-delivery", time.Now(), body, c.Secret)
		h.Set(webhook.HeaderID, e["id"].(string))
		c.refuses(e["id"].(string), h, body)
	}},
	{"old", "an event that was signed an hour ago is refused (4xx): somebody may have recorded it", func(c *check) {
		e := c.event("workflow.completed")
		body := c.encode(e)
		c.refuses(e["id"].(string), signed(e["id"].(string), time.Now().Add(-time.Hour), body, c.Secret), body)
	}},
	{"future", "an event that was signed for an hour from now is refused (4xx)", func(c *check) {
		e := c.event("workflow.completed")
		body := c.encode(e)
		c.refuses(e["id"].(string), signed(e["id"].(string), time.Now().Add(time.Hour), body, c.Secret), body)
	}},
	{"rotated", "while a secret is rotated, one signature that matches is enough, wherever it stands", func(c *check) {
		for _, secrets := range [][]webhook.Secret{{c.Secret, c.other()}, {c.other(), c.Secret}} {
			e := c.event("workflow.completed")
			body := c.encode(e)
			c.wantTaken(c.post(signed(e["id"].(string), time.Now(), body, secrets...), body))
		}
	}},
	{"duplicate", "the same event again is taken again, and acted on once", func(c *check) {
		e := c.event("workflow.completed")
		for range 3 {
			c.deliver(e)
		}
		c.wantHandled(e["id"].(string), 1)
	}},
	{"order", "events of a workflow are taken in whatever order they come", func(c *check) {
		for _, kind := range []string{"workflow.completed", "saga.compensated", "workflow.step.completed", "workflow.started"} {
			c.deliver(c.event(kind))
		}
	}},
	{"unknown-event", "an event of a type that the receiver does not know is taken (2xx)", func(c *check) {
		c.deliver(c.event("workflow.contract-test-of-a-type-to-come"))
	}},
	{"unknown-fields", "members that are not known are passed over", func(c *check) {
		e := c.event("workflow.completed")
		e["contractTestOfAMemberToCome"] = []any{1, "x"}
		e["data"].(map[string]any)["contractTestOfAMemberToCome"] = map[string]any{"a": nil}
		c.deliver(e)
	}},
	{"parallel", "events that come at the same time are taken", func(c *check) {
		const n = 16
		exchanges := make([]*verify.Exchange, n)
		var sent sync.WaitGroup
		for i := range exchanges {
			e := c.event("workflow.step.completed")
			body := c.encode(e)
			h := signed(e["id"].(string), time.Now(), body, c.Secret)
			sent.Go(func() { exchanges[i] = c.Try(c, c.Client, http.MethodPost, c.URL, h, body) })
		}
		sent.Wait()
		for _, e := range exchanges {
			if e.Err != nil {
				c.Fail("an answer over HTTP", "%v", e.Err)
			}
			c.wantTaken(e)
		}
	}},
}

// other is a secret that the receiver does not know.
func (c *check) other() webhook.Secret {
	s, err := webhook.NewSecret([]byte("contract-test-of-another-secret!"))
	if err != nil {
		c.Fail("a secret", "%v", err)
	}
	return s
}
