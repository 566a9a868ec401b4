package simulated_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/internal/goldentest"
	"github.com/firstviscount/platform-coordination/adapters/participants/simulated"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/golden"
)

// answered wants an answer to be a golden one, but for the words for people.
func answered(t *testing.T, got domain.Answer, name string) {
	t.Helper()
	want := goldentest.Decode[coordination.Answer](t, golden.Message(name))
	code := ""
	if want.Error != nil {
		code = want.Error.Code
	}
	outcome(t, got, domain.Outcome(want.Outcome), code)
	if want.Result != nil {
		sent, err := json.Marshal(coordination.Answer{Outcome: coordination.Outcome(got.Outcome), Result: got.Result})
		if err != nil {
			t.Fatal(err)
		}
		goldentest.Same(t, name, sent)
	}
}

// goldenCommand is a golden command that is still in time.
func goldenCommand(t *testing.T, name string) domain.Dispatch {
	cmd, _ := goldentest.Dispatch(t, name)
	cmd.Deadline = time.Now().Add(time.Minute)
	return cmd
}

// withToken is a payment by another token.
func withToken(t *testing.T, cmd domain.Dispatch, token string) domain.Dispatch {
	t.Helper()
	parameters := goldentest.Decode[map[string]any](t, cmd.Parameters)
	parameters["token"] = token
	text, err := json.Marshal(parameters)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Parameters, cmd.CommandID = text, cmd.CommandID+"-"+token
	return cmd
}

func TestGoldenCommandsHaveGoldenAnswers(t *testing.T) {
	in(t, simulated.Config{Instant: true}, func(t *testing.T, s *simulated.Services) {
		cmd := goldenCommand(t, "command")
		answered(t, send(s, cmd), "answer-succeeded")
		answered(t, send(s, cmd), "answer-succeeded")
		answered(t, send(s, withToken(t, cmd, simulated.TokenDeclined)), "answer-rejected")
		answered(t, send(s, withToken(t, cmd, simulated.TokenSlow)), "answer-accepted")
		outcome(t, send(s, goldenCommand(t, "command-undo")), domain.Succeeded, "")
	})
}

func TestAGoldenUndoThatComesFirst(t *testing.T) {
	in(t, simulated.Config{Instant: true}, func(t *testing.T, s *simulated.Services) {
		outcome(t, send(s, goldenCommand(t, "command-undo-unknown")), domain.Succeeded, "")
		answered(t, send(s, goldenCommand(t, "command")), "answer-already-compensated")
	})
}

// sample is a command of samples.json.
type sample struct {
	Action, Step string
	Parameters   json.RawMessage
}

// dispatch is a sample as the engine sends it.
func (s *sample) dispatch(service, key string) domain.Dispatch {
	cmd := command(service, s.Step, s.Action, string(s.Parameters))
	if s.Parameters == nil {
		cmd.Parameters = json.RawMessage(`{}`)
	}
	cmd.CommandID = "saga-1:1:" + key + ":execute"
	return cmd
}

// The samples are what verifiers send to services; the simulated ones must do
// with them what samples.json says.
func TestSamplesDoWhatTheirNamesSay(t *testing.T) {
	in(t, simulated.Config{Instant: true}, func(t *testing.T, s *simulated.Services) {
		services := goldentest.Decode[map[string]struct {
			Do, Undo              sample
			Refused, Later, Retry *sample
		}](t, golden.Samples())
		for service, have := range services {
			do := have.Do.dispatch(service, have.Do.Step)
			done := send(s, do)
			outcome(t, done, domain.Succeeded, "")
			outcome(t, send(s, undoOf(do, have.Undo.Step, have.Undo.Action, done.Result)), domain.Succeeded, "")
			for want, sample := range map[domain.Outcome]*sample{domain.Rejected: have.Refused, domain.Accepted: have.Later, domain.Retry: have.Retry} {
				if sample == nil {
					continue
				}
				if got := send(s, sample.dispatch(service, string(want))); got.Outcome != want {
					t.Errorf("%s: %s with %s is %s, want %s", service, sample.Action, sample.Parameters, got.Outcome, want)
				}
			}
		}
		if len(services) < 3 {
			t.Errorf("samples of %d services", len(services))
		}
	})
}
