package participant

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/contracttests/verify"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// commandTime is how long a participant has for a command of the suite.
const commandTime = 20 * time.Second

// maxRetries bounds how often the suite repeats a command that was answered RETRY.
const maxRetries = 20

// check is one rule being checked.
type check struct {
	*verify.Probe
	*suite
}

// saga is one run of the sample and its undo.
type saga struct {
	do, undo *coordination.Command
}

// newSaga makes commands under IDs that were never used.
func (c *check) newSaga() saga { return c.sagaOf(c.Do) }

func (c *check) sagaOf(do Sample) saga {
	id := strings.ToLower(rand.Text())
	s := saga{do: c.command(id, do, "execute"), undo: c.command(id, c.Undo, "compensate")}
	s.undo.Direction = coordination.DirectionCompensate
	s.undo.Forward = &coordination.Forward{Step: s.do.Step, CommandID: s.do.CommandID, Outcome: coordination.OutcomeUnknown}
	return s
}

func (c *check) command(id string, sample Sample, direction string) *coordination.Command {
	step := sample.Step
	if step == "" {
		step = strings.ToUpper(strings.ReplaceAll(sample.Action, "-", "_"))
	}
	return &coordination.Command{
		CommandID:  fmt.Sprintf("saga-%s:1:%s:%s", id, step, direction),
		WorkflowID: "wf-" + id, SagaID: "saga-" + id, WorkflowType: "CONTRACT_VERIFICATION", Service: c.Service,
		Step: step, Action: sample.Action, Direction: coordination.DirectionExecute, Attempt: 1,
		Deadline: coordination.Time{Time: time.Now().Add(commandTime)}, Parameters: object(sample.Parameters), Context: object(sample.Context),
		Callback: &coordination.Callback{URL: "http://127.0.0.1:9/not-listening", Token: "not-a-token"},
	}
}

func object(text json.RawMessage) json.RawMessage {
	if len(text) == 0 {
		return json.RawMessage("{}")
	}
	return text
}

// again is the next attempt of a command.
func again(cmd *coordination.Command) *coordination.Command {
	next := *cmd
	next.Attempt++
	next.Deadline = coordination.Time{Time: time.Now().Add(commandTime)}
	return &next
}

// send sends a command once.
func (c *check) send(cmd *coordination.Command) answer { return c.carrier.send(c.Probe, cmd) }

// settle sends a command as the coordinator does: again, under the same ID,
// while the answer is RETRY.
func (c *check) settle(cmd *coordination.Command) answer {
	for range maxRetries {
		a := c.send(cmd)
		if a.Outcome != coordination.OutcomeRetry {
			return a
		}
		wait := min(max(time.Duration(a.RetryAfter), 50*time.Millisecond), 2*time.Second)
		select {
		case <-time.After(wait):
		case <-c.Done():
		}
		cmd = again(cmd)
	}
	c.Fail("an answer that is not RETRY after "+fmt.Sprint(maxRetries)+" attempts", "RETRY again")
	return answer{}
}

// done carries a command out; it must succeed.
func (c *check) done(cmd *coordination.Command) answer {
	a := c.settle(cmd)
	c.wantOutcome(a, coordination.OutcomeSucceeded)
	return a
}

// undone carries an undo out after its command; it must succeed.
func (c *check) undone(s saga, done *answer) answer {
	if done != nil {
		s.undo.Forward.Outcome, s.undo.Forward.Result = coordination.OutcomeSucceeded, done.Result
	}
	return c.done(s.undo)
}

func (c *check) wantOutcome(a answer, want coordination.Outcome) {
	c.Want(a.Outcome == want, string(want), "%s", told(a))
}

// wantSame: the answer is the one that was given before.
func (c *check) wantSame(before, now answer) {
	c.Want(now.Outcome == before.Outcome && sameJSON(now.Result, before.Result) && codeOf(now) == codeOf(before),
		"the answer that was given before: "+told(before), "%s", told(now))
}

// told is an answer in words.
func told(a answer) string {
	text := string(a.Outcome)
	if a.status != 0 {
		text += fmt.Sprintf(" (HTTP %d)", a.status)
	}
	if a.Error != nil {
		text += " " + a.Error.Code
	}
	if len(a.Result) > 0 {
		text += " " + string(a.Result)
	}
	return text
}

func codeOf(a answer) string {
	if a.Error == nil {
		return ""
	}
	return a.Error.Code
}

// sameJSON reports whether two texts are the same JSON, but for the order of
// members and spaces.
func sameJSON(a, b json.RawMessage) bool {
	return bytes.Equal(canonical(a), canonical(b))
}

func canonical(text json.RawMessage) []byte {
	if len(text) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil || v == nil {
		return nil
	}
	out, err := json.Marshal(v) // members of objects sorted
	if err != nil {
		return nil
	}
	return out
}
