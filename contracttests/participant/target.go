// Package participant is what a service must keep that carries out commands of
// the protocol saga-participant/1, over HTTP or a message bus: the same command
// has one effect, an undo is always possible, and what comes late is refused.
//
//	func TestPayments(t *testing.T) {
//		participant.Run(t, participant.Target{
//			URL: server.URL, Service: "payment-service",
//			Do:   participant.Sample{Action: "charge", Parameters: json.RawMessage(`{"amount":"9.95"}`)},
//			Undo: participant.Sample{Action: "refund"},
//		})
//	}
//
// The service carries the sample commands out for real: give it a database of
// its own.
package participant

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/contracttests/verify"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// Suite is the suite's name in reports.
const Suite = "participant"

// Sample is an action with parameters that the participant can carry out.
type Sample struct {
	Action     string          `json:"action"`
	Step       string          `json:"step,omitempty"`       // the action in upper case if empty
	Parameters json.RawMessage `json:"parameters,omitempty"` // a JSON object; {} if empty
	Context    json.RawMessage `json:"context,omitempty"`    // likewise
}

// Target is a participant. Do and Undo and one of URL and Bus are needed; what
// else is not given is not checked.
type Target struct {
	// URL is where commands go: POST URL/action.
	URL string
	// Bus carries commands and answers instead, by the coordinator's topics; no
	// coordinator may be on it, since each answer goes to one reader.
	Bus ports.Bus
	// Service is the participant's name.
	Service string
	// Secret signs commands over HTTP. Without one signatures are not checked.
	Secret webhook.Secret
	// Do can be carried out, again and again under other IDs; Undo undoes it.
	Do, Undo Sample
	// Refused is answered REJECTED.
	Refused *Sample
	// Later is answered ACCEPTED, and by callback or reply within LaterWithin (10 s if 0).
	Later       *Sample
	LaterWithin time.Duration
	// Retry is answered RETRY when it first comes.
	Retry *Sample
	// Client sends the commands; one of the package's own if nil.
	Client *http.Client
	// CallbackAddress is the host:port on which callbacks are taken; a free port
	// of 127.0.0.1 if empty. The participant must be able to reach it.
	CallbackAddress string
}

// Errors of a target that cannot be checked.
var (
	errWays    = errors.New("participant: give either URL or Bus")
	errService = errors.New("participant: Service is missing")
	errSamples = errors.New("participant: Do.Action and Undo.Action are needed")
)

// Rules are all rules for a target. They may be checked in parallel.
func Rules(target Target) ([]verify.Rule, error) {
	switch {
	case (target.URL == "") == (target.Bus == nil):
		return nil, errWays
	case target.Service == "":
		return nil, errService
	case target.Do.Action == "" || target.Undo.Action == "":
		return nil, errSamples
	}
	if target.Client == nil {
		target.Client = verify.Client()
	}
	if target.LaterWithin == 0 {
		target.LaterWithin = 10 * time.Second
	}
	s := &suite{Target: target}
	if target.Bus != nil {
		s.carrier = &busCarrier{bus: target.Bus, service: target.Service}
	} else {
		s.carrier = &httpCarrier{target: target}
	}
	var rules []verify.Rule
	for _, list := range [][]rule{onceRules, undoRules, timeRules, formRules} {
		for _, r := range list {
			rules = append(rules, verify.Rule{ID: Suite + "/" + r.id, Promise: r.promise,
				Check: func(p *verify.Probe) { r.check(&check{Probe: p, suite: s}) }})
		}
	}
	return rules, nil
}

// Run checks every rule, in parallel.
func Run(t *testing.T, target Target) {
	t.Helper()
	rules, err := Rules(target)
	if err != nil {
		t.Fatal(err)
	}
	verify.Test(t, rules)
}

// suite is a target and the way to it.
type suite struct {
	Target
	carrier carrier
}

// rule is a promise before it has a target.
type rule struct {
	id, promise string
	check       func(c *check)
}

// answer is what a participant said to one command.
type answer struct {
	coordination.Answer
	status int // over HTTP
}

// carrier brings a command to the participant and its answer back.
type carrier interface {
	send(p *verify.Probe, cmd *coordination.Command) answer
	overHTTP() bool
}
