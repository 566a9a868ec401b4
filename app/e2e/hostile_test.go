package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/auth"
	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// maxResident is the most memory that a coordinator may ever hold.
const maxResident = 200 << 20

// bad is a request that must be turned away with a status below 500 and an
// envelope that names a code.
type bad struct {
	name    string
	method  string // POST if empty
	path    string
	body    string
	headers []string
	status  int
	code    coordination.Code // "" for that of the status's INVALID_REQUEST
}

// TestHostileRequests sends what no client should send, all at the same time,
// to a coordinator that must answer each and lose nothing by it.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(t *testing.T, store string) {
		c := harness.Serve(t, harness.Options{Store: store})
		t.Run("all", func(t *testing.T) {
			for _, list := range [][]bad{badBodies(t), badHeaders(t), badPaths(), badQueries()} {
				for _, b := range list {
					t.Run(b.name, func(t *testing.T) {
						t.Parallel()
						b.isTurnedAway(t, c)
					})
				}
			}
			t.Run("no HTTP at all", func(t *testing.T) { t.Parallel(); notHTTP(t, c) })
		})
		unharmed(t, c)
	})
}

func (b bad) isTurnedAway(t *testing.T, c *harness.Coordinator) {
	method, code := b.method, b.code
	if method == "" {
		method = http.MethodPost
	}
	if code == "" {
		code = coordination.ErrInvalidRequest
	}
	r := c.Do(t, method, b.path, b.body, b.headers...)
	if r.Status != b.status {
		t.Fatalf("got %d, want %d:\n%.2000s", r.Status, b.status, r.Body)
	}
	if r.Header.Get("X-Request-Id") == "" || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		t.Errorf("the headers are %v", r.Header)
	}
	if got := r.Text("error", "code"); got != string(code) {
		t.Errorf("the code is %s, want %s:\n%.2000s", got, code, r.Body)
	}
	r.Text("error", "message")
	r.Text("error", "traceId")
	if status := r.Header.Get("Allow"); r.Status == http.StatusMethodNotAllowed && status == "" {
		t.Error("405 without Allow")
	}
}

// unharmed checks that a coordinator works, has logged no error, and is small.
func unharmed(t *testing.T, c *harness.Coordinator) {
	t.Helper()
	started, err := c.Client(t).Workflows.StartOrder(t.Context(), order("tok_visa_4242"))
	if err != nil {
		t.Fatal(err)
	}
	is(t, wait(t, c.Client(t), started.WorkflowID), coordination.StatusCompleted, coordination.SagaCompleted)
	for line := range strings.Lines(c.Log()) {
		if strings.Contains(line, `"level":"ERROR"`) {
			t.Errorf("logged: %s", line)
		}
	}
	resident, err := c.Resident()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("at most %d MiB resident", resident>>20)
	if resident > maxResident {
		t.Errorf("the coordinator held %d MiB", resident>>20)
	}
}

const startOrder = "/workflows/order/start"

