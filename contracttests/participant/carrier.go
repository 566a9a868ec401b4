package participant

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/contracttests/verify"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// httpCarrier posts commands.
type httpCarrier struct{ target Target }

func (*httpCarrier) overHTTP() bool { return true }

func (h *httpCarrier) send(p *verify.Probe, cmd *coordination.Command) answer {
	body, err := json.Marshal(cmd)
	if err != nil {
		p.Fail("a command that can be sent", "%v", err)
	}
	return h.post(p, cmd.CommandID, cmd.Action, body, h.header(cmd.CommandID, body, time.Now(), h.target.Secret))
}

// header is what a request carries that the coordinator sends.
func (h *httpCarrier) header(key string, body []byte, at time.Time, secrets ...webhook.Secret) http.Header {
	header := http.Header{}
	header.Set("Content-Type", "application/json")
	header.Set("Idempotency-Key", key)
	header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	if len(secrets) > 0 && !secrets[0].IsZero() {
		webhook.SetHeaders(header, key, at, body, secrets...)
	}
	return header
}

// post sends a body and reads the answer as the coordinator does.
func (h *httpCarrier) post(p *verify.Probe, key, action string, body []byte, header http.Header) answer {
	e := p.Send(h.target.Client, http.MethodPost, strings.TrimSuffix(h.target.URL, "/")+"/"+action, header, body)
	a := answer{status: e.Status}
	if err := json.Unmarshal(e.Answer, &a.Answer); err != nil {
		a.Answer = coordination.Answer{}
	}
	if a.Outcome == "" {
		a.Outcome = outcomeOf(e.Status)
	}
	a.CommandID = key
	return a
}

// refusedOutcome stands for a contract error: the wiring is wrong.
const refusedOutcome coordination.Outcome = "a refusal (4xx)"

// outcomeOf is the outcome of an answer that names none.
func outcomeOf(status int) coordination.Outcome {
	switch {
	case status == http.StatusAccepted:
		return coordination.OutcomeAccepted
	case status >= 200 && status < 300:
		return coordination.OutcomeSucceeded
	case status == http.StatusUnprocessableEntity:
		return coordination.OutcomeRejected
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return coordination.OutcomeRetry
	case status >= 300 && status < 500:
		return refusedOutcome
	}
	return coordination.OutcomeUnknown
}

// busCarrier publishes commands and reads replies. One subscription serves all
// rules: each reply goes to one reader of the group.
type busCarrier struct {
	bus     ports.Bus
	service string

	begin   sync.Once
	failure error
	mu      sync.Mutex
	waiting map[string]chan coordination.Answer // by command
}

// maxReplies of one command are kept until somebody asks for them.
const maxReplies = 64

func (*busCarrier) overHTTP() bool { return false }

func (b *busCarrier) send(p *verify.Probe, cmd *coordination.Command) answer {
	replies := b.replies(p, cmd.CommandID)
	body := b.publish(p, cmd)
	select {
	case a := <-replies:
		p.Note(verify.Exchange{Method: "PUBLISH", URL: coordination.TopicCommands(b.service), Body: body, Answer: []byte(a.Outcome)})
		return answer{Answer: a}
	case <-p.Done():
		p.Note(verify.Exchange{Method: "PUBLISH", URL: coordination.TopicCommands(b.service), Body: body, Err: p.Err()})
		p.Fail("a reply on "+coordination.TopicReplies, "none in time")
		return answer{}
	}
}

func (b *busCarrier) publish(p *verify.Probe, cmd *coordination.Command) []byte {
	data, err := json.Marshal(cmd)
	if err == nil {
		e := coordination.CloudEvent{SpecVersion: coordination.CloudEventsVersion, ID: rand.Text(), Source: "/contract-verification",
			Type: coordination.TypeCommand, Subject: cmd.WorkflowID, DataContentType: "application/json", PartitionKey: cmd.SagaID, Data: data}
		data, err = json.Marshal(e)
		if err == nil {
			err = b.bus.Publish(p, coordination.TopicCommands(b.service), ports.Message{ID: e.ID, Key: cmd.SagaID,
				Headers: map[string]string{"content-type": coordination.ContentTypeCloudEvent}, Body: data})
		}
	}
	if err != nil {
		p.Fail("a bus that takes commands", "%v", err)
	}
	return data
}

// replies is where the answers to a command arrive.
func (b *busCarrier) replies(p *verify.Probe, commandID string) chan coordination.Answer {
	b.begin.Do(func() {
		b.waiting = map[string]chan coordination.Answer{}
		// For as long as the bus is open: all rules share it.
		b.failure = b.bus.Subscribe(context.Background(), ports.Subscription{Topic: coordination.TopicReplies,
			Group: "contract-verification", Concurrency: 16, Handle: b.take})
	})
	if b.failure != nil {
		p.Fail("a bus to subscribe to", "%v", b.failure)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting[commandID] == nil {
		b.waiting[commandID] = make(chan coordination.Answer, maxReplies)
	}
	return b.waiting[commandID]
}

func (b *busCarrier) take(_ context.Context, m ports.Message) error {
	var e coordination.CloudEvent
	var a coordination.Answer
	if json.Unmarshal(m.Body, &e) != nil || e.Type != coordination.TypeReply || json.Unmarshal(e.Data, &a) != nil {
		return nil // a reply that is none is missed by who waits for it
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if waiting := b.waiting[a.CommandID]; waiting != nil {
		select {
		case waiting <- a:
		default:
		}
	}
	return nil
}
