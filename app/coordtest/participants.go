package coordtest

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"github.com/firstviscount/platform-coordination/adapters/participants/protocol"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Participant is one service, as the test sees it.
type Participant struct {
	server  *Server
	service string
	usual   ports.Participant

	mu      sync.Mutex
	scripts map[string]*Script
}

// Script says what a participant answers to the commands for one action.
type Script struct {
	mu      sync.Mutex
	answers []Answer
	decide  func(coordination.Command) Answer
}

// On is the script of an action, such as process_payment. It begins without
// any answers: then the participant does what is usual.
func (p *Participant) On(action string) *Script {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.scripts[action]
	if s == nil {
		s = &Script{}
		p.scripts[action] = s
	}
	return s
}

// Answer gives the answers to the next commands, one each; the last one is for
// all that follow too. None takes the script away.
func (s *Script) Answer(answers ...Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers, s.decide = slices.Clone(answers), nil
}

// Decide has decide answer each command. It may be called by several
// goroutines at once and must not wait for the server.
func (s *Script) Decide(decide func(coordination.Command) Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers, s.decide = nil, decide
}

// next is the answer to a command.
func (s *Script) next(cmd coordination.Command) Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.decide != nil {
		return s.decide(cmd)
	}
	if len(s.answers) == 0 {
		return Usual()
	}
	a := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	return a
}

// Commands are the commands that the participant got so far, every attempt, in
// the order in which they came.
func (p *Participant) Commands() []coordination.Command {
	var mine []coordination.Command
	for _, cmd := range p.server.Commands() {
		if cmd.Service == p.service {
			mine = append(mine, cmd)
		}
	}
	return mine
}

var _ ports.Participant = (*Participant)(nil)

// Check finds the participant up; it is for the coordinator.
func (p *Participant) Check(context.Context) ports.DependencyHealth {
	return ports.DependencyHealth{Up: true}
}

// Send takes a command; it is for the coordinator. It lives in the test's time:
// the deadline of ctx does not count, the end of the server does.
func (p *Participant) Send(_ context.Context, cmd domain.Dispatch) domain.Answer {
	ctx := p.server.ctx
	var wire coordination.Command
	if err := json.Unmarshal(protocol.Command(&cmd, p.server.URL), &wire); err != nil {
		p.server.tb.Errorf("coordtest: the command %s cannot be read: %v", cmd.CommandID, err)
	}
	p.server.record(wire)
	p.mu.Lock()
	script := p.scripts[cmd.Action]
	p.mu.Unlock()
	answer := Usual()
	if script != nil {
		answer = script.next(wire)
	}
	switch {
	case answer.usual:
		return p.usual.Send(ctx, cmd)
	case answer.hangs:
		p.server.clock.Sleep(ctx, cmd.Deadline.Sub(p.server.clock.Now()))
		return domain.Answer{Outcome: domain.Unknown, Error: &domain.StepError{Code: domain.CodeTimeout, Message: "No answer was received"}}
	}
	return p.server.domainAnswer(answer.answer)
}

// domainAnswer reads an answer as one that came over the network is read.
func (s *Server) domainAnswer(a coordination.Answer) domain.Answer {
	text, err := json.Marshal(a)
	if err != nil {
		s.tb.Errorf("coordtest: an answer cannot be written: %v", err)
	}
	read, err := protocol.Answer(text)
	if err != nil {
		s.tb.Errorf("coordtest: a scripted answer breaks the protocol: %v", err)
		return domain.Answer{Outcome: domain.Unknown, Error: &domain.StepError{Code: protocol.CodeUnnamed}}
	}
	return read
}
