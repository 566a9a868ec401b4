package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/webhook/guard"
	"github.com/firstviscount/platform-coordination/adapters/wire"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

const (
	testWorkflow = "wf-660e8400-e29b-41d4-a716-446655440000"
	testEvent    = "evt-018d0ea9-2c00-7000-8000-0000000000e4"
)

var testPayload = payload{testEvent, []byte(`{"id":"` + testEvent + `","timestamp":"2024-01-15T10:00:30Z","event":"workflow.completed","data":{}}`), wire.TraceOf(domain.Trace{}, testWorkflow), 1}

func testSender(t *testing.T, roots *x509.CertPool) *sender {
	t.Helper()
	s := newSender(guard.New(guard.Config{AllowPrivate: true}), roots)
	t.Cleanup(s.close)
	return s
}

// posts sends one payload, and waits at most two seconds for its end.
func posts(t *testing.T, s *sender, url string, secrets ...webhook.Secret) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if len(secrets) == 0 {
		secrets = []webhook.Secret{NewSecret()}
	}
	return s.post(ctx, &ports.Delivery{DeliveryKey: ports.DeliveryKey{WebhookID: "whk-1", WorkflowID: testWorkflow, Sequence: 1}, Event: "workflow.started"}, url, testPayload, secrets, time.Now())
}

func TestRequestIsWhatReceiversExpect(t *testing.T) {
	t.Parallel()
	now, old := NewSecret(), NewSecret()
	handled := 0
	for _, known := range []webhook.Secret{now, old} {
		receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for name, want := range map[string]string{"Content-Type": "application/json", "User-Agent": userAgent, "Webhook-Id": testEvent} {
				if r.Header.Get(name) != want {
					t.Errorf("%s is %q", name, r.Header.Get(name))
				}
			}
			if r.Method != http.MethodPost || r.URL.RequestURI() != "/hook?a=b" || !strings.HasPrefix(r.Header.Get("Traceparent"), "00-660e8400e29b41d4a716446655440000-") {
				t.Errorf("%s %s, %v", r.Method, r.URL, r.Header)
			}
			(&webhook.Handler{Secrets: []webhook.Secret{known}, Handle: func(_ context.Context, e webhook.Event) error {
				handled++
				if e.ID != testEvent || e.Event != "workflow.completed" {
					t.Errorf("got %+v", e)
				}
				return nil
			}}).ServeHTTP(w, r)
		}))
		if o := posts(t, testSender(t, nil), receiver.URL+"/hook?a=b", now, old); !o.delivered() || o.status != http.StatusNoContent {
			t.Errorf("%+v", o)
		}
		receiver.Close()
	}
	if handled != 2 {
		t.Errorf("handled %d times", handled)
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var status int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.Header().Set("Retry-After", "1000000000")
		w.WriteHeader(status)
	}))
	t.Cleanup(receiver.Close)
	s := testSender(t, nil)
	for status, want := range map[int]outcome{
		200: {status: 200}, 201: {status: 201}, 202: {status: 202}, 204: {status: 204}, 299: {status: 299},
		302: {status: 302, fault: "answered 302; redirects are not followed", retryAfter: MaxRetryAfter},
		400: {status: 400, fault: "answered 400", retryAfter: MaxRetryAfter},
		410: {status: 410, fault: "answered 410", retryAfter: MaxRetryAfter, gone: true, final: true},
		429: {status: 429, fault: "answered 429", retryAfter: MaxRetryAfter},
		503: {status: 503, fault: "answered 503", retryAfter: MaxRetryAfter},
	} {
		if got := posts(t, s, fmt.Sprintf("%s/%d", receiver.URL, status)); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// TestRedirectsReachNobody: neither a forbidden address nor an allowed one.
func TestRedirectsReachNobody(t *testing.T) {
	t.Parallel()
	var reached atomic.Int32
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(inner.Close)
	for _, target := range []string{inner.URL, "http://169.254.169.254/latest/meta-data/", "//" + strings.TrimPrefix(inner.URL, "http://"), "file:///etc/passwd", "/elsewhere"} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			redirects := 0
			receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				redirects++
				w.Header().Set("Location", target)
				w.WriteHeader(status)
			}))
			if o := posts(t, testSender(t, nil), receiver.URL); o.status != status || o.delivered() {
				t.Errorf("%d to %s: %+v", status, target, o)
			}
			receiver.Close()
			if redirects != 1 {
				t.Errorf("%d requests", redirects)
			}
		}
	}
	if n := reached.Load(); n > 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

