package httpclient_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/participants/httpclient"
	"github.com/firstviscount/platform-coordination/adapters/participants/protocol"
	"github.com/firstviscount/platform-coordination/domain"
)

// say is what comes of a command whose participant responds with a status, a
// body and headers (name, value, …).
func say(t *testing.T, status int, body string, header ...string) domain.Answer {
	t.Helper()
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
	return client(t, url).Send(t.Context(), command())
}

func TestStatusAloneDecides(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]domain.Outcome{
		200: domain.Succeeded, 201: domain.Succeeded, 204: domain.Succeeded, 299: domain.Succeeded,
		202: domain.Accepted, 422: domain.Rejected,
		408: domain.Retry, 425: domain.Retry, 429: domain.Retry, 503: domain.Retry,
		500: domain.Unknown, 501: domain.Unknown, 502: domain.Unknown, 504: domain.Unknown, 599: domain.Unknown,
		300: domain.ContractError, 301: domain.ContractError, 302: domain.ContractError, 304: domain.ContractError, 307: domain.ContractError, 308: domain.ContractError,
		400: domain.ContractError, 401: domain.ContractError, 403: domain.ContractError, 404: domain.ContractError,
		405: domain.ContractError, 409: domain.ContractError, 413: domain.ContractError, 415: domain.ContractError, 418: domain.ContractError,
	} {
		code := "HTTP_" + strconv.Itoa(status)
		if want == domain.Succeeded || want == domain.Accepted {
			code = ""
		}
		outcome(t, say(t, status, ""), want, code)
		if status != 204 && status != 304 { // which have no body
			outcome(t, say(t, status, " \n"), want, code)
			outcome(t, say(t, status, `{"unknown":1}`), want, code)
		}
	}
}

func TestTheBodysOutcomeDecides(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 202, 400, 404, 422, 429, 500, 503} {
		outcome(t, say(t, status, `{"outcome":"SUCCEEDED"}`), domain.Succeeded, "")
		outcome(t, say(t, status, `{"outcome":"ACCEPTED"}`), domain.Accepted, "")
		outcome(t, say(t, status, `{"outcome":"REJECTED","error":{"code":"PAYMENT_DECLINED"}}`), domain.Rejected, "PAYMENT_DECLINED")
		outcome(t, say(t, status, `{"outcome":"RETRY","error":{"code":"not a code"}}`), domain.Retry, protocol.CodeUnnamed)
		outcome(t, say(t, status, `{"outcome":"UNKNOWN"}`), domain.Unknown, protocol.CodeUnnamed)
		outcome(t, say(t, status, `{"outcome":"DONE"}`), domain.Unknown, httpclient.CodeInvalidAnswer)
	}
}

func TestTheStatusTakesWhatTheBodyAdds(t *testing.T) {
	t.Parallel()
	a := say(t, 201, `{"result":{"a":1},"error":{"code":"X"}}`)
	if a.Outcome != domain.Succeeded || string(a.Result) != `{"a":1}` || a.Error != nil {
		t.Errorf("201: %+v", a)
	}
	a = say(t, 422, `{"result":{"a":1},"error":{"code":"PAYMENT_DECLINED","message":"De\u0007clined"}}`)
	if outcome(t, a, domain.Rejected, "PAYMENT_DECLINED"); a.Error.Message != "Declined" || a.Result != nil {
		t.Errorf("422: %+v", a)
	}
	a = say(t, 503, `{"retryAfter":"PT7S"}`, "Retry-After", "3")
	if outcome(t, a, domain.Retry, "HTTP_503"); a.RetryAfter != 7*time.Second {
		t.Errorf("503: waits %s", a.RetryAfter)
	}
	// What a participant writes about a command it cannot read may quote it.
	a = say(t, 400, `{"error":{"code":"INVALID_COMMAND","message":"bad token tok_secret"}}`)
	if outcome(t, a, domain.ContractError, "INVALID_COMMAND"); a.Error.Message != "payment-service answered 400 to process_payment" {
		t.Errorf("400: %q", a.Error.Message)
	}
}

