package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/rest"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// server is the API over an engine that the test drives.
type server struct {
	*engine
	*subscriptions
	jobs *batches
	http.Handler
}

func newServer(t testing.TB) *server {
	t.Helper()
	e := newEngine(t)
	hooks := newSubscriptions(e)
	jobs := newBatches()
	handler, err := rest.New(rest.Deps{Workflows: e, Answers: e, Queries: e, Webhooks: hooks, Batches: jobs, Verify: verify, Clock: e})
	if err != nil {
		t.Fatal(err)
	}
	return &server{e, hooks, jobs, handler}
}

// verify takes tokens of the form role, or role/subject, or role/subject/scopes.
func verify(_ context.Context, token string) (rest.Caller, error) {
	parts := strings.SplitN(token, "/", 3)
	caller := rest.Caller{Role: parts[0], Subject: "tester"}
	if len(parts) > 1 {
		caller.Subject = parts[1]
	}
	if len(parts) > 2 {
		caller.Scopes = strings.Fields(parts[2])
	}
	switch caller.Role {
	case "forged":
		return caller, errors.New("signature is invalid")
	case "keyless":
		return caller, ports.ErrUnavailable
	}
	return caller, nil
}

// response is what a request was answered with.
type response struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
}

// call sends a request as a service; headers come in pairs and replace the usual ones.
func (s *server) call(t testing.TB, method, path, body string, headers ...string) *response {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer service")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Del(headers[i])
		if headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	got := &response{t, w.Code, w.Header(), w.Body.Bytes()}
	if got.header.Get("X-Request-Id") == "" {
		t.Errorf("%s %s: the response has no X-Request-Id", method, path)
	}
	if got.status >= 400 && !strings.HasSuffix(path, "/health") && !strings.HasSuffix(path, "/readyz") {
		got.problem()
	}
	return got
}

func (s *server) post(t testing.TB, path, body string, headers ...string) *response {
	t.Helper()
	return s.call(t, http.MethodPost, "/api/v1"+path, body, headers...)
}

func (s *server) get(t testing.TB, path string, headers ...string) *response {
	t.Helper()
	return s.call(t, http.MethodGet, "/api/v1"+path, "", headers...)
}

// is checks the status and goes on with the response.
func (r *response) is(status int) *response {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("status is %d, want %d: %s", r.status, status, r.body)
	}
	return r
}

// tree is the body as plain JSON.
func (r *response) tree() map[string]any {
	r.t.Helper()
	var tree map[string]any
	if err := json.Unmarshal(r.body, &tree); err != nil {
		r.t.Fatalf("the body is no JSON object: %v: %s", err, r.body)
	}
	return tree
}

// into decodes the body strictly: a member that the wire type lacks is a fault.
func into[T any](r *response) *T {
	r.t.Helper()
	v := new(T)
	decoder := json.NewDecoder(bytes.NewReader(r.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		r.t.Fatalf("decode %T: %v: %s", v, err, r.body)
	}
	return v
}

// problem checks the envelope that every error must have.
func (r *response) problem() *coordination.Error {
	r.t.Helper()
	e := &into[coordination.ErrorEnvelope](r).Error
	if e.Code == "" || e.Message == "" || len(e.TraceID) != 36 {
		r.t.Fatalf("error envelope is incomplete: %s", r.body)
	}
	if kind := r.header.Get("Content-Type"); kind != "application/json" {
		r.t.Errorf("an error has content type %q", kind)
	}
	if r.status != e.Code.HTTPStatus() && r.status != 413 && r.status != 415 {
		r.t.Errorf("%s is served with %d", e.Code, r.status)
	}
	return e
}

// code checks the error's code.
func (r *response) code(code coordination.Code) *coordination.Error {
	r.t.Helper()
	e := r.problem()
	if e.Code != code {
		r.t.Fatalf("code is %s, want %s: %s", e.Code, code, r.body)
	}
	return e
}

// violations are the faults of a refused request by path.
func (r *response) violations() map[string]string {
	r.t.Helper()
	var details coordination.ViolationDetails
	if err := r.code(coordination.ErrInvalidRequest).DecodeDetails(&details); err != nil {
		r.t.Fatal(err)
	}
	found := map[string]string{}
	for _, v := range details.Violations {
		if v.Path == "" || v.Message == "" {
			r.t.Errorf("violation without path or message: %s", r.body)
		}
		found[v.Path] = v.Message
	}
	return found
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// sameJSON compares two JSON texts as values.
func sameJSON(t testing.TB, got, want []byte) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	if err := json.Unmarshal(want, &w); err != nil {
		t.Fatalf("%v: %s", err, want)
	}
	for _, difference := range differences("", g, w) {
		t.Error(difference)
	}
}

// differences lists where two JSON values differ, by path.
func differences(path string, got, want any) []string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return []string{path + ": not an object"}
		}
		var list []string
		for name := range w {
			if _, has := g[name]; !has {
				list = append(list, path+"."+name+": missing")
				continue
			}
			list = append(list, differences(path+"."+name, g[name], w[name])...)
		}
		for name := range g {
			if _, has := w[name]; !has {
				list = append(list, path+"."+name+": unexpected")
			}
		}
		return list
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return []string{path + ": another length"}
		}
		var list []string
		for i := range w {
			list = append(list, differences(path+"["+strconv.Itoa(i)+"]", g[i], w[i])...)
		}
		return list
	}
	if !reflect.DeepEqual(got, want) {
		text, _ := json.Marshal([]any{got, want})
		return []string{path + ": got and want " + string(text)}
	}
	return nil
}
