package service

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/examples/participants/ledger"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/participant"
)

// Limits of callbacks.
const (
	callbackParallel  = 16
	callbackTimeout   = 10 * time.Second
	callbackFirstWait = 100 * time.Millisecond
	callbackMaxWait   = 10 * time.Second
	// maxCallbackAnswer is how much of an answer is read before the connection
	// is given up; its content is not used.
	maxCallbackAnswer = 64 << 10
	// maxPromises bounds the commands that wait for their effect; more are
	// told to try later.
	maxPromises = 10_000
)

// accept promises the decision: durable with the callback before the 202, so
// that a crash after it forgets neither.
func (s *Service) accept(t task, d Decision) (reply, error) {
	if s.reply == nil && !callable(t.Callback.URL) {
		return reply{}, fault(http.StatusBadRequest, CodeCallbackRequired, "%s answers later and needs callback.url", t.name)
	}
	if s.promises.Load() >= maxPromises {
		return replyOf(Retry(CodeBusy, "too many commands are waiting for their effect", time.Second))
	}
	e := t.entry()
	if err := decideInto(&e, d); err != nil {
		return reply{}, err
	}
	e.Kind, e.Callback, e.DueAt = ledger.Accepted, t.Callback.URL, time.Now().UTC().Add(d.after)
	if err := s.record(e); err != nil {
		return reply{}, err
	}
	s.keep(t.CommandID)
	return reply{outcome: coordination.OutcomeAccepted, body: acceptedBody}, nil
}

// acceptAgain repeats a promise. A later attempt may bring another callback;
// the newest counts.
func (s *Service) acceptAgain(t task, known record) (reply, error) {
	again := reply{outcome: coordination.OutcomeAccepted, body: acceptedBody}
	e := known.promise.accepted
	if !callable(t.Callback.URL) || e.Callback == t.Callback.URL {
		return again, nil
	}
	e.Callback = t.Callback.URL
	return again, s.record(e)
}

func callable(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// keep starts what a promise needs: the effect when it is due, then the
// callback until it is taken.
func (s *Service) keep(key string) {
	s.promises.Add(1)
	s.keeping.Go(func() {
		defer s.promises.Add(-1)
		p, ok := s.book.owed(key)
		if !ok || !s.sleep(time.Until(p.due())) || !s.takeEffect(key) {
			return
		}
		s.callBack(key)
	})
}

// takeEffect writes the promised effect, unless its undo came first.
func (s *Service) takeEffect(key string) bool {
	unlock, err := s.book.lock(s.ctx, key)
	if err != nil {
		return false
	}
	defer unlock()
	p, ok := s.book.owed(key)
	if !ok || p.kept {
		return ok
	}
	e := p.accepted
	e.Kind, e.Callback, e.DueAt = ledger.Effect, "", time.Time{}
	if e.Effect == "" {
		e.Kind = ledger.Answer
	}
	return s.record(e) == nil
}

// callBack sends the answer until the coordinator has taken it or says that it
// never will. The pauses double, with jitter so that a restarted coordinator
// is not met by all at once.
func (s *Service) callBack(key string) {
	for wait := callbackFirstWait; ; wait = min(2*wait, callbackMaxWait) {
		p, owed := s.book.owed(key)
		if !owed {
			return
		}
		answer, _ := s.book.find(key)
		if s.tell(p, key, answer.answer) {
			// If this entry is lost, the answer is sent once more: harmless.
			_ = s.record(ledger.Entry{Kind: ledger.CalledBack, CommandID: key, WorkflowID: p.accepted.WorkflowID})
			return
		}
		if !s.sleep(wait/2 + rand.N(wait/2)) {
			return
		}
	}
}

// tell makes one attempt to bring a promised answer to the coordinator.
func (s *Service) tell(p promise, key string, body []byte) (settled bool) {
	if s.reply == nil {
		return s.send(p.accepted.Callback, key, body)
	}
	var a coordination.Answer
	if err := json.Unmarshal(body, &a); err != nil {
		panic("service: the ledger holds an answer that is not one: " + err.Error())
	}
	saga, _, _ := strings.Cut(key, ":")
	c := participant.Command{Command: coordination.Command{CommandID: key, WorkflowID: p.accepted.WorkflowID, SagaID: saga}}
	m, err := s.participant.Reply(&c, participant.Answered{Answer: a})
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(s.ctx, callbackTimeout)
	defer cancel()
	if err := s.reply(ctx, m); err != nil {
		s.log.Warn("reply not published", "commandId", key)
		return false
	}
	return true
}

// send makes one call and tells whether it settled the matter. The URL is a
// secret and the errors of the client quote it, so they are not logged.
func (s *Service) send(target, key string, body []byte) (settled bool) {
	select {
	case s.calling <- struct{}{}:
		defer func() { <-s.calling }()
	case <-s.ctx.Done():
		return false
	}
	ctx, cancel := context.WithTimeout(s.ctx, callbackTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	resp, err := s.callbacks.Do(req)
	if err != nil {
		s.log.Warn("callback failed", "commandId", key)
		return false
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxCallbackAnswer) // so that the connection can be used again
	if !settles(resp.StatusCode) {
		s.log.Warn("callback not taken", "commandId", key, "status", resp.StatusCode)
		return false
	}
	return true
}

// settles tells which statuses end the calls: taken, taken before with another
// body, nobody waits any more, unknown.
func settles(status int) bool {
	switch status {
	case http.StatusConflict, http.StatusGone, http.StatusNotFound:
		return true
	}
	return status >= 200 && status < 300
}

// sleep waits for d and tells whether the service is still running.
func (s *Service) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}

func callbackClient(transport http.RoundTripper) *http.Client {
	if transport == nil {
		transport = http.DefaultTransport.(*http.Transport).Clone()
	}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
