package rest_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/rest"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// permission is one row of what the contract says about who may do what.
type permission struct {
	method, path, body string
	role               int // index of the least role
	scope              string
}

var roles = []string{"external", "service", "admin"}

const (
	absentID = "018d0ea9-0000-7000-8000-00000000ffff"
	cancelIt = `{"reason":"R","initiatedBy":"CUSTOMER"}`
)

// permissions is the contract's table, written down a second time.
var permissions = []permission{
	{"POST", "/workflows/order/start", `{}`, 0, "workflow:start"},
	{"POST", "/workflows/return/start", `{}`, 0, "workflow:start"},
	{"POST", "/workflows/replenishment/start", `{}`, 0, "workflow:start"},
	{"POST", "/workflows/start", `{}`, 0, "workflow:start"},
	{"GET", "/workflows/" + absentID + "/status", "", 0, "workflow:read"},
	{"GET", "/workflows/" + absentID + "/events", "", 0, "workflow:read"},
	{"GET", "/workflows/" + absentID + "/stream", "", 0, "workflow:read"},
	{"GET", "/workflows", "", 0, "workflow:read"},
	{"GET", "/workflows/active", "", 0, "workflow:read"},
	{"GET", "/sagas/" + absentID, "", 0, "saga:read"},
	{"GET", "/workflow-templates", "", 0, "template:read"},
	{"GET", "/workflow-templates/x", "", 0, "template:read"},
	{"POST", "/workflows/" + absentID + "/cancel", cancelIt, 0, "workflow:cancel"},
	{"POST", "/workflows/" + absentID + "/cancel", strings.Replace(cancelIt, "{", `{"force":true,`, 1), 1, "workflow:cancel"},
	{"POST", "/workflows/" + absentID + "/retry", `{}`, 1, "workflow:retry"},
	{"POST", "/sagas/" + absentID + "/compensate", `{"reason":"R"}`, 1, "saga:compensate"},
	{"GET", "/workflows/metrics", "", 1, "metrics:read"},
	{"GET", "/health", "", 1, "health:read"},
	{"GET", "/audit", "", 2, "audit:read"},
	{"POST", "/batches", `{"action":"RETRY","reason":"R","filter":{"status":"PARKED"}}`, 2, "batch:write"},
	{"GET", "/batches", "", 2, "batch:write"},
	{"GET", "/batches/" + absentID, "", 2, "batch:write"},
	{"GET", "/batches/" + absentID + "/items", "", 2, "batch:write"},
	{"POST", "/batches/" + absentID + "/cancel", "", 2, "batch:write"},
	{"POST", "/webhooks", `{"url":"https://a.example.com/"}`, 2, "webhook:write"},
	{"GET", "/webhooks", "", 1, "webhook:read"},
	{"GET", "/webhooks/" + absentID, "", 1, "webhook:read"},
	{"PATCH", "/webhooks/" + absentID, `{}`, 2, "webhook:write"},
	{"DELETE", "/webhooks/" + absentID, "", 2, "webhook:write"},
	{"POST", "/webhooks/" + absentID + "/rotate-secret", `{}`, 2, "webhook:write"},
	{"GET", "/webhooks/" + absentID + "/deliveries", "", 1, "webhook:read"},
	{"POST", "/webhooks/" + absentID + "/deliveries/x/redeliver", "", 2, "webhook:write"},
	{"POST", "/webhooks/" + absentID + "/recover", `{"since":"2024-01-15T00:00:00Z"}`, 2, "webhook:write"},
}

// scopes are all that a token can have.
var scopes = []string{"workflow:start", "workflow:read", "workflow:cancel", "workflow:retry", "saga:read", "saga:compensate",
	"template:read", "template:write", "metrics:read", "health:read", "webhook:read", "webhook:write", "batch:write", "audit:read"}

func TestEveryScopeIsAKnownOne(t *testing.T) {
	t.Parallel()
	for _, p := range permissions {
		if !slices.Contains(scopes, p.scope) {
			t.Errorf("%s %s asks for the scope %q", p.method, p.path, p.scope)
		}
	}
}