// badBodies are faults of the example order, and of JSON.
func badBodies(t *testing.T) []bad {
	example := reference(t, "order-request")
	var list []bad
	whole := func(name, body string, status int) {
		list = append(list, bad{name: name, path: startOrder, body: body, status: status})
	}
	change := func(name, old, replacement string) {
		if !strings.Contains(example, old) {
			t.Fatalf("%s: the example has no %s", name, old)
		}
		whole(name, strings.Replace(example, old, replacement, 1), 400)
	}
	changeTypes(change)
	changeNumbers(change)
	changeTexts(change)

	item := `{"productId":"p","quantity":1,"unitPrice":1}`
	start, end := strings.Index(example, `"items": [`)+len(`"items": [`), strings.Index(example, `],`)
	items := func(n int) string { return example[:start] + strings.Repeat(item+",", n-1) + item + example[end:] }
	whole("501 items", items(501), 400)
	whole("no items", example[:start]+example[end:], 400)
	whole("300 KiB", `{"orderId":"`+strings.Repeat("x", 300<<10)+`"}`, 413)
	whole("300 KiB of spaces", strings.Repeat(" ", 300<<10)+example, 413)
	whole("depth 100", strings.Repeat(`{"metadata":`, 100)+"{}"+strings.Repeat("}", 100), 400)
	whole("depth 10000", strings.Repeat("[", 10000)+strings.Repeat("]", 10000), 400)
	whole("depth 100000 unclosed", strings.Repeat("[", 100000), 400)
	for name, body := range map[string]string{"empty": "", "null": "null", "list": "[]", "number": "1", "text": `"x"`, "half": example[:len(example)/2],
		"trailing data": example + "{}", "no JSON": "orderId=ord-1", "a comma too many": `{"orderId":"a",}`, "NaN": `{"orderId":NaN}`,
		"single quotes": `{'orderId':'a'}`, "comment": `{/* */"orderId":"a"}`, "byte order mark": "\xef\xbb\xbf" + example,
		"UTF-16": "\xfe\xff\x00{\x00}", "binary": "\x00\x01\x02\x03\xff"} {
		whole("body: "+name, body, 400)
	}
	list = append(list, bad{name: "another total", path: startOrder, status: 422, code: coordination.ErrBusinessRuleViolation,
		body: strings.Replace(example, "1499.97", "1499.98", 1)})
	return list
}

func changeTypes(change func(name, old, replacement string)) {
	change("a number as orderId", `"ord-550e8400-e29b-41d4-a716-446655440000"`, "5")
	change("null as orderId", `"ord-550e8400-e29b-41d4-a716-446655440000"`, "null")
	change("an object as orderId", `"ord-550e8400-e29b-41d4-a716-446655440000"`, `{"$ne":null}`)
	change("a text as quantity", `"quantity": 2`, `"quantity": "2"`)
	change("a text as price", "599.99", `"599.99"`)
	change("true as price", "599.99", "true")
	change("a number as flag", `"giftWrap": false`, `"giftWrap": 0`)
	change("a list as metadata", `"source": "web_checkout",
    "sessionId": "session-123",
    "campaignId": "winter-sale-2024"
  }`, `"source": [`+strings.Repeat("[", 20)+strings.Repeat("]", 20)+`]}`)
	change("an unknown member", `"shippingMethod"`, `"isAdmin": true, "shippingMethod"`)
	change("a duplicate member", `"shippingMethod"`, `"shippingMethod": "EXPRESS", "shippingMethod"`)
	change("a duplicate member in metadata", `"source": "web_checkout"`, `"source": "a", "source": "b"`)
	change("a duplicate member, escaped", `"shippingMethod"`, `"shipping\u004dethod": "EXPRESS", "shippingMethod"`)
	change("a member in the wrong case", `"customerId"`, `"CustomerID"`)
	change("a member in another case too", `"shippingMethod"`, `"ORDERID": "evil", "shippingMethod"`)
	change("an unknown priority", `"NORMAL"`, `"URGENT"`)
	change("a missing member", `"shippingMethod": "STANDARD",`, "")
}

func changeNumbers(change func(name, old, replacement string)) {
	for _, number := range []string{"0", "-1", "1.5", "1e400", "-1e400", "99999999999999999999", "1e99999999999999999999", "0x10", "01", "+1", "1.", ".5",
		strings.Repeat("9", 5000)} {
		change("quantity "+fmt.Sprintf("%.30s", number), `"quantity": 2`, `"quantity": `+number)
	}
	for _, number := range []string{"599.999", "-1", "1e30", "1e-400", "1e400", "9223372036854775808", "0.001", strings.Repeat("9", 5000)} {
		change("price "+fmt.Sprintf("%.30s", number), "599.99", number)
	}
}

