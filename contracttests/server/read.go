package server

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// maxBody is the most that a body may have.
const maxBody = 256 << 10

var refusalRules = []rule{
	{"no-token", "a request without a token is refused: 401 with WWW-Authenticate", func(c *check) {
		e := c.call(http.MethodGet, "/health", nil, "Authorization", "")
		c.Want(e.Status == http.StatusUnauthorized, "status 401", "%d", e.Status)
		c.Want(e.AnswerHeader.Get("WWW-Authenticate") != "", "a header WWW-Authenticate", "none")
	}},
	{"bad-token", "a request with a token that is none is refused: 401", func(c *check) {
		for _, token := range []string{"Bearer x", "Bearer " + c.Token + "x", "Basic eDp4", "Bearer eyJhbGciOiJub25lIn0.e30."} {
			e := c.call(http.MethodGet, "/workflows/active", nil, "Authorization", token)
			c.Want(e.Status == http.StatusUnauthorized, "status 401", "%d", e.Status)
		}
	}},
	{"violations", "invalid input is refused with all its faults at once: 400 with details.violations", func(c *check) {
		o := order(tokenGood)
		delete(o, "customerId")
		o["shippingMethod"] = 7
		got := c.refused(c.call(http.MethodPost, startOrder, o), http.StatusBadRequest, coordination.ErrInvalidRequest)
		paths := ""
		for _, v := range got.Error.Details.Violations {
			paths += v.Path + " " + v.Message + " "
		}
		c.Want(strings.Contains(paths, "customerId") && strings.Contains(paths, "shippingMethod"), "violations of customerId and shippingMethod", "%s", paths)
	}},
	{"values-not-quoted", "an error does not quote what was sent: it may be a secret", func(c *check) {
		o := order("tok_contract_test_secret with a space")
		o["customerId"] = strings.Repeat("contract-test-secret ", 200)
		e := c.call(http.MethodPost, startOrder, o)
		c.refused(e, http.StatusBadRequest, coordination.ErrInvalidRequest)
		c.Want(!bytes.Contains(e.Answer, []byte("secret")), "no value in the error", "%s", clip(e.Answer))
	}},
	{"unknown-member", "a member that is not known is refused: 400", func(c *check) {
		o := order(tokenGood)
		o["contractTestOfNoSuchMember"] = true
		c.refused(c.call(http.MethodPost, startOrder, o), http.StatusBadRequest, coordination.ErrInvalidRequest)
	}},
	{"broken-json", "a body that is not JSON is refused: 400; of another content type: 415; too large: 413", func(c *check) {
		for _, body := range []string{"", "{", "[]", `{"a":1}x`, "\xff"} {
			c.refused(c.call(http.MethodPost, startOrder, []byte(body)), http.StatusBadRequest, coordination.ErrInvalidRequest)
		}
		c.refused(c.call(http.MethodPost, startOrder, []byte("a=b"), "Content-Type", "application/x-www-form-urlencoded"),
			http.StatusUnsupportedMediaType, coordination.ErrInvalidRequest)
		large := append([]byte(`{"orderId":"`), bytes.Repeat([]byte("x"), maxBody)...)
		c.refused(c.call(http.MethodPost, startOrder, append(large, `"}`...)), http.StatusRequestEntityTooLarge, coordination.ErrInvalidRequest)
	}},
	{"money", "an amount that is not the sum of the items is refused: 422; one with too many digits: 400", func(c *check) {
		o := order(tokenGood)
		o["paymentMethod"].(map[string]any)["amount"] = 19.91
		c.refused(c.call(http.MethodPost, startOrder, o), http.StatusUnprocessableEntity, coordination.ErrBusinessRuleViolation)
		o = order(tokenGood)
		o["paymentMethod"].(map[string]any)["amount"] = 19.905
		c.refused(c.call(http.MethodPost, startOrder, o), http.StatusBadRequest, coordination.ErrInvalidRequest)
	}},
	{"not-found", "what does not exist is 404 with the code of its kind, whatever its identifier looks like", func(c *check) {
		for path, code := range map[string]coordination.Code{
			"/workflows/" + unknownID("wf-") + "/status": coordination.ErrWorkflowNotFound,
			"/workflows/not-an-id/status":                coordination.ErrWorkflowNotFound,
			"/sagas/" + unknownID("saga-"):               coordination.ErrSagaNotFound,
			"/workflow-templates/not-a-template":         coordination.ErrTemplateNotFound,
		} {
			c.refused(c.call(http.MethodGet, path, nil), http.StatusNotFound, code)
		}
	}},
	{"no-route", "a path or method that the API does not have has the error envelope too", func(c *check) {
		e := c.call(http.MethodGet, "/contract-test-of-no-such-path", nil)
		c.Want(e.Status == http.StatusNotFound && bytes.Contains(e.Answer, []byte(`"traceId"`)), "404 with the envelope", "%d %s", e.Status, clip(e.Answer))
		e = c.call(http.MethodDelete, "/workflows/active", nil)
		c.Want(e.Status == http.StatusMethodNotAllowed && bytes.Contains(e.Answer, []byte(`"traceId"`)), "405 with the envelope", "%d %s", e.Status, clip(e.Answer))
	}},
	{"request-id", "every response has X-Request-Id", func(c *check) {
		for _, path := range []string{"/health", "/workflows/not-an-id/status"} {
			e := c.call(http.MethodGet, path, nil)
			c.Want(e.AnswerHeader.Get("X-Request-Id") != "", "X-Request-Id", "none")
		}
	}},
	{"callback-token", "a callback with a token that was never given out is 404", func(c *check) {
		e := c.call(http.MethodPost, "/callbacks/cbt_contract-test-of-no-such-token", map[string]any{"outcome": "SUCCEEDED"}, "Authorization", "")
		c.Want(e.Status == http.StatusNotFound, "status 404", "%d", e.Status)
	}},
}

