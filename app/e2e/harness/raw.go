package harness

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/auth"
)

// requestTimeout bounds one raw request; the longest wait that the API knows is
// a minute.
const requestTimeout = 70 * time.Second

// sender has room for the connections of all tests of a process.
var sender = &http.Client{
	Timeout:       requestTimeout,
	Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Response is a whole response.
type Response struct {
	tb     testing.TB
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request as an admin; headers are names and values by turns and
// replace what would be sent otherwise, an empty value leaves a header out.
func (c *Coordinator) Do(tb testing.TB, method, path, body string, headers ...string) *Response {
	tb.Helper()
	response, err := c.Try(tb, method, path, body, headers...)
	if err != nil {
		tb.Fatalf("%s %s: %v", method, path, err)
	}
	return response
}

// Try is Do for requests that may not be answered.
func (c *Coordinator) Try(tb testing.TB, method, path, body string, headers ...string) (*Response, error) {
	tb.Helper()
	request, err := http.NewRequest(method, c.API("")+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+Token(tb, auth.RoleAdmin))
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Del(headers[i])
		if headers[i+1] != "" {
			request.Header[http.CanonicalHeaderKey(headers[i])] = []string{headers[i+1]}
		}
	}
	got, err := sender.Do(request)
	if err != nil {
		return nil, err
	}
	defer got.Body.Close()
	content, err := io.ReadAll(got.Body)
	return &Response{tb, got.StatusCode, got.Header, content}, err
}

// Get is Do with GET.
func (c *Coordinator) Get(tb testing.TB, path string, headers ...string) *Response {
	tb.Helper()
	return c.Do(tb, http.MethodGet, path, "", headers...)
}

// Post is Do with POST.
func (c *Coordinator) Post(tb testing.TB, path, body string, headers ...string) *Response {
	tb.Helper()
	return c.Do(tb, http.MethodPost, path, body, headers...)
}

// Is fails the test if the status is another one.
func (r *Response) Is(status int) *Response {
	r.tb.Helper()
	if r.Status != status {
		r.tb.Fatalf("got status %d, want %d:\n%s", r.Status, status, r.Body)
	}
	return r
}

// Tree is the body as maps and slices, its numbers as json.Number.
func (r *Response) Tree() map[string]any {
	r.tb.Helper()
	tree, ok := Tree(r.tb, r.Body).(map[string]any)
	if !ok {
		r.tb.Fatalf("the body is no JSON object:\n%s", r.Body)
	}
	return tree
}

// Text is a member of the body, found by the names on the way to it.
func (r *Response) Text(path ...string) string {
	r.tb.Helper()
	var value any = r.Tree()
	for _, name := range path {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	text, ok := value.(string)
	if !ok {
		r.tb.Fatalf("there is no text at %v:\n%s", path, r.Body)
	}
	return text
}

// Tree decodes JSON into maps and slices, its numbers into json.Number.
func Tree(tb testing.TB, data []byte) any {
	tb.Helper()
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		tb.Fatalf("not JSON (%v):\n%s", err, data)
	}
	return tree
}
