package protocol_test

import (
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/internal/goldentest"
	"github.com/firstviscount/platform-coordination/adapters/participants/protocol"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/golden"
)

func TestCommandsAreWrittenAsTheGoldenOnes(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"command", "command-undo", "command-undo-unknown"} {
		cmd, callbacks := goldentest.Dispatch(t, name)
		goldentest.Same(t, name, protocol.Command(&cmd, callbacks))
	}
}

func TestGoldenAnswersAreRead(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		outcome domain.Outcome
		code    string
	}{
		"answer-succeeded":           {domain.Succeeded, ""},
		"answer-accepted":            {domain.Accepted, ""},
		"answer-rejected":            {domain.Rejected, "PAYMENT_DECLINED"},
		"answer-already-compensated": {domain.Rejected, coordination.CodeAlreadyCompensated},
		"answer-retry":               {domain.Retry, "PROVIDER_BUSY"},
		"answer-unknown":             {domain.Unknown, "PROVIDER_TIMEOUT"},
	} {
		a, err := protocol.Answer(golden.Message(name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		code, message := "", ""
		if a.Error != nil {
			code, message = a.Error.Code, a.Error.Message
		}
		sent := goldentest.Decode[coordination.Answer](t, golden.Message(name))
		if a.Outcome != want.outcome || code != want.code || sent.Error != nil && message != sent.Error.Message ||
			a.RetryAfter != sent.RetryAfter.Std() || (a.Result == nil) != (sent.Result == nil) {
			t.Errorf("%s: read as %+v %s", name, a, code)
		}
	}
}
