package e2e_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/firstviscount/platform-coordination/adapters/auth"
	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// canaries are what must be seen by nobody but the participants that need it.
var canaries = map[string]string{
	"payment token": "canary-token-visa-4242",
	"street":        "17 Canary Street",
	"name":          "Canary McCanaryface",
	"phone":         "+15550123456789",
	"city":          "Canaryville",
}

// canaryOrder is a JSON order with all canaries.
func canaryOrder(id string, change ...string) string {
	return strings.NewReplacer(change...).Replace(fmt.Sprintf(`{"orderId":%q,"customerId":"cust-canary",
		"items":[{"productId":"prod-cup","quantity":1,"unitPrice":9.95}],
		"paymentMethod":{"type":"CREDIT_CARD","token":%q,"amount":9.95,"currency":"USD"},
		"shippingAddress":{"name":%q,"street":%q,"city":%q,"zipCode":"00000","country":"US","phone":%q},
		"shippingMethod":"STANDARD","metadata":{"note":%q}}`, id, canaries["payment token"], canaries["name"], canaries["street"], canaries["city"],
		canaries["phone"], canaries["name"]))
}

// places are where no canary may ever be found, beside the answers to requests.
// What a place returns is searched; "" is nothing to search.
var places = []struct {
	name string
	text func(w *watcher) string
}{
	{"the coordinator's log", func(w *watcher) string { return w.Log() }},
	{"the coordinator's output", func(w *watcher) string { return w.Stdout() }},
	{"the list of workflows", of("/workflows?size=100")},
	{"the list of one customer", of("/workflows?customerId=cust-canary")},
	{"the list of active workflows", of("/workflows/active?size=100")},
	{"the metrics", of("/workflows/metrics?includeHistorical=true")},
	{"the health", of("/health")},
	{"the batches", of("/batches?size=100")},
	{"the audit", of("/audit?size=100")},
	{"the templates", of("/workflow-templates")},
	{"the database", (*watcher).database},
}

// documents are what shows one workflow; {w} and {s} are its ID and its saga's.
var documents = []string{"/workflows/{w}/status", "/workflows/{w}/events?size=100", "/sagas/{s}"}

// of is a place that the API serves.
func of(path string) func(*watcher) string {
	return func(w *watcher) string { return string(w.Get(w.t, path).Is(200).Body) }
}

// watcher looks for canaries.
type watcher struct {
	t *testing.T
	*harness.Coordinator
	store string // as in --store
}

// forms are how a text may be written: as it is, in a database's dump of bytes,
// in JSON that holds bytes, and in a URL.
func forms(text string) map[string]string {
	all := map[string]string{"as it is": text, "in capitals": strings.ToUpper(text), "in hexadecimal": hex.EncodeToString([]byte(text)), "in a URL": url.QueryEscape(text)}
	for shift := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + text))
		all[fmt.Sprintf("in base64, shifted by %d", shift)] = encoded[shift+1 : len(encoded)-2] // what the neighbours do not change
	}
	return all
}

// look searches a text.
func (w *watcher) look(where, text string) {
	w.t.Helper()
	for name, canary := range canaries {
		for form, needle := range forms(canary) {
			if at := strings.Index(text, needle); at >= 0 {
				w.t.Errorf("the %s is in %s, %s: …%s…", name, where, form, text[max(at-100, 0):min(at+100, len(text))])
			}
		}
	}
}

// see searches a response.
func (w *watcher) see(where string, r *harness.Response) *harness.Response {
	w.t.Helper()
	w.look(where, string(r.Body)+fmt.Sprint(r.Header))
	return r
}

// everywhere searches all places, and everything that shows the workflows.
func (w *watcher) everywhere(workflows ...string) {
	w.t.Helper()
	for _, id := range workflows {
		saga := w.Get(w.t, "/workflows/"+id+"/status").Is(200).Text("saga", "sagaId")
		for _, path := range documents {
			path = strings.NewReplacer("{w}", id, "{s}", saga).Replace(path)
			w.look(path, string(w.Get(w.t, path).Is(200).Body))
		}
	}
	for _, place := range places {
		w.look(place.name, place.text(w))
	}
	if !strings.Contains(w.Log(), `"level":"DEBUG"`) {
		w.t.Error("the log was not on the level debug")
	}
}

// stream reads the event stream of an ended workflow, which ends too.
func (w *watcher) stream(id string) string {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.API("/workflows/"+id+"/stream"), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+harness.Token(w.t, auth.RoleExternal))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(bufio.NewReader(response.Body))
	if err != nil || !strings.Contains(string(text), "event: "+string(coordination.EventWorkflowStarted)) {
		w.t.Errorf("the stream is %s, %v", text, err)
	}
	return string(text)
}

// database is everything that the store holds, as it lies there: the files of
// SQLite, or all rows of all tables of PostgreSQL.
func (w *watcher) database() string {
	w.t.Helper()
	kind, path, _ := strings.Cut(w.store, ":")
	text := ""
	switch kind {
	case "memory":
		return ""
	case "sqlite":
		files, err := filepath.Glob(path + "*")
		if err != nil || len(files) < 2 {
			w.t.Fatalf("the files of the database are %v, %v", files, err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				w.t.Fatal(err)
			}
			text += string(content)
		}
	default:
		text = w.tables()
	}
	if !strings.Contains(text, "cust-canary") {
		w.t.Errorf("the orders are not in the %d bytes of the database", len(text))
	}
	return text
}

// tables are all rows of all tables of a PostgreSQL store, bytes in hexadecimal.
func (w *watcher) tables() string {
	w.t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, w.store)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close(ctx)
	names := texts(w.t, conn, "SELECT quote_ident(table_name) FROM information_schema.tables WHERE table_schema = current_schema()")
	if len(names) < 10 {
		w.t.Errorf("the tables are %v", names)
	}
	var all strings.Builder
	for _, name := range names {
		all.WriteString(strings.Join(texts(w.t, conn, "SELECT t::text FROM "+name+" t"), "\n"))
	}
	return all.String()
}

// texts are the rows of a query with one column of text.
func texts(t *testing.T, conn *pgx.Conn, query string) []string {
	t.Helper()
	rows, err := conn.Query(context.Background(), query)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}
