package server

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/firstviscount/platform-coordination/contracttests/verify"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

const keyHeader = "X-Idempotency-Key"

var startRules = []rule{
	{"start", "an order is started with 201, and completes", func(c *check) {
		s := c.start(order(tokenGood))
		status := c.ends(s.WorkflowID, coordination.StatusCompleted)
		c.Want(status.WorkflowID == s.WorkflowID && status.Saga.SagaID == s.SagaID, "the status of what was started", "%s, %s", status.WorkflowID, status.Saga.SagaID)
	}},
	{"start-replayed", "a start with the key and body of another is answered as that was, with Idempotency-Replayed", func(c *check) {
		o := order(tokenGood)
		key := o["orderId"].(string)
		first := c.call(http.MethodPost, startOrder, o, keyHeader, key)
		c.want(first, http.StatusCreated, nil)
		again := c.call(http.MethodPost, startOrder, o, keyHeader, key)
		c.want(again, http.StatusCreated, nil)
		c.Want(again.AnswerHeader.Get("Idempotency-Replayed") == "true", "Idempotency-Replayed: true", "%q", again.AnswerHeader.Get("Idempotency-Replayed"))
		c.Want(bytes.Equal(first.Answer, again.Answer), "the first answer: "+clip(first.Answer), "%s", clip(again.Answer))
	}},
	{"start-key-reused", "a start with the key of another and another body is refused: 409", func(c *check) {
		o := order(tokenGood)
		key := o["orderId"].(string)
		c.start(o, keyHeader, key)
		got := c.refused(c.call(http.MethodPost, startOrder, order(tokenGood), keyHeader, key), http.StatusConflict, coordination.ErrWorkflowAlreadyExists)
		c.Want(got.Error.Details.Reason == "IDEMPOTENCY_KEY_REUSED", "details.reason IDEMPOTENCY_KEY_REUSED", "%q", got.Error.Details.Reason)
	}},
	{"start-duplicate", "an order that has a workflow is not started again: 409 with details.workflowId", func(c *check) {
		o := order(tokenGood)
		s := c.start(o)
		got := c.refused(c.call(http.MethodPost, startOrder, o), http.StatusConflict, coordination.ErrWorkflowAlreadyExists)
		c.Want(got.Error.Details.WorkflowID == s.WorkflowID, "details.workflowId "+s.WorkflowID, "%q", got.Error.Details.WorkflowID)
	}},
	{"start-after-failure", "an order whose workflow has failed can be started again", func(c *check) {
		o := order(tokenDeclined)
		c.ends(c.start(o).WorkflowID, coordination.StatusFailed)
		o["paymentMethod"].(map[string]any)["token"] = tokenGood
		c.ends(c.start(o).WorkflowID, coordination.StatusCompleted)
	}},
	{"start-wait", "Prefer: wait answers with the status document of the end, and Preference-Applied", func(c *check) {
		e := c.call(http.MethodPost, startOrder, order(tokenGood), "Prefer", "wait=20")
		var s coordination.WorkflowStatus
		c.want(e, http.StatusCreated, &s)
		c.Want(s.Status == coordination.StatusCompleted, "the status COMPLETED", "%s", s.Status)
		c.Want(strings.HasPrefix(e.AnswerHeader.Get("Preference-Applied"), "wait"), "Preference-Applied: wait", "%q", e.AnswerHeader.Get("Preference-Applied"))
	}},
	{"start-template", "a workflow of a template is started by its type", func(c *check) {
		var s started
		body := map[string]any{"type": "COMPENSATION_TEST", "businessKey": strings.ToLower(rand.Text()), "input": map[string]any{"failStep": "EXECUTE"}}
		c.want(c.call(http.MethodPost, "/workflows/start", body), http.StatusCreated, &s)
		c.ends(s.WorkflowID, coordination.StatusFailed)
		c.refused(c.call(http.MethodPost, "/workflows/start", map[string]any{"type": "CONTRACT_TEST_OF_NO_SUCH_TYPE", "businessKey": "x", "input": map[string]any{}}),
			http.StatusNotFound, coordination.ErrTemplateNotFound)
	}},
}