// hostile answers each connection in raw bytes.
func hostile(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = c.Read(make([]byte, 64<<10))
				answer(c)
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

// until writes over and over until the other side hangs up.
func until(c net.Conn, text string, pause time.Duration) {
	for {
		if _, err := io.WriteString(c, text); err != nil {
			return
		}
		time.Sleep(pause)
	}
}

func TestHostileReceivers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func(net.Conn)
		want   outcome
	}{
		"hangs up":       {func(net.Conn) {}, outcome{fault: "the connection failed before a response"}},
		"says nothing":   {func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) }, outcome{fault: "no response in time"}},
		"says it slowly": {func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\n"); until(c, "X: y\r\n", 100*time.Millisecond) }, outcome{fault: "no response in time"}},
		"endless header": {func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			until(c, "X: "+strings.Repeat("y", 1000)+"\r\n", 0)
		}, outcome{fault: "the connection failed before a response"}},
		"garbage":       {func(c net.Conn) { until(c, "\x00\xff\n", 0) }, outcome{fault: "the connection failed before a response"}},
		"endless hints": {func(c net.Conn) { until(c, "HTTP/1.1 103 Early Hints\r\n\r\n", time.Millisecond) }, outcome{fault: "the connection failed before a response"}},
		"endless body": {func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
			until(c, strings.Repeat("x", 1<<20), 0)
		}, outcome{status: 200}},
		"dripping body": {func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n"); until(c, "x", 100*time.Millisecond) }, outcome{status: 200}},
		"body that stops": {func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
			_, _ = c.Read(make([]byte, 1))
		}, outcome{status: 200}},
		"compressed body": {func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nxxx")
		}, outcome{status: 200}},
		"switches protocol": {func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
		}, outcome{status: 101, fault: "answered 101"}},
		"no such status": {func(c net.Conn) { io.WriteString(c, "HTTP/1.1 999 Huh\r\nContent-Length: 0\r\n\r\n") }, outcome{status: 999, fault: "answered 999"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			if got := posts(t, testSender(t, nil), hostile(t, c.answer)); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestTLSIsVerified(t *testing.T) {
	t.Parallel()
	start := func(change func(*httptest.Server)) *httptest.Server {
		receiver := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) }))
		receiver.Config.ErrorLog = log.New(io.Discard, "", 0) // of refused handshakes
		change(receiver)
		receiver.StartTLS()
		t.Cleanup(receiver.Close)
		return receiver
	}
	good := start(func(*httptest.Server) {})
	old := start(func(s *httptest.Server) {
		s.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	})
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	roots := x509.NewCertPool()
	roots.AddCert(good.Certificate())
	host := func(name string) string { return strings.Replace(good.URL, "127.0.0.1", name, 1) }
	for name, c := range map[string]struct {
		roots *x509.CertPool
		url   string
		want  outcome
	}{
		"good":          {roots, good.URL, outcome{status: 200}},
		"unknown":       {nil, good.URL, outcome{fault: "its TLS certificate is not valid"}},
		"of another":    {roots, host("localhost"), outcome{fault: "its TLS certificate is not valid"}},
		"old protocol":  {roots, old.URL, outcome{fault: "the TLS handshake failed"}},
		"no TLS at all": {roots, strings.Replace(plain.URL, "http:", "https:", 1), outcome{fault: "the TLS handshake failed"}},
	} {
		if got := posts(t, testSender(t, c.roots), c.url); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	if got := posts(t, testSender(t, nil), "http://"+address); got.fault != "the connection was refused" {
		t.Errorf("%+v", got)
	}
}

// TestTargetsAreGuardedAtEachAttempt also if they were let in by other settings.
func TestTargetsAreGuardedAtEachAttempt(t *testing.T) {
	t.Parallel()
	var reached atomic.Int32
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(receiver.Close)
	s := newSender(guard.New(guard.Config{}), nil)
	t.Cleanup(s.close)
	for _, url := range []string{receiver.URL, strings.Replace(receiver.URL, "http:", "https:", 1), "https://localhost:8443/"} {
		if got := posts(t, s, url); got.delivered() || !strings.HasPrefix(got.fault, "not a webhook target: ") || strings.Contains(got.fault, "127.0.0.1") {
			t.Errorf("%s: %+v", url, got)
		}
	}
	if reached.Load() > 0 {
		t.Error("it was reached")
	}
}

// TestNoProxyIsTakenFromTheEnvironment, which would connect in our place.
func TestNoProxyIsTakenFromTheEnvironment(t *testing.T) {
	t.Parallel()
	s := testSender(t, nil)
	if s.transport.(*http.Transport).Proxy != nil {
		t.Error("the transport has a proxy")
	}
}