func TestUnusableBodies(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"OK", "<html></html>", "[]", "null", `"SUCCEEDED"`, `{"outcome":`, `{"a":1,"a":2}`,
		`{"outcome":"SUCCEEDED","result":[]}`, strings.Repeat("[", 10_000), `{"a":` + strings.Repeat("[", 10_000)} {
		for _, status := range []int{200, 202, 422, 500, 503} {
			a := say(t, status, body)
			outcome(t, a, domain.Unknown, httpclient.CodeInvalidAnswer)
			if strings.Contains(a.Error.Message, body) {
				t.Errorf("the message quotes the body: %s", a.Error.Message)
			}
		}
		for _, status := range []int{301, 400, 404} { // an error page
			outcome(t, say(t, status, body), domain.ContractError, "HTTP_"+strconv.Itoa(status))
		}
	}
}

func TestRetryAfterHeader(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{"": 0, "0": 0, "5": 5 * time.Second, "-5": 0, "x": 0, "1.5": 0,
		"99999": protocol.MaxRetryAfter, "99999999999999999999": 0, "Wed, 21 Oct 2015 07:28:00 GMT": 0,
		"Fri, 21 Oct 2950 07:28:00 GMT": protocol.MaxRetryAfter} {
		for _, status := range []int{408, 425, 429, 503, 500} {
			if a := say(t, status, "", "Retry-After", header); a.RetryAfter != want {
				t.Errorf("%d, Retry-After %q: %s, want %s", status, header, a.RetryAfter, want)
			}
		}
	}
	soon := time.Now().Add(30 * time.Second).UTC().Format(http.TimeFormat)
	if a := say(t, 503, "", "Retry-After", soon); a.RetryAfter < 20*time.Second || a.RetryAfter > 30*time.Second {
		t.Errorf("a date in 30 s: %s", a.RetryAfter)
	}
	if a := say(t, 200, "", "Retry-After", "5"); a.RetryAfter != 0 {
		t.Errorf("success waits %s", a.RetryAfter)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var followed atomic.Bool
	other := serve(t, func(http.ResponseWriter, *http.Request) { followed.Store(true) })
	outcome(t, say(t, 307, "", "Location", other), domain.ContractError, "HTTP_307")
	if followed.Load() {
		t.Error("the redirect was followed")
	}
}

func TestWhatIsNeverSentIsRetried(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{
		"connection refused": "http://" + refusing(t),
		"no such host":       "http://participant.invalid",
		"not TLS":            strings.Replace(serve(t, func(http.ResponseWriter, *http.Request) {}), "http", "https", 1),
	} {
		a := client(t, url).Send(t.Context(), command())
		outcome(t, a, domain.Retry, httpclient.CodeUnreachable)
		if a.Error.Message != "payment-service cannot be reached" {
			t.Errorf("%s: %q", name, a.Error.Message)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	url := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("sent") })
	outcome(t, client(t, url).Send(ctx, command()), domain.Retry, httpclient.CodeUnreachable)
}

// raw is a participant that reads a request and then does with the connection
// what it likes.
func raw(t *testing.T, then func(n int, conn net.Conn)) (url string, requests *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	requests = new(atomic.Int32)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				in := bufio.NewReader(conn)
				for {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					n := requests.Add(1)
					then(int(n), conn)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String(), requests
}

func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func TestALostAnswerIsUnknown(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]func(int, net.Conn){
		"closed":             func(_ int, c net.Conn) { _ = c.Close() },
		"reset":              func(_ int, c net.Conn) { reset(c) },
		"half a status line": func(_ int, c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 20"); _ = c.Close() },
		"not HTTP":           func(_ int, c net.Conn) { _, _ = io.WriteString(c, "hello\r\n\r\n"); _ = c.Close() },
		"body cut": func(_ int, c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"outcome\":\"SUCCEEDED\"}")
			_ = c.Close()
		},
		"retry cut": func(_ int, c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\n")
			_ = c.Close()
		},
		"endless header": func(_ int, c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1<<20)+"\r\n\r\n")
			_ = c.Close()
		},
	} {
		url, requests := raw(t, then)
		a := client(t, url).Send(t.Context(), command())
		if outcome(t, a, domain.Unknown, httpclient.CodeConnectionLost); requests.Load() != 1 {
			t.Errorf("%s: sent %d times", name, requests.Load())
		}
		if strings.Contains(a.Error.Message, "127.0.0.1") {
			t.Errorf("%s: %s", name, a.Error.Message)
		}
	}
}

