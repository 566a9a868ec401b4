package service

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/participant"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// CodeLedgerFailed is answered when the service cannot remember anything.
const CodeLedgerFailed = "LEDGER_FAILED"

// newParticipant has the SDK read commands and write answers, over HTTP and the
// bus; what a command means is decided in handle.go.
func (s *Service) newParticipant(secret webhook.Secret) *participant.Participant {
	cfg := participant.Config{Logger: s.log, Healthy: func(context.Context) error { return s.ledger.Err() }}
	if !secret.IsZero() {
		cfg.Secrets = []webhook.Secret{secret}
	}
	p := participant.New(s.definition.Name, cfg)
	for name, action := range s.definition.Actions {
		p.Handle(name, handler{s, name, action})
	}
	return p
}

// handler is an action of the service. It sees to late commands itself, since
// one that was answered before is answered again.
type handler struct {
	service *Service
	name    string
	action  Action
}

// Handle carries out a command.
func (h handler) Handle(ctx context.Context, c *participant.Command) participant.Outcome {
	return h.service.carryOut(ctx, h.name, h.action, &c.Command)
}

// carryOut answers a command. Absent members read as empty ones.
func (s *Service) carryOut(ctx context.Context, name string, action Action, c *coordination.Command) participant.Outcome {
	if s.ledger.Err() != nil { // refused before anything was tried: known not done
		return participant.Retry{Code: CodeLedgerFailed, Message: "the service cannot remember anything", After: time.Second}
	}
	if c.Callback == nil {
		c.Callback = &coordination.Callback{}
	}
	if c.Forward == nil {
		c.Forward = &coordination.Forward{}
	}
	r, err := s.handle(ctx, name, action, c)
	var f *Fault
	switch {
	case errors.As(err, &f):
		return participant.Refused{Status: f.Status, Code: f.Code, Message: f.Message}
	case err != nil: // whatever is not the caller's mistake: the effect may have happened
		return participant.Unknown{Code: "IN_DOUBT", Message: "it is not known whether the command had its effect"}
	}
	var a coordination.Answer
	if err := json.Unmarshal(r.body, &a); err != nil {
		panic("service: an answer that is not one: " + err.Error())
	}
	return participant.Answered{Answer: a}
}

// Handler serves POST /{action} and GET /healthz.
func (s *Service) Handler() http.Handler { return s.participant }

// Participant is the service for any transport.
func (s *Service) Participant() *participant.Participant { return s.participant }
