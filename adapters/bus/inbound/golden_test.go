package inbound_test

import (
	"io"
	"log/slog"
	"net/http"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/bus/inbound"
	"github.com/firstviscount/platform-coordination/adapters/internal/goldentest"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/golden"
)

func TestTheGoldenReplyIsTaken(t *testing.T) {
	t.Parallel()
	var e engine
	if err := handle(&e, string(golden.Message("event-reply"))); err != nil {
		t.Fatal(err)
	}
	answer := goldentest.Decode[coordination.Answer](t, golden.Message("answer-succeeded"))
	if cmd, _ := goldentest.Dispatch(t, "command"); e.commandID != cmd.CommandID || e.answer.Attempt != cmd.Attempt || e.answer.Outcome != domain.Succeeded {
		t.Errorf("command %q, answer %+v", e.commandID, e.answer)
	}
	if got := goldentest.Decode[map[string]any](t, e.answer.Result); len(got) != len(goldentest.Decode[map[string]any](t, answer.Result)) {
		t.Errorf("result %s, want %s", e.answer.Result, answer.Result)
	}
}

// api answers every request as the golden answer says, and keeps which it got.
type api struct {
	answer coordination.BusAnswer
	asked  []string
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	a.asked = append(a.asked, r.Method+" "+r.URL.Path)
	w.WriteHeader(a.answer.Status)
	_, _ = w.Write(a.answer.Body)
}

func TestGoldenRequestsAreAnsweredAsTheGoldenAnswer(t *testing.T) {
	t.Parallel()
	answer := goldentest.Decode[coordination.BusAnswer](t, goldentest.Decode[coordination.CloudEvent](t, golden.Message("event-answer")).Data)
	for name, want := range map[string]struct{ asked, topic string }{
		"event-request-start":      {"POST /api/v1/workflows/order/start", "coordination.answers.shop"},
		"event-request-cancel":     {"POST /api/v1/workflows/wf-660e8400-e29b-41d4-a716-446655440000/cancel", "coordination.answers.shop"},
		"event-request-retry":      {"POST /api/v1/workflows/wf-660e8400-e29b-41d4-a716-446655440000/retry", ""},
		"event-request-compensate": {"POST /api/v1/sagas/saga-770e8400-e29b-41d4-a716-446655440000/compensate", ""},
	} {
		served, to := &api{answer: answer}, &caller{}
		r := inbound.Requests{API: served, BasePath: "/api/v1", Bus: to, Logger: slog.New(slog.DiscardHandler)}
		if err := r.Handle(t.Context(), ports.Message{ID: "m", Body: golden.Message(name)}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(served.asked) != 1 || served.asked[0] != want.asked {
			t.Errorf("%s: asked for %v, want %s", name, served.asked, want.asked)
		}
		if got := len(to.published); got > 0 != (want.topic != "") || got > 0 && to.topics[0] != want.topic {
			t.Errorf("%s: answered on %v, want %q", name, to.topics, want.topic)
		}
		if name == "event-request-cancel" && len(to.published) > 0 {
			goldentest.Same(t, "event-answer", to.published[0].Body)
		}
	}
}