func changeTexts(change func(name, old, replacement string)) {
	change("bad UTF-8", "John Doe", "John \xff\xfe Doe")
	change("overlong UTF-8", "John Doe", "John \xc0\xaf Doe")
	change("a surrogate in UTF-8", "John Doe", "John \xed\xa0\x80 Doe")
	change("a lone surrogate", "John Doe", `John \ud800 Doe`)
	change("surrogates the wrong way round", "John Doe", `John \udc00\ud800 Doe`)
	change("an escaped NUL", "John Doe", `John \u0000 Doe`)
	change("a NUL", "John Doe", "John \x00 Doe")
	change("a line break", "John Doe", "John \n Doe")
	change("a long text", "John Doe", strings.Repeat("x", 1025))
	change("an empty text", "John Doe", "")
	change("an escape that is none", "John Doe", `John \x41 Doe`)
	change("an identifier with a space", `"ord-550e`, `"ord 550e`)
	change("an identifier with a slash", `"ord-550e`, `"../550e`)
	change("a long identifier", `"ord-550e`, `"`+strings.Repeat("x", 128)+`550e`)
	change("a currency in lower case", `"USD"`, `"usd"`)
	change("17 KiB of metadata", `"web_checkout"`, `["`+strings.Repeat(strings.Repeat("x", 1000)+`","`, 17)+`"]`)
	change("metadata of depth 9", `"web_checkout"`, strings.Repeat("[", 9)+strings.Repeat("]", 9))
}

func badHeaders(t *testing.T) []bad {
	example := reference(t, "order-request")
	var list []bad
	for _, kind := range []string{"text/plain", "application/xml", "application/cbor", "application/json; charset=utf-16", "multipart/form-data; boundary=x",
		"application/x-www-form-urlencoded", "nonsense", ";;;"} {
		list = append(list, bad{name: "content type " + kind, path: startOrder, body: example, headers: []string{"Content-Type", kind}, status: 415})
	}
	for name, key := range map[string]string{"long": strings.Repeat("k", 256), "with a space": "a b", "with a tab": "a\tb", "not ASCII": "schlüssel"} {
		list = append(list, bad{name: "idempotency key " + name, path: startOrder, body: example, headers: []string{"X-Idempotency-Key", key}, status: 400})
	}
	for name, authorization := range map[string]string{"none": "", "another scheme": "Basic YTpi", "no token": "Bearer ", "garbage": "Bearer garbage",
		"three empty parts": "Bearer ..", "many dots": "Bearer " + strings.Repeat(".", 5000), "long": "Bearer " + strings.Repeat("x", 10<<10),
		"unsigned":    "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSIsInJvbGUiOiJhZG1pbiIsImV4cCI6NDEwMjQ0NDgwMH0.",
		"another key": "Bearer " + signedBy(t, "another-0123456789abcdef-0123456789abcdef", time.Hour), "not English": "Bearer ünïcode"} {
		list = append(list, bad{name: "authorization " + name, path: startOrder, body: example,
			headers: []string{"Authorization", authorization}, status: 401, code: coordination.ErrAuthenticationRequired})
	}
	external := []string{"Authorization", "Bearer " + harness.Token(t, auth.RoleExternal)}
	for _, path := range []string{"/workflows/" + someWorkflow + "/retry", "/sagas/" + someSaga + "/compensate"} {
		list = append(list, bad{name: "too low a role " + path, path: path, body: `{"reason":"x"}`, headers: external, status: 403,
			code: coordination.ErrInsufficientPermissions})
	}
	return list
}

