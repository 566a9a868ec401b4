package participant

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// parallel is how many duplicates are sent at once.
const parallel = 8

var onceRules = []rule{
	{"success", "a command that can be carried out is answered SUCCEEDED, with a JSON object as its result", func(c *check) {
		a := c.done(c.newSaga().do)
		var members map[string]json.RawMessage
		c.Want(len(a.Result) == 0 || json.Unmarshal(a.Result, &members) == nil, "a result that is a JSON object, or none", "%s", a.Result)
	}},
	{"same-key", "the same command again is answered as before, whatever its attempt", func(c *check) {
		s := c.newSaga()
		before := c.done(s.do)
		c.wantSame(before, c.send(s.do))
		c.wantSame(before, c.send(again(s.do)))
	}},
	{"parallel-duplicates", "of duplicates at the same time one is carried out, and all get its answer, or RETRY", checkParallel},
	{"other-payload", "another command under the same commandId is refused, or answered as the first", func(c *check) {
		s := c.newSaga()
		before := c.done(s.do)
		other := *s.do
		other.Parameters = withMember(other.Parameters, "contractTestOfAnotherPayload", "1")
		a := c.send(&other)
		// Over a bus, which has no status, a refusal is UNKNOWN with its code;
		// REJECTED would say of the first command too that it had no effect.
		if a.Outcome == refusedOutcome || !c.carrier.overHTTP() && a.Outcome == coordination.OutcomeUnknown && codeOf(a) != "" {
			return
		}
		c.wantSame(before, a)
	}},
	{"other-keys", "commands under other commandIds are carried out each", func(c *check) {
		var all sync.WaitGroup
		answers := make([]answer, parallel)
		failures := make([]any, parallel)
		for i := range answers {
			all.Go(func() {
				defer func() { failures[i] = recover() }()
				answers[i] = c.settle(c.newSaga().do)
			})
		}
		all.Wait()
		for i, a := range answers {
			if failures[i] != nil {
				panic(failures[i])
			}
			c.wantOutcome(a, coordination.OutcomeSucceeded)
		}
	}},
	{"refusal", "what is refused is answered REJECTED with a code, again too, and its undo succeeds", func(c *check) {
		if c.Refused == nil {
			c.Skip("no sample of what is refused was given")
		}
		s := c.sagaOf(*c.Refused)
		before := c.settle(s.do)
		c.wantOutcome(before, coordination.OutcomeRejected)
		c.Want(codeOf(before) != "", "an error.code that says why", "none")
		c.wantSame(before, c.send(again(s.do)))
		c.undone(s, nil)
	}},
	{"retry-after", "RETRY is answered when nothing was done, and the command then succeeds under the same commandId", func(c *check) {
		if c.Retry == nil {
			c.Skip("no sample of what is first answered RETRY was given")
		}
		s := c.sagaOf(*c.Retry)
		first := c.send(s.do)
		c.wantOutcome(first, coordination.OutcomeRetry)
		c.Want(first.RetryAfter >= 0, "retryAfter not to be negative", "%s", first.RetryAfter)
		select {
		case <-time.After(min(time.Duration(first.RetryAfter), 5*time.Second)):
		case <-c.Done():
		}
		c.done(again(s.do))
	}},
}

func checkParallel(c *check) {
	s := c.newSaga()
	answers := make([]answer, parallel)
	failures := make([]any, parallel)
	if c.carrier.overHTTP() {
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() {
				defer func() { failures[i] = recover() }()
				answers[i] = c.send(s.do)
			})
		}
		all.Wait()
	} else { // replies to one command cannot be told apart: the copies go out, then all replies come in
		b := c.carrier.(*busCarrier)
		replies := b.replies(c.Probe, s.do.CommandID)
		for range answers {
			b.publish(c.Probe, s.do)
		}
		for i := range answers {
			select {
			case a := <-replies:
				answers[i] = answer{Answer: a}
			case <-c.Done():
				c.Fail("a reply to each duplicate", "%d of %d", i, parallel)
			}
		}
	}
	for _, failure := range failures {
		if failure != nil {
			panic(failure)
		}
	}
	final := c.done(s.do)
	for _, a := range answers {
		if a.Outcome != coordination.OutcomeRetry {
			c.wantSame(final, a)
		}
	}
}

// withMember adds a member to an object.
func withMember(text json.RawMessage, name, value string) json.RawMessage {
	members := map[string]json.RawMessage{}
	if json.Unmarshal(text, &members) != nil {
		return text
	}
	members[name] = json.RawMessage(value)
	out, err := json.Marshal(members)
	if err != nil {
		return text
	}
	return out
}
