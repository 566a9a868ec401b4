package participant

import (
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

var undoRules = []rule{
	{"undo", "what was done can be undone", func(c *check) {
		s := c.newSaga()
		done := c.done(s.do)
		c.undone(s, &done)
	}},
	{"undo-unknown", "what was done can be undone by its commandId alone, when its result is not known", func(c *check) {
		s := c.newSaga()
		c.done(s.do)
		c.undone(s, nil)
	}},
	{"undo-twice", "the same undo again is answered as before", func(c *check) {
		s := c.newSaga()
		done := c.done(s.do)
		before := c.undone(s, &done)
		c.wantSame(before, c.send(again(s.undo)))
	}},
	{"undo-before-do", "the undo of a command that never came succeeds", func(c *check) {
		c.undone(c.newSaga(), nil)
	}},
	{"late-do", "a command that comes after its undo is answered REJECTED with the code " + coordination.CodeAlreadyCompensated, func(c *check) {
		s := c.newSaga()
		c.undone(s, nil)
		a := c.send(s.do)
		c.wantOutcome(a, coordination.OutcomeRejected)
		c.Want(codeOf(a) == coordination.CodeAlreadyCompensated, "the code "+coordination.CodeAlreadyCompensated, "%s", told(a))
	}},
	{"late-duplicate", "a command that was done and undone is not done again", func(c *check) {
		s := c.newSaga()
		before := c.done(s.do)
		c.undone(s, &before)
		a := c.send(again(s.do))
		if a.Outcome == coordination.OutcomeRejected {
			c.Want(codeOf(a) == coordination.CodeAlreadyCompensated, "the code "+coordination.CodeAlreadyCompensated, "%s", told(a))
			return
		}
		c.wantSame(before, a)
	}},
	{"undo-keys", "an undo under another commandId of what is undone already succeeds", func(c *check) {
		s := c.newSaga()
		done := c.done(s.do)
		c.undone(s, &done)
		s.undo.CommandID += "-2" // as the coordinator does when a late success came to light
		c.done(s.undo)
	}},
}