func signedBy(t *testing.T, secret string, ttl time.Duration) string {
	t.Helper()
	token, err := auth.Mint([]byte(secret), auth.Grant{Subject: "me", Role: auth.RoleAdmin, TTL: ttl}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

const (
	someWorkflow = "wf-660e8400-e29b-41d4-a716-446655440000"
	someSaga     = "saga-770e8400-e29b-41d4-a716-446655440000"
)

func badPaths() []bad {
	var list []bad
	add := func(method, path string, status int, code coordination.Code) {
		list = append(list, bad{name: fmt.Sprintf("%s %.60s %d", method, path, len(path)), method: method, path: path, status: status, code: code})
	}
	for _, path := range []string{"/nothing", "/workflows/", "//workflows", "/workflows/../health", "/workflows/%2e%2e/health", "/WORKFLOWS", "/health/",
		"/workflows/%00", "/" + strings.Repeat("x", 4000), "/workflows/x/y/z", "/%ff%fe"} {
		add("GET", path, 404, coordination.ErrNotFound)
	}
	for _, id := range []string{"x", "wf-", "wf-1", someSaga, "wf-" + strings.Repeat("6", 36), "%00", "%27%20OR%201=1--", strings.Repeat("x", 2000),
		"wf-660e8400-e29b-41d4-a716-44665544000g", someWorkflow, "WF-660e8400-e29b-41d4-a716-446655440000"} {
		add("GET", "/workflows/"+id+"/status", 404, coordination.ErrWorkflowNotFound)
		add("GET", "/workflows/"+id+"/events", 404, coordination.ErrWorkflowNotFound)
		add("GET", "/sagas/"+id+"x", 404, coordination.ErrSagaNotFound)
	}
	for _, method := range []string{"PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "GET", "NONSENSE"} {
		add(method, startOrder, 405, coordination.ErrMethodNotAllowed)
	}
	add("POST", "/health", 405, coordination.ErrMethodNotAllowed)
	add("DELETE", "/workflows", 405, coordination.ErrMethodNotAllowed)
	add("GET", "/workflow-templates/nothing", 404, coordination.ErrTemplateNotFound)
	for _, token := range []string{"x", "cbt_", "cbt_" + strings.Repeat("A", 3000), "%00", "cbt_ünïcode"} {
		list = append(list, bad{name: "callback " + fmt.Sprintf("%.20s", token), path: "/callbacks/" + token, body: `{"outcome":"SUCCEEDED"}`,
			headers: []string{"Authorization", ""}, status: 404, code: coordination.ErrCallbackNotFound})
	}
	return list
}

func badQueries() []bad {
	var list []bad
	for _, query := range []string{"size=0", "size=-1", "size=101", "size=1000000000", "size=99999999999999999999", "size=abc", "size=1.5", "size=%00",
		"page=-1", "page=99999999999999999999", "page=1000000000", "page=x", "cursor=garbage", "cursor=%00", "cursor=" + strings.Repeat("A", 5000),
		"cursor=AAAA&page=1", "sort=nothing", "sort=startedAt,sideways", "sort=startedAt;DROP", "status=ODD", "priority=ODD",
		"startedAfter=yesterday", "startedBefore=2024-13-45T99:00:00Z"} {
		name := fmt.Sprintf("list %.40s %d", query, len(query))
		list = append(list, bad{name: name, method: "GET", path: "/workflows?" + query, status: 400})
	}
	for _, query := range []string{"period=YEAR", "includeHistorical=maybe"} {
		list = append(list, bad{name: "metrics " + query, method: "GET", path: "/workflows/metrics?" + query, status: 400})
	}
	return list
}

// notHTTP writes what is no request to the socket, and requests whose frame
// lies; the answer, if there is one, is a refusal.
func notHTTP(t *testing.T, c *harness.Coordinator) {
	for _, text := range []string{
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", // a TLS handshake
		"GET / HTTP/9.9\r\n\r\n", "GET\r\n\r\n", "\r\n\r\n\r\n", strings.Repeat("A", 100<<10),
		"GET /api/v1/health HTTP/1.1\r\n\r\n", // no Host
		"GET /api/v1/health HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("y", 64<<10) + "\r\n\r\n",
		"POST /api/v1" + startOrder + " HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
		"POST /api/v1" + startOrder + " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"POST /api/v1" + startOrder + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + harness.Token(t, auth.RoleAdmin) +
			"\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk\r\n",
	} {
		// 505 is net/http's right answer to a version that does not exist.
		if status := exchange(t, c.Address, text); status >= http.StatusInternalServerError && status != http.StatusHTTPVersionNotSupported {
			t.Errorf("%.60q is answered %d", text, status)
		}
	}
}

// exchange sends raw bytes, closes its half and returns the status of the answer, 0 if none came.
func exchange(t *testing.T, address, text string) int {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	go func() {
		_, _ = io.WriteString(conn, text) // the server may hang up in the middle
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	line, _ := bufio.NewReader(conn).ReadString('\n') // it may be cut off too
	if parts := strings.Fields(line); len(parts) > 1 {
		status, _ := strconv.Atoi(parts[1])
		return status
	}
	return 0
}
