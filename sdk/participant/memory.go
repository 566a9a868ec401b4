package participant

import (
	"context"
	"sync"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// MaxRemembered is how many commands a Memory remembers; beyond it the oldest
// are forgotten.
const MaxRemembered = 100_000

// Memory keeps the rules of the protocol in the process: for tests, and for
// services whose effects are as short-lived as the process. Make it with
// NewMemory.
type Memory struct {
	mu      sync.Mutex
	busy    map[string]chan struct{} // by execution: closed when it is free
	records map[string]*record       // by command
	order   []string
}

// record is what is known of a command.
type record struct {
	fingerprint string
	answer      coordination.Answer
	buried      burial // of an execution, even of one that never came
}

// NewMemory makes an empty one.
func NewMemory() *Memory {
	return &Memory{busy: map[string]chan struct{}{}, records: map[string]*record{}}
}

// Do makes an action out of do that has its effect once for each command.
// Outcomes SUCCEEDED, REJECTED and ACCEPTED are remembered; after any other the
// command may come again.
func (m *Memory) Do(do HandlerFunc) Handler {
	return handler(func(ctx context.Context, c *Command) Outcome {
		unlock, err := m.lock(ctx, c.CommandID)
		if err != nil {
			return Retry{Code: CodeBusy, Message: "the same command is being carried out", After: retrySoon}
		}
		defer unlock()
		mark := fingerprint(c)
		if r := m.find(c.CommandID); r != nil {
			switch {
			case r.buried != inEffect:
				return alreadyCompensated
			case r.fingerprint != mark:
				return keyReused
			}
			return Answered{r.answer}
		}
		return m.settle(c.CommandID, mark, do.Handle(ctx, c))
	})
}

// Undo makes an action out of undo that takes back what Do did: once, and only
// if there is something to take back. A command that never came is answered
// SUCCEEDED, and will be rejected if it comes. An undo that is REJECTED is not
// remembered: it is tried again when it comes again.
func (m *Memory) Undo(undo HandlerFunc) Handler {
	return handler(func(ctx context.Context, c *Command) Outcome {
		if c.Forward == nil || c.Forward.CommandID == "" {
			return noForward
		}
		unlock, err := m.lock(ctx, c.Forward.CommandID)
		if err != nil {
			return Retry{Code: CodeBusy, Message: "the command to be undone is being carried out", After: retrySoon}
		}
		defer unlock()
		mark := fingerprint(c)
		if r := m.find(c.CommandID); r != nil && r.answer.Outcome != "" {
			if r.fingerprint != mark {
				return keyReused
			}
			return Answered{r.answer}
		}
		forward := m.find(c.Forward.CommandID)
		effect := forward != nil && forward.buried != undone && forward.answer.Outcome != coordination.OutcomeRejected
		o := Outcome(Succeeded{})
		if effect {
			o = undo.Handle(ctx, c)
		}
		a, err := o.answer()
		if err != nil || a.Outcome == coordination.OutcomeRejected {
			return o
		}
		m.bury(c.Forward.CommandID, a.Outcome)
		return m.settle(c.CommandID, mark, o)
	})
}

// settle remembers an outcome that is final, or promised.
func (m *Memory) settle(commandID, mark string, o Outcome) Outcome {
	if a, err := o.answer(); err == nil && keeps(a.Outcome) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.put(commandID, &record{fingerprint: mark, answer: a})
	}
	return o
}

// Settle remembers the outcome of a command that was ACCEPTED; false if it was
// undone meanwhile, or is being undone, and must not have its effect. It waits
// until the action has returned, so an action must not call it.
func (m *Memory) Settle(c *Command, o Outcome) bool {
	a, err := o.answer()
	if err != nil || !keeps(a.Outcome) {
		return false
	}
	execution := c.CommandID
	if c.Undoes() {
		execution = c.Forward.CommandID
	}
	unlock, err := m.lock(context.Background(), execution)
	if err != nil {
		return false
	}
	defer unlock()
	r := m.find(c.CommandID)
	if r == nil || r.buried != inEffect {
		return false
	}
	if c.Undoes() {
		m.bury(execution, a.Outcome)
		if a.Outcome == coordination.OutcomeRejected {
			a = coordination.Answer{} // to be tried again
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(c.CommandID, &record{fingerprint: r.fingerprint, answer: a})
	return true
}

func (m *Memory) find(commandID string) *record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.records[commandID]
}

// put needs the lock.
func (m *Memory) put(commandID string, r *record) {
	if _, known := m.records[commandID]; !known {
		if len(m.order) >= MaxRemembered {
			delete(m.records, m.order[0])
			m.order = m.order[1:]
		}
		m.order = append(m.order, commandID)
	}
	m.records[commandID] = r
}

// bury notes what the outcome of an undo means for the execution.
func (m *Memory) bury(execution string, o coordination.Outcome) {
	m.mu.Lock()
	defer m.mu.Unlock()
	buried, buries := burials[o]
	if !buries {
		return
	}
	r := record{buried: buried}
	if known := m.records[execution]; known != nil {
		r.fingerprint, r.answer = known.fingerprint, known.answer
	}
	m.put(execution, &r)
}

// lock waits until nobody else is at this execution, or for ctx.
func (m *Memory) lock(ctx context.Context, execution string) (unlock func(), err error) {
	for {
		m.mu.Lock()
		held, taken := m.busy[execution]
		if !taken {
			mine := make(chan struct{})
			m.busy[execution] = mine
			m.mu.Unlock()
			return func() {
				m.mu.Lock()
				delete(m.busy, execution)
				m.mu.Unlock()
				close(mine)
			}, nil
		}
		m.mu.Unlock()
		select {
		case <-held:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