func TestABrokenKeptConnectionIsNotRepeatedBehindOurBack(t *testing.T) {
	t.Parallel()
	url, requests := raw(t, func(n int, c net.Conn) {
		if n == 2 {
			reset(c)
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
	})
	c := client(t, url)
	outcome(t, c.Send(t.Context(), command()), domain.Succeeded, "")
	outcome(t, c.Send(t.Context(), command()), domain.Unknown, httpclient.CodeConnectionLost)
	if n := requests.Load(); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestNoAnswerUntilTheDeadlineIsUnknown(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}, 3), make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Header.Get("Idempotency-Key") == "half" { // headers and half a body at once, the rest never
			_, _ = io.WriteString(w, `{"outcome":`)
			_ = http.NewResponseController(w).Flush()
		}
		arrived <- struct{}{}
		<-release
	})
	t.Cleanup(func() { close(release) })
	c := client(t, url)

	cmd := command()
	cmd.Deadline = time.Now().Add(150 * time.Millisecond)
	outcome(t, c.Send(t.Context(), cmd), domain.Unknown, domain.CodeTimeout)
	if late := time.Since(cmd.Deadline); late < 0 || late > 5*time.Second {
		t.Errorf("returned %s after the deadline", late)
	}
	<-arrived

	cmd = command()
	cmd.CommandID, cmd.Deadline = "half", time.Now().Add(150*time.Millisecond)
	outcome(t, c.Send(t.Context(), cmd), domain.Unknown, domain.CodeTimeout)
	<-arrived

	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	outcome(t, c.Send(ctx, command()), domain.Unknown, domain.CodeTimeout)
}

func TestAnswersOfAnySizeCostNoMoreThanTheLimit(t *testing.T) {
	chunk := bytes.Repeat([]byte("x"), 1<<20)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Header.Get("Idempotency-Key") == "announced" {
			w.Header().Set("Content-Length", strconv.Itoa(50<<20))
		}
		_, _ = io.WriteString(w, `{"outcome":"SUCCEEDED","result":{"a":"`)
		for range 50 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	c := client(t, url)
	for _, key := range []string{"announced", "endless"} {
		cmd := command()
		cmd.CommandID = key
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		a := c.Send(t.Context(), cmd)
		runtime.ReadMemStats(&after)
		outcome(t, a, domain.Unknown, httpclient.CodeInvalidAnswer)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 8*protocol.MaxAnswerBytes {
			t.Errorf("%s: %d bytes allocated", key, grown)
		}
	}
	fits := fmt.Sprintf(`{"outcome":"SUCCEEDED","result":{"a":%q}}`, strings.Repeat("x", protocol.MaxAnswerBytes-100))
	outcome(t, say(t, 200, fits), domain.Succeeded, "")
}

// TestSecretsStayOutOfErrors sends a token and an address to participants that
// fail in every way and looks for them in what comes back.
func TestSecretsStayOutOfErrors(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 301, 404, 422, 500, 503} {
		for _, body := range []string{"", "tok_secret", `{"outcome":"tok_secret"}`, `{"tok_secret":1,"tok_secret":2}`} {
			if a := say(t, status, body); a.Error != nil && strings.Contains(a.Error.Code+a.Error.Message, "tok_secret") {
				t.Errorf("%d %s: %+v", status, body, a.Error)
			}
		}
	}
}
