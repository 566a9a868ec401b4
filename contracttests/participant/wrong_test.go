package participant_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
	sdk "github.com/firstviscount/platform-coordination/sdk/participant"
)

// exchange is a command and what the good participant says to it.
type exchange struct {
	cmd    coordination.Command
	body   []byte
	header http.Header
	r      *http.Request
	next   http.Handler
}

// pass has the good participant answer, to another command if it was changed.
func (e *exchange) pass() *httptest.ResponseRecorder {
	request := e.r.Clone(e.r.Context())
	request.Body = io.NopCloser(bytes.NewReader(e.body))
	recorder := httptest.NewRecorder()
	e.next.ServeHTTP(recorder, request)
	return recorder
}

// as has the good participant answer to e.cmd instead of what came.
func (e *exchange) as() *httptest.ResponseRecorder {
	e.body, _ = json.Marshal(e.cmd)
	e.r.Header.Del("Idempotency-Key")
	return e.pass()
}

func say(status int, body string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	recorder.Code = status
	recorder.Body.WriteString(body)
	return recorder
}

// flaw makes a participant that answers by f.
func flaw(f func(e *exchange) *httptest.ResponseRecorder) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			e := &exchange{body: body, header: r.Header, r: r, next: next}
			_ = json.Unmarshal(body, &e.cmd)
			answer := f(e)
			for name, values := range answer.Header() {
				w.Header()[name] = values
			}
			w.WriteHeader(answer.Code)
			_, _ = w.Write(answer.Body.Bytes())
		})
	}
}

var count atomic.Int64

// fresh is a success that was never told before.
func fresh() *httptest.ResponseRecorder {
	return say(200, `{"outcome":"SUCCEEDED","result":{"cardId":"card-`+strconv.FormatInt(count.Add(1), 10)+`"}}`)
}

func isUndo(e *exchange) bool { return e.cmd.Direction == coordination.DirectionCompensate }

const succeeded = `{"outcome":"SUCCEEDED"}`

