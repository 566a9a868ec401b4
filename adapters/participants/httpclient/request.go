package httpclient

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/participants/protocol"
	"github.com/firstviscount/platform-coordination/adapters/wire"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// headerKey is Idempotency-Key in lower case, and it matters: the transport
// would see the canonical form and repeat a request whose connection broke by
// itself, but whether a command is repeated is for the workflow to decide. On
// the wire the case means nothing.
const headerKey = "idempotency-key"

// The headers of the W3C trace context.
const (
	headerTrace      = "Traceparent"
	headerTraceState = "Tracestate"
)

// contentType is shared by all requests and never changed.
var contentType = []string{"application/json"}

func (c *Client) request(ctx context.Context, cmd *domain.Dispatch) *http.Request {
	body := protocol.Command(cmd, c.callbacks)
	trace := wire.Within(wire.TraceOf(cmd.Trace, cmd.WorkflowID), cmd.CommandID+"#"+strconv.Itoa(cmd.Attempt))
	header := http.Header{
		"Content-Type": contentType,
		"Accept":       contentType,
		"User-Agent":   {"platform-coordination"},
		headerKey:      {cmd.CommandID},
		headerTrace:    {trace.Parent},
	}
	if trace.State != "" {
		header[headerTraceState] = []string{trace.State}
	}
	webhook.SetHeaders(header, cmd.CommandID, time.Now(), body, c.secret)
	if c.inject != nil {
		c.inject(ctx, header)
	}
	request := &http.Request{
		Method: http.MethodPost, URL: c.at(cmd.Action), Host: c.url.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		ContentLength: int64(len(body)),
		Body:          io.NopCloser(bytes.NewReader(body)),
		// With it the transport takes a fresh connection when the one it chose
		// was closed before a byte was written.
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
	}
	return request.WithContext(ctx)
}

// progress sees whether a request was written, on any connection.
type progress struct {
	headers atomic.Bool
	trace   httptrace.ClientTrace
}

func (p *progress) watch(ctx context.Context) context.Context {
	p.trace.WroteHeaders = func() { p.headers.Store(true) }
	return httptrace.WithClientTrace(ctx, &p.trace)
}

// written is false only if the participant cannot have seen a whole request: it
// is set before the last byte of the headers leaves.
func (p *progress) written() bool { return p.headers.Load() }
