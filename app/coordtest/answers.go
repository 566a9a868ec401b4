package coordtest

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Answer is what a scripted participant does with a command.
type Answer struct {
	answer coordination.Answer
	hangs  bool
	usual  bool
}

// Succeed answers SUCCEEDED; result is marshalled to a JSON object, nil is none.
func Succeed(result any) Answer {
	a := coordination.Answer{Outcome: coordination.OutcomeSucceeded}
	if result != nil {
		text, err := json.Marshal(result)
		if err != nil {
			panic(fmt.Sprintf("coordtest: result: %v", err))
		}
		a.Result = text
	}
	return Answer{answer: a}
}

// Reject answers REJECTED: no, and there was no effect.
func Reject(code string) Answer { return failed(coordination.OutcomeRejected, code) }

// Retry answers RETRY: certainly not done, try again after at least so long.
func Retry(code string, after time.Duration) Answer {
	a := failed(coordination.OutcomeRetry, code)
	a.answer.RetryAfter = coordination.Duration(after)
	return a
}

// Unknown answers UNKNOWN: it may have happened.
func Unknown() Answer { return failed(coordination.OutcomeUnknown, "UNKNOWN") }

// Accept answers ACCEPTED: the answer comes later, by [Server.Complete].
func Accept() Answer {
	return Answer{answer: coordination.Answer{Outcome: coordination.OutcomeAccepted}}
}

// Hang does not answer before the command's deadline.
func Hang() Answer { return Answer{hangs: true} }

// Usual does what the participant does without a script.
func Usual() Answer { return Answer{usual: true} }

func failed(outcome coordination.Outcome, code string) Answer {
	return Answer{answer: coordination.Answer{Outcome: outcome, Error: &coordination.StepError{Code: code, Message: "As the test says"}}}
}
