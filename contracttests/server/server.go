// Package server is what a server must keep that claims this API: any
// coordinator, or a stand-in for one. It starts workflows of its own; the
// server's participants must be the simulated ones, or behave like them.
//
//	func TestOurServer(t *testing.T) {
//		server.Run(t, baseURL, token)
//	}
package server

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/contracttests/verify"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Suite is the suite's name in reports.
const Suite = "server"

// Target is a server.
type Target struct {
	// BaseURL is the API's base, such as http://127.0.0.1:8080/api/v1.
	BaseURL string
	// Token is a bearer token with the role admin.
	Token string
	// Client sends the requests; one of the package's own if nil.
	Client *http.Client
}

var errTarget = errors.New("server: BaseURL and Token are needed")

// Rules are all rules for a server. They may be checked in parallel.
func Rules(target Target) ([]verify.Rule, error) {
	if target.BaseURL == "" || target.Token == "" {
		return nil, errTarget
	}
	target.BaseURL = strings.TrimSuffix(target.BaseURL, "/")
	if target.Client == nil {
		target.Client = verify.Client()
	}
	var rules []verify.Rule
	for _, list := range [][]rule{startRules, lifeRules, sagaRules, refusalRules, readRules} {
		for _, r := range list {
			rules = append(rules, verify.Rule{ID: Suite + "/" + r.id, Promise: r.promise,
				Check: func(p *verify.Probe) { r.check(&check{Probe: p, Target: target}) }})
		}
	}
	return rules, nil
}

// Run checks every rule, in parallel.
func Run(t *testing.T, baseURL, token string) {
	t.Helper()
	rules, err := Rules(Target{BaseURL: baseURL, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	verify.Test(t, rules)
}

// rule is a promise before it has a target.
type rule struct {
	id, promise string
	check       func(c *check)
}

// check is one rule being checked.
type check struct {
	*verify.Probe
	Target
}

// call sends a request with the token, and headers given as name, value.
func (c *check) call(method, path string, body any, headers ...string) *verify.Exchange {
	h := http.Header{}
	h.Set("Authorization", "Bearer "+c.Token)
	for i := 0; i+1 < len(headers); i += 2 {
		if h.Set(headers[i], headers[i+1]); headers[i+1] == "" {
			h.Del(headers[i])
		}
	}
	data, isRaw := body.([]byte)
	if !isRaw && body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			c.Fail("a request that can be sent", "%v", err)
		}
	}
	if body != nil && h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	return c.Send(c.Client, method, c.BaseURL+path, h, data)
}

// want is a call that must be answered with a status; its body goes into v.
func (c *check) want(e *verify.Exchange, status int, v any) {
	c.Want(e.Status == status, fmt.Sprintf("status %d", status), "%d %s", e.Status, clip(e.Answer))
	if v == nil {
		return
	}
	d := json.NewDecoder(bytes.NewReader(e.Answer))
	if err := d.Decode(v); err != nil {
		c.Fail("a body as the API describes it", "%v: %s", err, clip(e.Answer))
	}
}

func clip(text []byte) string { return string(text[:min(len(text), 500)]) }

// refused is a call that must be answered with an error: its status, its code,
// and the envelope around it.
func (c *check) refused(e *verify.Exchange, status int, code coordination.Code) *envelope {
	var got envelope
	c.want(e, status, &got)
	c.Want(got.Error.Code == string(code), "the code "+string(code), "%q", got.Error.Code)
	c.Want(got.Error.Message != "", "a message", "none")
	c.Want(got.Error.TraceID != "", "a traceId", "none")
	return &got
}

// envelope is what every error is in.
type envelope struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		TraceID string `json:"traceId"`
		Details struct {
			Reason     string `json:"reason"`
			WorkflowID string `json:"workflowId"`
			Violations []struct {
				Path    string `json:"path"`
				Message string `json:"message"`
			} `json:"violations"`
		} `json:"details"`
	} `json:"error"`
}

// order is an order that was never placed.
func order(token string) map[string]any {
	return map[string]any{
		"orderId": "ord-" + strings.ToLower(rand.Text()), "customerId": "cust-contract",
		"items":           []any{map[string]any{"productId": "prod-cup", "quantity": 2, "unitPrice": json.Number("9.95"), "warehouseId": "wh-001"}},
		"paymentMethod":   map[string]any{"type": "CREDIT_CARD", "token": token, "amount": json.Number("19.90"), "currency": "USD"},
		"shippingAddress": map[string]any{"name": "Jane Doe", "street": "1 Main St", "city": "Springfield", "zipCode": "00000", "country": "US"},
		"shippingMethod":  "STANDARD",
	}
}

// Payment tokens that simulated participants know.
const (
	tokenGood     = "tok_visa_4242"
	tokenDeclined = "tok_chargeDeclined"
	tokenSlow     = "tok_slow_202"
	tokenHangs    = "tok_timeout"
)

const startOrder = "/workflows/order/start"

// started is the part of a start's answer that the rules look at.
type started struct {
	WorkflowID string `json:"workflowId"`
	SagaID     string `json:"-"` // read from the status
}

// start starts an order.
func (c *check) start(o map[string]any, headers ...string) started {
	var s started
	c.want(c.call(http.MethodPost, startOrder, o, headers...), http.StatusCreated, &s)
	c.Want(strings.HasPrefix(s.WorkflowID, "wf-"), "a workflowId", "%q", s.WorkflowID)
	s.SagaID = c.status(s.WorkflowID).Saga.SagaID
	c.Want(strings.HasPrefix(s.SagaID, "saga-"), "a saga.sagaId in the status", "%q", s.SagaID)
	return s
}

// status reads the status of a workflow.
func (c *check) status(id string) coordination.WorkflowStatus {
	var s coordination.WorkflowStatus
	c.want(c.call(http.MethodGet, "/workflows/"+id+"/status", nil), http.StatusOK, &s)
	return s
}

// ends waits for the end of a workflow.
func (c *check) ends(id string, want coordination.Status) coordination.WorkflowStatus {
	var s coordination.WorkflowStatus
	c.Eventually("the status "+string(want), func() (string, bool) {
		s = c.status(id)
		return string(s.Status), s.Status.Terminal() || s.Status == coordination.StatusParked
	})
	c.Want(s.Status == want, "the status "+string(want), "%s", s.Status)
	return s
}

// unknownID is an identifier that the server never gave out.
func unknownID(prefix string) string {
	return prefix + "00000000-0000-7000-8000-" + fmt.Sprintf("%012d", time.Now().UnixNano()%1_000_000_000_000)
}