// wrong are participants that break a rule each.
var wrong = []struct {
	name      string
	rule      string
	unchecked bool // it checks no signatures
	flaw      func(http.Handler) http.Handler
	complete  func(c *sdk.Command)
}{
	{name: "does nothing", rule: "success", flaw: flaw(func(*exchange) *httptest.ResponseRecorder { return say(503, "") })},
	{name: "answers a list", rule: "success", flaw: flaw(func(*exchange) *httptest.ResponseRecorder {
		return say(200, `{"outcome":"SUCCEEDED","result":["card"]}`)
	})},
	{name: "forgets", rule: "same-key", flaw: flaw(func(*exchange) *httptest.ResponseRecorder { return fresh() })},
	{name: "takes an attempt for a command", rule: "same-key", flaw: flaw(func() func(e *exchange) *httptest.ResponseRecorder {
		var seen sync.Map
		return func(e *exchange) *httptest.ResponseRecorder {
			answer, _ := seen.LoadOrStore(e.cmd.CommandID+strconv.Itoa(e.cmd.Attempt), fresh())
			return answer.(*httptest.ResponseRecorder)
		}
	}())},
	{name: "refuses duplicates", rule: "same-key", flaw: flaw(func() func(e *exchange) *httptest.ResponseRecorder {
		var seen sync.Map
		return func(e *exchange) *httptest.ResponseRecorder {
			if _, again := seen.LoadOrStore(e.cmd.CommandID, true); again {
				return say(409, `{"error":{"code":"DUPLICATE"}}`)
			}
			return fresh()
		}
	}())},
	{name: "races", rule: "parallel-duplicates", flaw: flaw(func() func(e *exchange) *httptest.ResponseRecorder {
		var seen sync.Map
		return func(e *exchange) *httptest.ResponseRecorder {
			if answer, again := seen.Load(e.cmd.CommandID); again {
				return answer.(*httptest.ResponseRecorder)
			}
			time.Sleep(50 * time.Millisecond)
			answer := fresh()
			seen.Store(e.cmd.CommandID, answer)
			return answer
		}
	}())},
	{name: "carries out whatever comes", rule: "other-payload", flaw: flaw(func() func(e *exchange) *httptest.ResponseRecorder {
		var seen sync.Map
		return func(e *exchange) *httptest.ResponseRecorder {
			answer, _ := seen.LoadOrStore(e.cmd.CommandID+string(e.cmd.Parameters), fresh())
			return answer.(*httptest.ResponseRecorder)
		}
	}())},
	{name: "one at a time", rule: "other-keys", flaw: flaw(func() func(e *exchange) *httptest.ResponseRecorder {
		var busy atomic.Bool
		return func(*exchange) *httptest.ResponseRecorder {
			if busy.Swap(true) {
				return say(500, "")
			}
			time.Sleep(100 * time.Millisecond)
			busy.Store(false)
			return fresh()
		}
	}())},
	{name: "gives no reason", rule: "refusal", flaw: flaw(func(e *exchange) *httptest.ResponseRecorder {
		if answer := e.pass(); answer.Code != 422 {
			return answer
		}
		return say(422, `{"outcome":"REJECTED"}`)
	})},
	{name: "calls a refusal a success", rule: "refusal", flaw: flaw(func(e *exchange) *httptest.ResponseRecorder {
		if answer := e.pass(); answer.Code != 422 {
			return answer
		}
		return say(200, succeeded)
	})},
	{name: "calls being busy a refusal", rule: "retry-after", flaw: flaw(func(e *exchange) *httptest.ResponseRecorder {
		if answer := e.pass(); answer.Code != 503 {
			return answer
		}
		return say(422, `{"outcome":"REJECTED","error":{"code":"BUSY"}}`)
	})},
	{name: "has no undo", rule: "undo", flaw: flaw(func(e *exchange) *httptest.ResponseRecorder {
		if isUndo(e) {
			return say(422, `{"outcome":"REJECTED","error":{"code":"NO_UNDO"}}`)
		}
		return e.pass()
	})},
	{name: "undoes by its result", rule: "undo-unknown", flaw: flaw(func(e *exchange) *httptest.ResponseRecorder {
		if isUndo(e) && len(e.cmd.Forward.Result) == 0 {
			return say(422, `{"outcome":"REJECTED","error":{"code":"NO_CARD"}}`)
		}
		return e.pass()
	})},
	{name: "cannot undo twice", rule: "undo-twice", flaw: flaw(func() func(e *exchange) *httptest.ResponseRecorder {
		var seen sync.Map
		return func(e *exchange) *httptest.ResponseRecorder {
			if _, again := seen.LoadOrStore(e.cmd.CommandID, true); again && isUndo(e) {
				return say(422, `{"outcome":"REJECTED","error":{"code":"NOT_FOUND"}}`)
			}
			return e.pass()
		}
	}())},
	{name: "cannot undo what never came", rule: "undo-before-do", flaw: flaw(func() func(e *exchange) *httptest.ResponseRecorder {
		var seen sync.Map
		return func(e *exchange) *httptest.ResponseRecorder {
			seen.Store(e.cmd.CommandID, true)
			if isUndo(e) {
				if _, came := seen.Load(e.cmd.Forward.CommandID); !came {
					return say(404, `{"error":{"code":"NOT_FOUND"}}`)
				}
			}
			return e.pass()
		}
	}())},
	{name: "forgets undos", rule: "late-do", flaw: flaw(func(e *exchange) *httptest.ResponseRecorder {
		if isUndo(e) {
			return say(200, succeeded)
		}
		return e.pass()
	})},
	{name: "says it in its own words", rule: "late-do", flaw: flaw(func(e *exchange) *httptest.ResponseRecorder {
		if answer := e.pass(); answer.Code != 422 {
			return answer
		}
		return say(422, `{"outcome":"REJECTED","error":{"code":"TOO_LATE"}}`)
	})},
	{name: "does it anew after the undo", rule: "late-duplicate", flaw: flaw(func(e *exchange) *httptest.ResponseRecorder {
		if answer := e.pass(); isUndo(e) || answer.Code == 200 {
			return answer
		}
		return fresh()
	})},
	{name: "undoes once", rule: "undo-keys", flaw: flaw(func() func(e *exchange) *httptest.ResponseRecorder {
		var undone sync.Map
		return func(e *exchange) *httptest.ResponseRecorder {
			if isUndo(e) {
				if _, again := undone.LoadOrStore(e.cmd.Forward.CommandID, true); again {
					return say(422, `{"outcome":"REJECTED","error":{"code":"UNDONE"}}`)
				}
			}
			return e.pass()
		}
	}())},
	{name: "has no clock", rule: "deadline-passed", unchecked: true, flaw: flaw(func(e *exchange) *httptest.ResponseRecorder {
		e.cmd.Deadline = coordination.Time{Time: time.Now().Add(time.Minute)}
		return e.as()
	})},
	{name: "refuses for ever what came late", rule: "deadline-passed", flaw: flaw(func(e *exchange) *httptest.ResponseRecorder {
		if time.Now().After(e.cmd.Deadline.Time) {
			return say(422, `{"outcome":"REJECTED","error":{"code":"LATE"}}`)
		}
		return e.pass()
	})},
	{name: "never calls back", rule: "callback", complete: func(*sdk.Command) {}},
	{name: "calls back once", rule: "callback-repeated", complete: func(c *sdk.Command) { post(c) }},
	{name: "calls back for ever", rule: "callback-gone", complete: func(c *sdk.Command) {
		for range 20 {
			post(c)
			time.Sleep(50 * time.Millisecond)
		}
	}},
	{name: "forgets its promise", rule: "accepted-again", flaw: flaw(func(e *exchange) *httptest.ResponseRecorder {
		if bytes.Contains(e.cmd.Parameters, []byte("later")) && e.cmd.Attempt > 1 {
			return say(422, `{"outcome":"REJECTED","error":{"code":"DUPLICATE"}}`)
		}
		return e.pass()
	})},
	{name: "is strict", rule: "unknown-fields", flaw: flaw(func(e *exchange) *httptest.ResponseRecorder {
		d := json.NewDecoder(bytes.NewReader(e.body))
		d.DisallowUnknownFields()
		if d.Decode(new(coordination.Command)) != nil {
			return say(400, `{"error":{"code":"UNKNOWN_FIELD"}}`)
		}
		return e.pass()
	})},
	{name: "does anything", rule: "unknown-action", flaw: flaw(func(e *exchange) *httptest.ResponseRecorder {
		if answer := e.pass(); answer.Code != 404 {
			return answer
		}
		return say(200, succeeded)
	})},
	{name: "fails on garbage", rule: "malformed", flaw: flaw(func(e *exchange) *httptest.ResponseRecorder {
		if !json.Valid(e.body) {
			return say(500, "")
		}
		return e.pass()
	})},
	{name: "does not look for signatures", rule: "signature-missing", unchecked: true},
	{name: "believes any signature", rule: "signature-wrong", unchecked: true},
	{name: "does not look at what was signed", rule: "signature-body", unchecked: true},
	{name: "does not look at when it was signed", rule: "signature-old", unchecked: true},
	{name: "looks at the last signature", rule: "signature-rotated", flaw: flaw(func(e *exchange) *httptest.ResponseRecorder {
		if list := bytes.Fields([]byte(e.header.Get("Webhook-Signature"))); len(list) > 1 {
			e.r.Header.Set("Webhook-Signature", string(list[0]))
		}
		return e.pass()
	})},
	{name: "complains, but has done it", rule: "signature-missing", unchecked: true, flaw: flaw(func(e *exchange) *httptest.ResponseRecorder {
		answer := e.pass()
		if e.header.Get("Webhook-Signature") == "" {
			return say(401, "{}")
		}
		return answer
	})},
}

// post calls back once.
func post(c *sdk.Command) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Callback.URL, bytes.NewBufferString(succeeded))
	if err != nil {
		return
	}
	if response, err := http.DefaultClient.Do(request); err == nil {
		response.Body.Close()
	}
}
