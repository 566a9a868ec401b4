package simulated

import (
	"sync"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// MaxRemembered is how many commands are remembered; of more, the oldest are
// forgotten. It must cover what is in flight.
const MaxRemembered = 100_000

const codeAlreadyCompensated = coordination.CodeAlreadyCompensated

// memory is what the participants know of the commands that came, by their
// IDs: what a real participant keeps in its database. Answers are not kept:
// they are derived from the command.
type memory struct {
	mu      sync.Mutex
	records map[string]record
	order   []string // of the records, a ring
	next    int      // in order, where the next goes
}

type record struct {
	state   state
	retries int // how often it was told RETRY
}

type state uint8

const (
	untouched   state = iota
	promisedFor       // ACCEPTED was answered, the effect comes later
	effective         // the effect is there
	compensated       // the effect is undone, or can no longer happen
)

// verdict is what a participant does about a command.
type verdict uint8

const (
	refused         verdict = iota // no effect; the trigger says why
	happened                       // the effect is there, now or since an earlier attempt
	postponed                      // the effect is to come later
	postponedBefore                // as an earlier attempt was told
	wasCompensated                 // never any more
)

func newMemory(limit int) memory {
	return memory{records: make(map[string]record), order: make([]string, limit)}
}

// handle lets a command have its effect, unless it had it, may no longer have
// it, or its trigger prevents it.
func (m *memory) handle(cmd *domain.Dispatch, t trigger) verdict {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.records[cmd.CommandID]
	switch r.state {
	case compensated:
		return wasCompensated
	case effective:
		return happened
	case promisedFor:
		return postponedBefore
	}
	switch {
	case t.kind == rejecting, t.kind == misused:
		return refused
	case t.kind == retrying && r.retries < t.times:
		r.retries++
		m.put(cmd.CommandID, r)
		return refused
	case t.kind == accepting:
		m.put(cmd.CommandID, record{state: promisedFor})
		return postponed
	}
	m.effect(cmd)
	return happened
}

// settled reports whether a command had its effect, or can no longer have it.
func (m *memory) settled(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.records[id].state >= effective
}

// keep fulfils the promise of an earlier handle; false if there is nothing left
// to fulfil.
func (m *memory) keep(cmd *domain.Dispatch) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records[cmd.CommandID].state == compensated {
		return false
	}
	m.effect(cmd)
	return true
}

// effect is called with the lock held.
func (m *memory) effect(cmd *domain.Dispatch) {
	m.put(cmd.CommandID, record{state: effective})
	if cmd.Undo && cmd.Forward != nil {
		m.put(cmd.Forward.CommandID, record{state: compensated})
	}
}

func (m *memory) forget(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(id, record{})
}

func (m *memory) put(id string, r record) {
	if _, known := m.records[id]; !known {
		delete(m.records, m.order[m.next])
		m.order[m.next] = id
		m.next = (m.next + 1) % len(m.order)
	}
	m.records[id] = r
}
