package ledger

import (
	"fmt"
	"slices"
)

// Check returns every broken promise that it finds in the entries of one or
// more ledgers, in words, or nothing if all were kept:
//
//   - a command has its effect at most once;
//   - an execution is undone at most once, under whichever key, and only if it
//     had its effect;
//   - after its undo was answered, an execution has no effect any more;
//   - of two effects that stood at the same time, the later one is undone first.
//
// The order is that of the entries' times, so ledgers of processes on several
// machines need clocks that agree. Branches of a saga that ran in parallel may
// be undone in any order; the last promise does not hold for them.
func Check(entries []Entry) []string {
	ordered := slices.Clone(entries)
	slices.SortStableFunc(ordered, func(a, b Entry) int { return a.Time.Compare(b.Time) })
	c := checker{done: map[string]int{}, undone: map[string]int{}, closed: map[string]bool{}, undos: map[string][]span{}}
	for i, e := range ordered {
		c.entry(i, e)
	}
	return c.faults
}

// span is the life of an effect: the positions of the entries that began and
// ended it.
type span struct {
	command    string
	began, end int
}

type checker struct {
	done   map[string]int    // commandId → position of its effect
	undone map[string]int    // commandId → position of the effect that undid it
	closed map[string]bool   // commandIds whose undo was answered
	undos  map[string][]span // workflowId → what was undone, in that order
	faults []string
}

func (c *checker) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

func (c *checker) entry(at int, e Entry) {
	if e.Kind == Effect {
		c.effect(at, e)
	}
	if e.Undo() && e.Outcome == "SUCCEEDED" {
		c.closed[e.Forward] = true
	}
}

func (c *checker) effect(at int, e Entry) {
	if _, twice := c.done[e.CommandID]; twice {
		c.fault("%s had its effect twice", e.CommandID)
	}
	if c.closed[e.CommandID] {
		c.fault("%s had its effect after its undo was answered", e.CommandID)
	}
	c.done[e.CommandID] = at
	if e.Undo() {
		c.undo(at, e)
	}
}

func (c *checker) undo(at int, e Entry) {
	if _, twice := c.undone[e.Forward]; twice {
		c.fault("%s was undone twice", e.Forward)
	}
	c.undone[e.Forward] = at
	began, ok := c.done[e.Forward]
	if !ok {
		c.fault("%s undid %s, which had no effect", e.CommandID, e.Forward)
		return
	}
	for _, earlier := range c.undos[e.WorkflowID] {
		if earlier.began < began && began < earlier.end {
			c.fault("%s was undone before the later %s", earlier.command, e.Forward)
		}
	}
	c.undos[e.WorkflowID] = append(c.undos[e.WorkflowID], span{e.Forward, began, at})
}
