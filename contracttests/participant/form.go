package participant

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

var formRules = []rule{
	{"unknown-fields", "members that a command did not have when the participant was written are passed over", func(c *check) {
		body, s := c.body()
		body = withMember(body, "contractTestOfAMemberToCome", `{"a":[1]}`)
		if !c.carrier.overHTTP() {
			c.Skip("checked over HTTP only")
		}
		h := c.carrier.(*httpCarrier)
		a := h.post(c.Probe, s.do.CommandID, s.do.Action, body, h.header(s.do.CommandID, body, time.Now(), c.Secret))
		c.wantOutcome(a, coordination.OutcomeSucceeded)
	}},
	{"unknown-action", "an action that the participant does not have is refused (4xx), not carried out", func(c *check) {
		c.onlyHTTP()
		cmd := c.newSaga().do
		cmd.Action = "contract-test-of-no-such-action"
		c.wantRefusal(c.send(cmd))
	}},
	{"malformed", "a body that is not JSON is refused (4xx)", func(c *check) {
		c.onlyHTTP()
		h := c.carrier.(*httpCarrier)
		cmd := c.newSaga().do
		for _, text := range []string{"", "{", "[]", `"x"`, `{"commandId":7}`, "\xff"} {
			body := []byte(text)
			c.wantRefusal(h.post(c.Probe, cmd.CommandID, cmd.Action, body, h.header(cmd.CommandID, body, time.Now(), c.Secret)))
		}
	}},
	{"signature-missing", "a command without a signature is refused (4xx) and has no effect", func(c *check) {
		c.unsigned(func(http.Header, []byte) {})
	}},
	{"signature-wrong", "a command that somebody else signed is refused (4xx) and has no effect", func(c *check) {
		other, err := webhook.NewSecret([]byte("contract-test-of-another-secret!"))
		if err != nil {
			c.Fail("a secret", "%v", err)
		}
		c.unsigned(func(h http.Header, body []byte) { webhook.SetHeaders(h, "id", time.Now(), body, other) })
	}},
	{"signature-body", "a command that was changed after it was signed is refused (4xx) and has no effect", func(c *check) {
		c.unsigned(func(h http.Header, body []byte) {
			webhook.SetHeaders(h, "id", time.Now(), append(body[:len(body):len(body)], ' '), c.Secret)
		})
	}},
	{"signature-old", "a command that was signed an hour ago is refused (4xx) and has no effect", func(c *check) {
		c.unsigned(func(h http.Header, body []byte) {
			webhook.SetHeaders(h, "id", time.Now().Add(-time.Hour), body, c.Secret)
		})
	}},
	{"signature-rotated", "of several signatures one that matches is enough", func(c *check) {
		c.needSecret()
		other, err := webhook.NewSecret([]byte("contract-test-of-another-secret!"))
		if err != nil {
			c.Fail("a secret", "%v", err)
		}
		body, s := c.body()
		h := c.carrier.(*httpCarrier)
		a := h.post(c.Probe, s.do.CommandID, s.do.Action, body, h.header(s.do.CommandID, body, time.Now(), other, c.Secret))
		c.wantOutcome(a, coordination.OutcomeSucceeded)
	}},
}

func (c *check) wantRefusal(a answer) {
	c.Want(a.status >= 400 && a.status < 500 && a.Outcome == refusedOutcome, "a refusal (4xx, not 408, 422, 425 or 429)", "%s", told(a))
}

func (c *check) needSecret() {
	c.onlyHTTP()
	if c.Secret.IsZero() {
		c.Skip("no secret was given")
	}
}

// body is a command as it is sent.
func (c *check) body() (json.RawMessage, saga) {
	s := c.newSaga()
	body, err := json.Marshal(s.do)
	if err != nil {
		c.Fail("a command that can be sent", "%v", err)
	}
	return body, s
}

// unsigned sends a command that is not signed as it should be, and then looks
// whether it was carried out all the same: if not, its commandId is still free
// for another command.
func (c *check) unsigned(sign func(h http.Header, body []byte)) {
	c.needSecret()
	body, s := c.body()
	h := c.carrier.(*httpCarrier)
	header := h.header(s.do.CommandID, body, time.Now())
	sign(header, body)
	c.wantRefusal(h.post(c.Probe, s.do.CommandID, s.do.Action, body, header))
	s.do.Parameters = withMember(s.do.Parameters, "contractTestOfAnotherPayload", "1")
	a := c.settle(s.do)
	c.Want(a.Outcome == coordination.OutcomeSucceeded, "no effect, so that another command can have the commandId: SUCCEEDED", "%s", told(a))
}
