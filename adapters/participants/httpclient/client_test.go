package httpclient_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/participants/httpclient"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

func client(t testing.TB, url string, change ...func(*httpclient.Config)) *httpclient.Client {
	t.Helper()
	cfg := httpclient.Config{Service: "payment-service", URL: url, CallbackBaseURL: "https://co.example:8081/"}
	for _, f := range change {
		f(&cfg)
	}
	c, err := httpclient.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// serve is a participant that answers with handler.
func serve(t testing.TB, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func command() domain.Dispatch {
	return domain.Dispatch{
		WorkflowID: "wf-660e8400-e29b-41d4-a716-446655440000", SagaID: "saga-7", WorkflowType: "ORDER_FULFILLMENT",
		CommandID: "saga-7:1:PAYMENT_PROCESSING:execute", Service: "payment-service", Step: "PAYMENT_PROCESSING", Action: "process_payment",
		Attempt: 1, Deadline: time.Now().Add(10 * time.Second), Token: "cbt_abc",
		Parameters: json.RawMessage(`{"token":"tok_secret","amount":1499.97}`), Context: json.RawMessage(`{"orderId":"ord-1"}`),
	}
}

func outcome(t *testing.T, got domain.Answer, want domain.Outcome, code string) {
	t.Helper()
	gotCode := ""
	if got.Error != nil {
		gotCode = got.Error.Code
		if got.Error.Message == "" {
			t.Errorf("%s without a message", gotCode)
		}
	}
	if got.Outcome != want || gotCode != code {
		t.Errorf("answer %s %q (%+v), want %s %q", got.Outcome, gotCode, got.Error, want, code)
	}
}

func TestACommandOnTheWire(t *testing.T) {
	t.Parallel()
	secret, err := webhook.ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan *http.Request, 1)
	bodies := make(chan []byte, 1)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen <- r
		bodies <- body
		fmt.Fprint(w, `{"outcome":"SUCCEEDED","result":{"paymentId":"pay-1","amount":1499.970}}`)
	})
	c := client(t, url+"/base/", func(cfg *httpclient.Config) {
		cfg.Secret = secret
		cfg.Inject = func(_ context.Context, h http.Header) {
			h.Set("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		}
	})
	cmd := command()
	a := c.Send(t.Context(), cmd)
	if a.Outcome != domain.Succeeded || string(a.Result) != `{"paymentId":"pay-1","amount":1499.970}` {
		t.Fatalf("answer %+v", a)
	}
	r, body := <-seen, <-bodies
	if r.Method != http.MethodPost || r.URL.Path != "/base/process_payment" {
		t.Errorf("%s %s", r.Method, r.URL.Path)
	}
	for name, want := range map[string]string{"Content-Type": "application/json", "Idempotency-Key": cmd.CommandID,
		"webhook-id": cmd.CommandID, "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if err := webhook.Verify(r.Header, body, time.Now(), secret); err != nil {
		t.Errorf("signature: %v", err)
	}
	var sent coordination.Command
	if err := json.Unmarshal(body, &sent); err != nil {
		t.Fatal(err)
	}
	if sent.CommandID != cmd.CommandID || sent.Attempt != 1 || string(sent.Parameters) != string(cmd.Parameters) ||
		sent.Callback.URL != "https://co.example:8081/api/v1/callbacks/cbt_abc" || sent.Callback.Token != "cbt_abc" {
		t.Errorf("command %s", body)
	}
}

func TestWithoutSecretNothingIsSigned(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("webhook-signature") != "" {
			w.WriteHeader(http.StatusTeapot)
		}
	})
	outcome(t, client(t, url).Send(t.Context(), command()), domain.Succeeded, "")
}

func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	addresses := make(chan string, 3)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		addresses <- r.RemoteAddr
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, `{"outcome":"SUCCEEDED"}`)
	})
	c := client(t, url)
	for range 3 {
		outcome(t, c.Send(t.Context(), command()), domain.Succeeded, "")
	}
	first, second, third := <-addresses, <-addresses, <-addresses
	if first != second || second != third {
		t.Error("a new connection per command")
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	const good = "http://127.0.0.1:9001"
	for name, cfg := range map[string]httpclient.Config{
		"no url":            {CallbackBaseURL: good},
		"relative":          {URL: "/path", CallbackBaseURL: good},
		"other scheme":      {URL: "ftp://host", CallbackBaseURL: good},
		"no host":           {URL: "http:///path", CallbackBaseURL: good},
		"password":          {URL: "http://user:hunter2@host", CallbackBaseURL: good},
		"query":             {URL: good + "?a=b", CallbackBaseURL: good},
		"fragment":          {URL: good + "#a", CallbackBaseURL: good},
		"broken":            {URL: "http://user:hunter2@[host", CallbackBaseURL: good},
		"no callback URL":   {URL: good},
		"negative capacity": {URL: good, CallbackBaseURL: good, MaxConcurrency: -1},
	} {
		if _, err := httpclient.New(cfg); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/healthz" {
			t.Errorf("%s %s", r.Method, r.URL.Path)
		}
		w.WriteHeader(status)
	})
	c := client(t, url)
	for status = range map[int]bool{200: true, 404: true, 302: true, 501: true} {
		if h := c.Check(t.Context()); !h.Up || h.Detail != "" || h.ResponseTime <= 0 {
			t.Errorf("%d: %+v", status, h)
		}
	}
	status = http.StatusBadGateway
	if h := c.Check(t.Context()); h.Up || h.Detail != "answers 502" {
		t.Errorf("502: %+v", h)
	}
	down := client(t, "http://"+refusing(t))
	if h := down.Check(t.Context()); h.Up || h.Detail != "cannot be reached" {
		t.Errorf("refused: %+v", h)
	}
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if h := c.Check(ctx); h.Up || h.Detail == "" {
		t.Errorf("expired: %+v", h)
	}
}

// refusing is an address where nobody listens.
func refusing(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return address
}