var lifeRules = []rule{
	{"declined", "an order that is declined ends FAILED, and what was done before is undone", func(c *check) {
		s := c.start(order(tokenDeclined))
		c.ends(s.WorkflowID, coordination.StatusFailed)
		c.Want(c.saga(s.SagaID).State == "COMPENSATED", "the saga COMPENSATED", "%s", c.saga(s.SagaID).State)
	}},
	{"cancel", "a running order is cancelled with 202, again with the same answer, and ends CANCELLED", func(c *check) {
		s := c.start(order(tokenHangs))
		body := map[string]any{"reason": "CUSTOMER_REQUESTED", "initiatedBy": "CUSTOMER", "force": true}
		first := c.call(http.MethodPost, "/workflows/"+s.WorkflowID+"/cancel", body)
		c.want(first, http.StatusAccepted, nil)
		c.want(c.call(http.MethodPost, "/workflows/"+s.WorkflowID+"/cancel", body), http.StatusAccepted, nil)
		c.ends(s.WorkflowID, coordination.StatusCancelled)
		c.want(c.call(http.MethodPost, "/workflows/"+s.WorkflowID+"/cancel", body), http.StatusAccepted, nil)
	}},
	{"cancel-completed", "a completed order is not cancelled: 422", func(c *check) {
		s := c.start(order(tokenGood))
		c.ends(s.WorkflowID, coordination.StatusCompleted)
		c.refused(c.call(http.MethodPost, "/workflows/"+s.WorkflowID+"/cancel", map[string]any{"reason": "CUSTOMER_REQUESTED", "initiatedBy": "CUSTOMER"}),
			http.StatusUnprocessableEntity, coordination.ErrInvalidWorkflowState)
	}},
	{"retry-running", "an order that is neither failed nor parked is not retried: 422", func(c *check) {
		s := c.start(order(tokenSlow))
		c.refused(c.call(http.MethodPost, "/workflows/"+s.WorkflowID+"/retry", map[string]any{}), http.StatusUnprocessableEntity, coordination.ErrInvalidWorkflowState)
	}},
	{"retry-failed", "a failed order is retried with 200, in another run", func(c *check) {
		s := c.start(order(tokenDeclined))
		before := c.ends(s.WorkflowID, coordination.StatusFailed)
		c.want(c.call(http.MethodPost, "/workflows/"+s.WorkflowID+"/retry", map[string]any{}), http.StatusOK, nil)
		c.Eventually("events of another run", func() (string, bool) {
			now := c.status(s.WorkflowID)
			return string(now.Status), len(now.Events) > len(before.Events) && now.Status == coordination.StatusFailed
		})
	}},
	{"events", "the log has every event once, in order, from the start to the end", func(c *check) {
		s := c.start(order(tokenGood))
		c.ends(s.WorkflowID, coordination.StatusCompleted)
		var history struct {
			Events []struct {
				Sequence int    `json:"sequence"`
				Event    string `json:"event"`
			} `json:"events"`
		}
		c.want(c.call(http.MethodGet, "/workflows/"+s.WorkflowID+"/events?size=100", nil), http.StatusOK, &history)
		for i, e := range history.Events {
			c.Want(e.Sequence == i+1, "events numbered from 1", "number %d at %d", e.Sequence, i)
		}
		n := len(history.Events)
		c.Want(n > 2 && history.Events[0].Event == "WORKFLOW_STARTED" && history.Events[n-1].Event == "WORKFLOW_COMPLETED",
			"WORKFLOW_STARTED first and WORKFLOW_COMPLETED last", "%+v", history.Events)
	}},
	{"stream", "the stream has every event with its number, goes on after Last-Event-ID, and ends after the last event", func(c *check) {
		s := c.start(order(tokenGood))
		whole := streamed(c.call(http.MethodGet, "/workflows/"+s.WorkflowID+"/stream", nil, "Accept", "text/event-stream"))
		c.Want(len(whole) > 2 && whole[0] == "1" && whole[len(whole)-1] != "", "events from 1 to the end", "%v", whole)
		rest := streamed(c.call(http.MethodGet, "/workflows/"+s.WorkflowID+"/stream", nil, "Accept", "text/event-stream", "Last-Event-ID", "2"))
		c.Want(len(rest) == len(whole)-2 && rest[0] == "3", "events from 3 on after Last-Event-ID: 2", "%v", rest)
	}},
}

// streamed are the ids of a stream of server-sent events.
func streamed(e *verify.Exchange) (ids []string) {
	for line := range strings.Lines(string(e.Answer)) {
		if id, ok := strings.CutPrefix(line, "id:"); ok {
			ids = append(ids, strings.TrimSpace(id))
		}
	}
	return ids
}

// sagaView is the part of a saga that the rules look at.
type sagaView struct {
	SagaID  string `json:"sagaId"`
	State   string `json:"state"`
	Version int    `json:"version"`
	Steps   []struct {
		Name   string `json:"name"`
		Status string `json:"status"`
	} `json:"steps"`
	Compensation []json.RawMessage `json:"compensationSteps"`
}

func (c *check) saga(id string) sagaView {
	var s sagaView
	c.want(c.call(http.MethodGet, "/sagas/"+id, nil), http.StatusOK, &s)
	return s
}

var sagaRules = []rule{
	{"saga", "the saga of a completed order is COMPLETED, with as many events as its version says", func(c *check) {
		s := c.start(order(tokenGood))
		status := c.ends(s.WorkflowID, coordination.StatusCompleted)
		saga := c.saga(s.SagaID)
		c.Want(saga.State == "COMPLETED", "COMPLETED", "%s", saga.State)
		c.Want(saga.Version == len(status.Events), "the version to be the number of events", "version %d, %d events", saga.Version, len(status.Events))
	}},
	{"saga-dry-run", "?dryRun=true answers with the plan and changes nothing", func(c *check) {
		s := c.start(order(tokenGood))
		c.ends(s.WorkflowID, coordination.StatusCompleted)
		before := c.saga(s.SagaID)
		c.want(c.call(http.MethodPost, "/sagas/"+s.SagaID+"/compensate?dryRun=true", compensate), http.StatusOK, nil)
		after := c.saga(s.SagaID)
		c.Want(after.Version == before.Version, "no change", "version %d after %d", after.Version, before.Version)
	}},
	{"saga-compensate", "the saga of a completed order is compensated with 202, and ends COMPENSATED", func(c *check) {
		s := c.start(order(tokenGood))
		c.ends(s.WorkflowID, coordination.StatusCompleted)
		c.want(c.call(http.MethodPost, "/sagas/"+s.SagaID+"/compensate", compensate), http.StatusAccepted, nil)
		c.Eventually("the saga COMPENSATED", func() (string, bool) {
			saga := c.saga(s.SagaID)
			return saga.State, saga.State == "COMPENSATED"
		})
		c.ends(s.WorkflowID, coordination.StatusCancelled)
	}},
}

var compensate = map[string]any{"reason": "MANUAL_INTERVENTION", "forceCompensation": true}
