package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/internal/retryafter"
	"github.com/firstviscount/platform-coordination/adapters/webhook/guard"
	"github.com/firstviscount/platform-coordination/adapters/wire"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// Limits of an attempt.
const (
	// AttemptTimeout bounds an attempt, from the resolution of the host's name
	// to the response.
	AttemptTimeout = 15 * time.Second
	// MaxResponseBytes of a response are read, and MaxResponseHeaderBytes of its header.
	MaxResponseBytes       = 4 << 10
	MaxResponseHeaderBytes = 8 << 10

	handshakeTimeout = 5 * time.Second
	idleTimeout      = 30 * time.Second
	maxIdle          = 256
	maxIdlePerHost   = 8
	// bodyTimeout is how long the body of a response that has said all is waited
	// for, only to use its connection again.
	bodyTimeout = time.Second

	userAgent = "platform-coordination-webhooks/1.0"
)

// outcome is what came of an attempt.
type outcome struct {
	status     int    // of the response; 0 if there was none
	fault      string // in words that are safe to show; "" if it was delivered
	retryAfter time.Duration
	// gone: the receiver wants no more of them. final: nor is another attempt of use.
	gone, final bool
}

func (o outcome) delivered() bool { return o.fault == "" }

// sender posts payloads.
type sender struct {
	guard     *guard.Guard
	transport http.RoundTripper
	begin     func(ctx context.Context, t Told, h http.Header) (context.Context, func(status int, err error)) // nil: nobody traces
}

// newSender makes a sender whose every connection is guarded. It takes no proxy
// from the environment, which would connect for it, and does not decompress.
// Roots verify certificates; nil are the system's.
func newSender(g *guard.Guard, roots *x509.CertPool) *sender {
	return &sender{guard: g, transport: &http.Transport{
		DialContext:            g.Dialer().DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:    handshakeTimeout,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: MaxResponseHeaderBytes,
		DisableCompression:     true,
	}}
}

// close closes the connections that nobody uses.
func (s *sender) close() {
	if t, ok := s.transport.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}

// post attempts a delivery: one request, signed now by every secret, the
// current one first. RoundTrip follows no redirect and keeps no cookie.
func (s *sender) post(ctx context.Context, d *ports.Delivery, url string, p payload, secrets []webhook.Secret, now time.Time) (o outcome) {
	target, err := s.guard.CheckURL(url)
	if err != nil {
		return outcome{fault: fault(err)}
	}
	body, err := webhook.Seal(p.body, secrets[0])
	if err != nil { // of what render made
		return outcome{fault: "the payload cannot be signed"}
	}
	ctx, cancel := context.WithTimeout(ctx, AttemptTimeout)
	defer cancel()
	request := (&http.Request{Method: http.MethodPost, URL: target, Host: target.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"Content-Type": {"application/json"}, "User-Agent": {userAgent}, "Accept": {"*/*"},
			"Traceparent": {wire.Within(p.trace, p.id).Parent},
		},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
	}).WithContext(ctx)
	webhook.SetHeaders(request.Header, p.id, now, body, secrets...)
	if s.begin != nil {
		traced, end := s.begin(ctx, Told{d.DeliveryKey, d.Event, d.Attempts + 1, p.trace, p.run, target.Hostname()}, request.Header)
		request = request.WithContext(traced)
		defer func() { end(o.status, o.err()) }()
	}
	response, err := s.transport.RoundTrip(request)
	if err != nil {
		return outcome{fault: fault(err)}
	}
	o = judge(response, now)
	timer := time.AfterFunc(bodyTimeout, cancel)
	defer timer.Stop()
	_, _ = io.CopyN(io.Discard, response.Body, MaxResponseBytes)
	_ = response.Body.Close()
	return o
}

// Told is an attempt that begins, for traces.
type Told struct {
	ports.DeliveryKey
	Event   string
	Attempt int // from 1
	Trace   domain.Trace
	Run     int    // of the workflow, when the event happened
	Host    string // of the URL; nothing else of it
}

// err is the fault as an error; nil if it was delivered.
func (o outcome) err() error {
	if o.delivered() {
		return nil
	}
	return errors.New(o.fault)
}

// judge is what the header of a response says.
func judge(response *http.Response, now time.Time) outcome {
	o := outcome{status: response.StatusCode}
	switch {
	case o.status >= http.StatusOK && o.status < http.StatusMultipleChoices:
		return o
	case o.status == http.StatusGone:
		o.gone, o.final = true, true
	}
	o.fault = "answered " + strconv.Itoa(o.status)
	if o.status/100 == 3 {
		o.fault += "; redirects are not followed"
	}
	o.retryAfter = retryafter.Read(response.Header.Get("Retry-After"), now, MaxRetryAfter)
	return o
}

// fault says why there was no response, without the error's own text, which may
// hold addresses or the URL.
func fault(err error) string {
	var (
		target      *ports.TargetError
		resolve     *net.DNSError
		certificate *tls.CertificateVerificationError
		noTLS       tls.RecordHeaderError
		alert       *net.OpError // crypto/tls wraps alerts in it, of an operation of this name
		network     net.Error
	)
	switch {
	case errors.As(err, &target):
		return target.Error()
	case errors.As(err, &resolve) && !resolve.IsTimeout:
		return "its host name does not resolve"
	case errors.As(err, &certificate):
		return "its TLS certificate is not valid"
	case errors.As(err, &noTLS), errors.As(err, &alert) && (alert.Op == "remote error" || alert.Op == "local error"):
		return "the TLS handshake failed"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "no response in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused"
	}
	return "the connection failed before a response"
}
