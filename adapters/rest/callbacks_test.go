package rest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/participants/protocol"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// awaitsReceipt is a return whose ITEM_RECEIPT answers later, and the token for it.
func awaitsReceipt(t *testing.T, s *server) (id, token string) {
	t.Helper()
	id = s.post(t, "/workflows/return/start", readFile(t, "examples/return-request.json")).is(201).tree()["workflowId"].(string)
	s.succeeds(t, id, "RETURN_VALIDATION", `{"valid":true}`)
	token = s.dispatch(t, id, "ITEM_RECEIPT").Token
	s.answers(t, id, "ITEM_RECEIPT", domain.Answer{Outcome: domain.Accepted})
	return id, token
}

func TestCallbackAnswersACommandOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id, token := awaitsReceipt(t, s)
	const answer = `{"outcome":"SUCCEEDED","result":{"condition":"GOOD"}}`
	got := into[coordination.CallbackReceipt](s.post(t, "/callbacks/"+token, answer, "Authorization", "").is(200))
	if want := s.state(id).SagaID + ":1:ITEM_RECEIPT:execute"; got.CommandID != want {
		t.Errorf("the receipt is for %s, want %s", got.CommandID, want)
	}
	if current := s.currentStep(id); current != "INVENTORY_RESTOCK" {
		t.Errorf("the workflow is at %s", current)
	}
	s.post(t, "/callbacks/"+token, ` {"result": {"condition" : "GOOD"}, "outcome":"SUCCEEDED"}`, "Authorization", "").is(200)
	s.post(t, "/callbacks/"+token, `{"outcome":"SUCCEEDED","result":{"condition":"BAD"}}`).is(409).code(coordination.ErrCallbackConflict)
	s.post(t, "/callbacks/"+token+"/heartbeat", "").is(410).code(coordination.ErrCallbackGone)
}

func TestCallbackWithoutOutcomeSaysByBeingSentThatItWentWell(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id, token := awaitsReceipt(t, s)
	s.post(t, "/callbacks/"+token, `{"error":{"code":"X"}}`).is(400)
	s.post(t, "/callbacks/"+token, `{"result":{"condition":"GOOD"}}`).is(200)
	if current := s.currentStep(id); current != "INVENTORY_RESTOCK" {
		t.Errorf("the workflow is at %s", current)
	}
}

func TestCallbackOfARefusal(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id, token := awaitsReceipt(t, s)
	long := strings.Repeat("x", 5000)
	s.post(t, "/callbacks/"+token, `{"outcome":"REJECTED","error":{"code":"LOST","message":"`+long+`"}}`).is(200)
	if f := s.state(id).Failure; f == nil || f.Error.Code != "LOST" || len(f.Error.Message) > protocol.MaxErrorMessage {
		t.Errorf("the failure is %+v", f)
	}
}

func TestCallbackWithATextInPlaceOfACode(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id, token := awaitsReceipt(t, s)
	s.post(t, "/callbacks/"+token, `{"outcome":"REJECTED","error":{"code":"Jane Doe was not in","message":"a\u0007b\u202ec"}}`).is(200)
	if f := s.state(id).Failure; f == nil || f.Error.Code != protocol.CodeUnnamed || f.Error.Message != "abc" {
		t.Errorf("the failure is %+v", f)
	}
}

func TestHeartbeatMovesTheDeadline(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id, token := awaitsReceipt(t, s)
	s.after(20 * time.Minute)
	before := deadline(s.state(id), "ITEM_RECEIPT")
	got := into[coordination.CallbackReceipt](s.post(t, "/callbacks/"+token+"/heartbeat", "", "Authorization", "").is(200))
	if after := deadline(s.state(id), "ITEM_RECEIPT"); !got.Deadline.Equal(after) || after.Before(before) {
		t.Errorf("deadline %s, the receipt says %s, before it was %s", after, got.Deadline, before)
	}
}

func deadline(s domain.State, step string) time.Time {
	for i := range s.Steps {
		if s.Template.Steps[i].Name == step {
			return s.Steps[i].Deadline
		}
	}
	return time.Time{}
}

func TestCallbackThatComesTooLate(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id, token := awaitsReceipt(t, s)
	s.post(t, "/workflows/"+id+"/cancel", `{"reason":"R","initiatedBy":"ADMIN","force":true}`).is(202)
	s.post(t, "/callbacks/"+token, `{"outcome":"SUCCEEDED","result":{}}`).is(410).code(coordination.ErrCallbackGone)
}

func TestCallbacksOfNobody(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	_, token := awaitsReceipt(t, s)
	forged := token[:len(token)-1] + "A"
	if forged == token {
		forged = token[:len(token)-1] + "Q"
	}
	for _, bad := range []string{"x", "cbt_", forged, strings.Repeat("c", 3000), "cbt_%00"} {
		got := s.post(t, "/callbacks/"+bad, `{"outcome":"SUCCEEDED"}`).is(404)
		got.code(coordination.ErrCallbackNotFound)
		if strings.Contains(string(got.body), token[:20]) {
			t.Errorf("the answer repeats the token: %s", got.body)
		}
		s.post(t, "/callbacks/"+bad+"/heartbeat", "").is(404).code(coordination.ErrCallbackNotFound)
	}
	for body, path := range map[string]string{
		`{"outcome":"MAYBE"}`:                       "body.outcome",
		`{"outcome":"SUCCEEDED","result":[]}`:       "body.result",
		`{"outcome":"SUCCEEDED","result":"x"}`:      "body.result",
		`{"outcome":"RETRY","retryAfter":"5s"}`:     "body.retryAfter",
		`{"outcome":"SUCCEEDED","outcome":"RETRY"}`: "body.outcome",
		`{"outcome":"SUCCEEDED","secret":1}`:        "body.secret",
		`{"outcome":"REJECTED","error":"text"}`:     "body.error",
	} {
		if found := s.post(t, "/callbacks/"+token, body).is(400).violations(); found[path] == "" {
			t.Errorf("%s: violations are %v", body, found)
		}
	}
}