func TestEveryRouteAsksForItsRoleAndScope(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, p := range permissions {
		for i, role := range roles {
			allowed := i >= p.role
			for scopes, narrows := range map[string]bool{"": false, "/tester/" + p.scope + " other:read": false, "/tester/other:read": true, "/tester/": true} {
				got := s.call(t, p.method, "/api/v1"+p.path, p.body, "Authorization", "Bearer "+role+scopes)
				forbidden := got.status == http.StatusForbidden
				if forbidden == (allowed && !narrows) || got.status == http.StatusUnauthorized {
					t.Errorf("%s %s %s as %s%s: %d", p.method, p.path, p.body, role, scopes, got.status)
				}
				if forbidden {
					got.code(coordination.ErrInsufficientPermissions)
				}
			}
		}
		for name, header := range map[string]string{"none": "", "forged": "Bearer forged", "other scheme": "Basic c2VydmljZTo=", "empty": "Bearer ", "no scheme": "service"} {
			got := s.call(t, p.method, "/api/v1"+p.path, p.body, "Authorization", header).is(401)
			got.code(coordination.ErrAuthenticationRequired)
			if !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer ") {
				t.Errorf("%s: 401 without a challenge", name)
			}
		}
		if got := s.call(t, p.method, "/api/v1"+p.path, p.body, "Authorization", "Bearer superuser"); got.status != 403 {
			t.Errorf("%s %s as an unknown role: %d", p.method, p.path, got.status)
		}
	}
	if n := s.callCount(); n == 0 {
		t.Error("no allowed request reached the engine: the table was not tried")
	}
}

// TestEveryDocumentedRouteIsInTheTable keeps the table above complete.
func TestEveryDocumentedRouteIsInTheTable(t *testing.T) {
	t.Parallel()
	data, err := rest.OpenAPIJSON(rest.OpenAPI31)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct{ Security []any }
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"POST /callbacks/{}": true, "POST /callbacks/{}/heartbeat": true}
	for _, p := range permissions {
		path := strings.NewReplacer(absentID, "{}", "/x", "/{}").Replace(p.path)
		known[p.method+" "+path] = true
	}
	for path, methods := range doc.Paths {
		for _, name := range []string{"{workflowId}", "{sagaId}", "{templateId}", "{token}", "{webhookId}", "{deliveryId}", "{batchId}"} {
			path = strings.ReplaceAll(path, name, "{}")
		}
		for method := range methods {
			if route := strings.ToUpper(method) + " " + path; !known[route] {
				t.Errorf("nobody has said who may call %s", route)
			}
		}
	}
}

func TestTokensAreNotJudgedWhileKeysAreAway(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	got := s.get(t, "/workflows", "Authorization", "Bearer keyless").is(503)
	got.code(coordination.ErrServiceUnavailable)
}

func TestForceIsNotForEverybodyWhoMayCancel(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := startExample(t, s)
	s.post(t, "/workflows/"+id+"/cancel", `{"reason":"R","initiatedBy":"CUSTOMER","force":true}`, "Authorization", "Bearer external").is(403)
	if status := s.state(id).Status; status != domain.Started {
		t.Fatalf("the refused cancel had an effect: %s", status)
	}
	s.post(t, "/workflows/"+id+"/cancel", cancelIt, "Authorization", "Bearer external").is(202)
}

func TestProbesAreOpenAndSayLittle(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, up := range []bool{true, false} {
		s.health.StoreUp = up
		for path, want := range map[string]int{"/livez": 200, "/readyz": map[bool]int{true: 200, false: 503}[up]} {
			got := s.call(t, http.MethodGet, path, "", "Authorization", "").is(want)
			if len(got.tree()) != 1 || got.tree()["status"] == nil {
				t.Errorf("%s says %s", path, got.body)
			}
		}
	}
}

func TestDocumentsAreOpenAndNeedNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, path := range []string{"/openapi.json", "/openapi.yaml", "/openapi-3.0.json", "/openapi-3.0.yaml", "/docs"} {
		got := s.call(t, http.MethodGet, path, "", "Authorization", "").is(200)
		if len(got.body) < 1000 {
			t.Errorf("%s is only %d bytes", path, len(got.body))
		}
	}
	page := string(s.call(t, http.MethodGet, "/docs", "").body)
	for _, marker := range []string{"<script", "src=", "<link", "@import", "url("} {
		if strings.Contains(page, marker) {
			t.Errorf("the docs page has %q", marker)
		}
	}
	for _, wanted := range []string{"/workflows/order/start", "tok_visa_4242", "schema-WorkflowStatus", "BUSINESS_RULE_VIOLATION"} {
		if !strings.Contains(page, wanted) {
			t.Errorf("the docs page lacks %q", wanted)
		}
	}
}

func TestNewWantsItsDependencies(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	hooks := newSubscriptions(e)
	jobs := newBatches()
	for name, deps := range map[string]rest.Deps{
		"nothing":     {},
		"no queries":  {Workflows: e, Answers: e, Webhooks: hooks, Batches: jobs, Verify: verify},
		"no webhooks": {Workflows: e, Answers: e, Queries: e, Batches: jobs, Verify: verify},
		"no verifier": {Workflows: e, Answers: e, Queries: e, Webhooks: hooks, Batches: jobs},
		"no batches":  {Workflows: e, Answers: e, Queries: e, Webhooks: hooks, Verify: verify},
	} {
		if _, err := rest.New(deps); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