// page is the part of a list that the rules look at.
type page struct {
	Workflows []struct {
		WorkflowID string `json:"workflowId"`
	} `json:"workflows"`
	Pagination struct {
		TotalElements int    `json:"totalElements"`
		NextCursor    string `json:"nextCursor"`
	} `json:"pagination"`
}

var readRules = []rule{
	{"list", "a list finds a workflow by its order, terminal ones too", func(c *check) {
		o := order(tokenGood)
		s := c.start(o)
		c.ends(s.WorkflowID, coordination.StatusCompleted)
		var got page
		c.want(c.call(http.MethodGet, "/workflows?orderId="+o["orderId"].(string), nil), http.StatusOK, &got)
		c.Want(got.Pagination.TotalElements == 1 && len(got.Workflows) == 1 && got.Workflows[0].WorkflowID == s.WorkflowID,
			"the one workflow "+s.WorkflowID, "%+v", got)
	}},
	{"list-pages", "following nextCursor, a list has every workflow once", func(c *check) {
		want := map[string]bool{}
		for range 3 {
			want[c.start(order(tokenGood)).WorkflowID] = true
		}
		seen := map[string]bool{}
		path := "/workflows?size=2"
		for range 200 { // there may be others
			var got page
			c.want(c.call(http.MethodGet, path, nil), http.StatusOK, &got)
			c.Want(len(got.Workflows) <= 2, "at most as many as size says", "%d", len(got.Workflows))
			for _, w := range got.Workflows {
				c.Want(!seen[w.WorkflowID], "every workflow once", "%s twice", w.WorkflowID)
				seen[w.WorkflowID] = true
				delete(want, w.WorkflowID)
			}
			if len(want) == 0 || got.Pagination.NextCursor == "" {
				break
			}
			path = "/workflows?size=2&cursor=" + got.Pagination.NextCursor
		}
		c.Want(len(want) == 0, "all that were started", "%d are missing", len(want))
	}},
	{"list-limits", "a page of more than 100, or of an order that is not known, is refused: 400", func(c *check) {
		for _, query := range []string{"size=101", "size=0", "page=-1", "sort=nothing,asc", "status=NOTHING"} {
			c.refused(c.call(http.MethodGet, "/workflows/active?"+query, nil), http.StatusBadRequest, coordination.ErrInvalidRequest)
		}
	}},
	{"templates", "the templates are listed, each can be read by its ID", func(c *check) {
		var list struct {
			Templates []struct {
				TemplateID string `json:"templateId"`
			} `json:"templates"`
		}
		c.want(c.call(http.MethodGet, "/workflow-templates", nil), http.StatusOK, &list)
		c.Want(len(list.Templates) > 0, "templates", "none")
		for _, t := range list.Templates {
			c.want(c.call(http.MethodGet, "/workflow-templates/"+t.TemplateID, nil), http.StatusOK, nil)
		}
	}},
	{"metrics", "metrics count what ended", func(c *check) {
		s := c.start(order(tokenGood))
		c.ends(s.WorkflowID, coordination.StatusCompleted)
		var m struct {
			Overview struct {
				Completed int `json:"completed"`
			} `json:"overview"`
		}
		e := c.call(http.MethodGet, "/workflows/metrics?period=TODAY", nil)
		c.want(e, http.StatusOK, &m)
		c.Want(bytes.Contains(e.Answer, []byte("ORDER_FULFILLMENT")), "the type ORDER_FULFILLMENT", "%s", clip(e.Answer))
	}},
	{"health", "health is UP or DEGRADED, with its dependencies", func(c *check) {
		var h struct {
			Status string `json:"status"`
		}
		c.want(c.call(http.MethodGet, "/health", nil), http.StatusOK, &h)
		c.Want(h.Status == "UP" || h.Status == "DEGRADED", "UP or DEGRADED", "%q", h.Status)
	}},
}
