package verify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// maxAnswer bounds what is read of an answer.
	maxAnswer = 4 << 20
	pollEvery = 20 * time.Millisecond
)

// Probe is what a rule works with. Its context ends with the rule's time.
type Probe struct {
	context.Context

	mu        sync.Mutex
	exchanges []Exchange
}

// skipped is what Skip panics with.
type skipped string

// Skip ends the rule: it cannot be checked, for a reason.
func (p *Probe) Skip(reason string) { panic(skipped(reason)) }

// Fail ends the rule: the promise is broken.
func (p *Probe) Fail(expected, seen string, args ...any) {
	panic(&Failure{Expected: expected, Seen: fmt.Sprintf(seen, args...)})
}

// Want ends the rule unless kept is true.
func (p *Probe) Want(kept bool, expected, seen string, args ...any) {
	if !kept {
		p.Fail(expected, seen, args...)
	}
}

// Exchange is a request and its answer.
type Exchange struct {
	Method string
	URL    string
	Header http.Header
	Body   []byte

	Status       int
	AnswerHeader http.Header
	Answer       []byte
	Err          error // instead of an answer
}

// Note records an exchange that the probe did not make itself.
func (p *Probe) Note(e Exchange) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exchanges = append(p.exchanges, e)
}

func (p *Probe) taken() []Exchange {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Exchange(nil), p.exchanges...)
}

// Send sends a request and records the exchange. Without an answer the rule fails.
func (p *Probe) Send(client *http.Client, method, url string, header http.Header, body []byte) *Exchange {
	e := p.Try(p, client, method, url, header, body)
	if e.Err != nil {
		p.Fail("an answer over HTTP", "%v", e.Err)
	}
	return e
}

// Try is Send for a request that may go unanswered.
func (p *Probe) Try(ctx context.Context, client *http.Client, method, url string, header http.Header, body []byte) *Exchange {
	e := &Exchange{Method: method, URL: url, Header: header.Clone(), Body: body}
	e.run(ctx, client)
	p.Note(*e)
	return e
}

func (e *Exchange) run(ctx context.Context, client *http.Client) {
	request, err := http.NewRequestWithContext(ctx, e.Method, e.URL, bytes.NewReader(e.Body))
	if err != nil {
		e.Err = err
		return
	}
	if e.Header != nil {
		request.Header = e.Header.Clone()
	}
	response, err := client.Do(request)
	if err != nil {
		e.Err = err
		return
	}
	defer response.Body.Close()
	e.Status, e.AnswerHeader = response.StatusCode, response.Header
	e.Answer, e.Err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
}

// Eventually polls until done, or fails the rule when its time is over.
func (p *Probe) Eventually(expected string, done func() (seen string, ok bool)) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		seen, ok := done()
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-p.Done():
			p.Fail(expected, "%s", seen)
		}
	}
}

// Client is a client that follows no redirects and uses no proxy.
func Client() *http.Client {
	return &http.Client{
		Timeout:       RuleTimeout,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Token is a name made of another that can stand in a URL.
func Token(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16])
}
