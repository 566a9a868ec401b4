package engine

import (
	"slices"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
)

const (
	// RepeatAfter is when a command whose carrier promises no answer (a message
	// bus) is sent again if none came: the broker may have lost it. The wait
	// doubles with each repetition, until the step's own clock runs out.
	RepeatAfter = 5 * time.Second
	maxDoubling = 20
)

// repeat is a command that is sent again at a time, unless it was answered.
type repeat struct {
	cmd domain.Dispatch
	at  time.Time
}

// repeatLater plans the next repetition of a command that was sent. It is
// called with the lock held.
func (p *Pump) repeatLater(now time.Time, cmd domain.Dispatch) {
	wait := RepeatAfter << min(cmd.Repeats, maxDoubling)
	cmd.Repeats++
	if at := now.Add(wait); at.Before(cmd.Deadline) {
		p.repeats = append(p.repeats, repeat{cmd, at})
	}
}

// takeRepeats takes out what is to be sent again now. It is called with the lock held.
func (p *Pump) takeRepeats(now time.Time) (due []domain.Dispatch) {
	kept := p.repeats[:0]
	for _, r := range p.repeats {
		if now.Before(r.at) {
			kept = append(kept, r)
		} else {
			due = append(due, r.cmd)
		}
	}
	clear(p.repeats[len(kept):])
	p.repeats = kept
	return due
}

// refuse ends a command that was not sent. If it was sent before, that says
// nothing: it may be done already, and its answer on its way.
func (p *Pump) refuse(now time.Time, cmd domain.Dispatch, a domain.Answer) {
	if cmd.Repeats == 0 {
		p.deliver(cmd, a)
		return
	}
	p.mu.Lock()
	p.repeatLater(now, cmd)
	p.mu.Unlock()
}

// Repeat sends a command again if its workflow still calls for it: no answer
// to it is known, and this replica is the one that sends.
func (p *Partition) Repeat(cmd domain.Dispatch) {
	sl := p.slots[cmd.WorkflowID]
	if sl == nil || sl.owner != p.replica || p.draining {
		return
	}
	same := func(e domain.Dispatch) bool { return e.CommandID == cmd.CommandID && e.Attempt == cmd.Attempt }
	if sl.stale || slices.ContainsFunc(domain.Effects(sl.state, 0), same) {
		p.world.Send(cmd)
	}
}
