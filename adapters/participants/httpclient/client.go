// Package httpclient carries commands to a participant over HTTP, as
// saga-participant/1 describes: one POST per command, its answer in the
// response or, after ACCEPTED, in a callback.
//
// What a lost or broken response means is decided here and nowhere else. The
// rule: RETRY needs proof that nothing was done, which is that the request was
// never written; everything else that is not an answer is UNKNOWN.
package httpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// Limits of a call.
const (
	// MaxAnswerWait is how long the response of one call is waited for, even if
	// the step's timeout is longer: who needs longer answers ACCEPTED.
	MaxAnswerWait = 2 * time.Minute
	// CheckTimeout is how long a health check waits.
	CheckTimeout = 2 * time.Second
	// DefaultMaxConcurrency is how many connections are kept if Config does not say.
	DefaultMaxConcurrency = 64

	connectTimeout         = 5 * time.Second
	idleTimeout            = 90 * time.Second
	keepAlivePeriod        = 30 * time.Second
	maxResponseHeaderBytes = 32 << 10
	// checkedBytes of a health check's body are read, to keep its connection.
	checkedBytes = 4 << 10
)

// Config says where a participant is and how to talk to it.
type Config struct {
	Service string // its name in templates; for messages
	URL     string // http or https, without query; actions are appended to its path
	// Secret signs the commands; zero leaves them unsigned.
	Secret webhook.Secret
	// CallbackBaseURL is where participants reach this coordinator; the
	// callback path is appended.
	CallbackBaseURL string
	// MaxConcurrency is how many calls are made at once; that many connections
	// are kept. It is not enforced here. 0 is DefaultMaxConcurrency.
	MaxConcurrency int
	// Inject adds headers that carry the trace of ctx, and may replace the
	// traceparent that is there, in which a workflow is a trace. Optional.
	Inject func(ctx context.Context, h http.Header)
	// Responded is told the status of each response to a command, with the
	// context of Send. Optional.
	Responded func(ctx context.Context, status int)
}

// Client is the participant behind one URL.
type Client struct {
	service   string
	url       *url.URL
	callbacks string
	secret    webhook.Secret
	inject    func(context.Context, http.Header)
	responded func(context.Context, int)
	transport *http.Transport
}

var _ ports.Participant = (*Client)(nil)

// New makes a client. It connects to nothing yet. The error names the member of
// Config that is wrong.
func New(cfg Config) (*Client, error) {
	target, err := parseURL(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	callbacks, err := parseURL(cfg.CallbackBaseURL)
	if err != nil {
		return nil, fmt.Errorf("callback URL: %w", err)
	}
	if cfg.MaxConcurrency < 0 {
		return nil, errors.New("maxConcurrency: must not be negative")
	}
	if cfg.MaxConcurrency == 0 {
		cfg.MaxConcurrency = DefaultMaxConcurrency
	}
	return &Client{
		service:   cfg.Service,
		url:       target,
		callbacks: callbacks.String(),
		secret:    cfg.Secret,
		inject:    cfg.Inject,
		responded: cfg.Responded,
		transport: newTransport(cfg.MaxConcurrency),
	}, nil
}

// parseURL accepts what a path can be appended to, and takes the slash off its end.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil { // it would quote the text, which may hold a password
		return nil, errors.New("not a URL")
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, errors.New("must begin with http:// or https:// and a host")
	case u.User != nil:
		return nil, errors.New("must not hold a user or password")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("must not have a query or fragment")
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return u, nil
}

// newTransport is used without http.Client: RoundTrip follows no redirect,
// keeps no cookie and costs less. It takes no proxy from the environment, since
// participants are neighbours; it does not decompress, so that no answer grows
// behind the limit.
func newTransport(connections int) *http.Transport {
	dialer := &net.Dialer{Timeout: connectTimeout, KeepAlive: keepAlivePeriod}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    connectTimeout,
		MaxIdleConns:           connections,
		MaxIdleConnsPerHost:    connections,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxResponseHeaderBytes,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
	}
}

// Close closes the connections that nobody uses.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Send delivers a command; see ports.Participant.
func (c *Client) Send(ctx context.Context, cmd domain.Dispatch) domain.Answer {
	ctx, cancel := context.WithDeadline(ctx, answerBy(time.Now(), cmd.Deadline))
	defer cancel()
	sent := &progress{}
	response, err := c.transport.RoundTrip(c.request(sent.watch(ctx), &cmd))
	if err != nil {
		return c.unanswered(err, sent.written())
	}
	defer func() { _ = response.Body.Close() }() // what was not read is not wanted
	if c.responded != nil {
		c.responded(ctx, response.StatusCode)
	}
	return c.answer(&cmd, response)
}

// answerBy is until when an answer is waited for.
func answerBy(now, deadline time.Time) time.Time {
	if longest := now.Add(MaxAnswerWait); deadline.IsZero() || deadline.After(longest) {
		return longest
	}
	return deadline
}

// at is the address of a path below the participant's URL.
func (c *Client) at(path string) *url.URL {
	u := *c.url
	u.Path += "/" + path
	if u.RawPath != "" {
		u.RawPath += "/" + path
	}
	return &u
}

// Check asks the participant's /healthz. Any answer below 500 counts as up, and
// so does 501: a participant need not have that path, nor know any method but POST.
func (c *Client) Check(ctx context.Context) ports.DependencyHealth {
	ctx, cancel := context.WithTimeout(ctx, CheckTimeout)
	defer cancel()
	start := time.Now()
	request := (&http.Request{Method: http.MethodGet, URL: c.at("healthz"), Host: c.url.Host, Header: http.Header{},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	response, err := c.transport.RoundTrip(request)
	health := ports.DependencyHealth{ResponseTime: time.Since(start)}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		health.Detail = "no answer within " + CheckTimeout.String()
		return health
	case err != nil:
		health.Detail = "cannot be reached"
		return health
	}
	_, _ = io.CopyN(io.Discard, response.Body, checkedBytes) // only to use the connection again
	_ = response.Body.Close()
	health.Up = response.StatusCode < http.StatusInternalServerError || response.StatusCode == http.StatusNotImplemented
	if !health.Up {
		health.Detail = "answers " + strconv.Itoa(response.StatusCode)
	}
	return health
}
