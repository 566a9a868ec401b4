package e2e_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/firstviscount/platform-coordination/adapters/auth"
	"github.com/firstviscount/platform-coordination/adapters/postgres/pgtest"
	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// What Prometheus itself adds, and what the alerts ask of the node exporter.
var (
	notOurs      = []string{"up", "ALERTS", "node_filesystem_avail_bytes", "node_filesystem_size_bytes"}
	notOurLabels = []string{"job", "instance", "le", "mountpoint", "alertname", "alertstate",
		"error_type"} // ours, but only of what failed
)

// TestAlertsAndDashboardAskForWhatIsServed has everything happen that is
// counted, and looks for the metrics and labels that alerts and the dashboard
// ask for among those of the service.
func TestAlertsAndDashboardAskForWhatIsServed(t *testing.T) {
	t.Parallel()
	store := pgtest.Empty(t)
	c := harness.Serve(t, harness.Options{Store: store, Bus: store, Ops: true, Hooks: true})
	client := c.Client(t)
	receiver := harness.NewReceiver(t)
	receiver.Subscribe(t, client)
	failing := order("tok_chargeDeclined")
	failing.Metadata = []byte(`{"simulate":{"RELEASE_INVENTORY":"REJECTED:STOCK_LOCKED"}}`)
	for _, o := range []coordination.OrderRequest{order("tok_visa_4242"), failing} {
		started, err := client.Workflows.StartOrder(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		wait(t, client, started.WorkflowID)
		receives(t, receiver, started.WorkflowID, 2)
	}
	spy := eavesdrop(t, store)
	if err := spy.Publish(t.Context(), coordination.TopicReplies, ports.Message{ID: "m-1", Body: []byte("no event")}); err != nil {
		t.Fatal(err)
	}
	overload(t, c)
	var served map[string][]string
	asked := append(alertQueries(t), dashboardQueries(t)...)
	harness.Eventually(t, endTimeout, "every metric that is asked for", func() (string, bool) {
		served = metricsOf(scrape(t, c))
		var missing []string
		for _, q := range asked {
			missing = append(missing, q.missing(served)...)
		}
		return strings.Join(missing, "\n"), len(missing) == 0
	})
	for _, wrong := range []string{`rate(coordination_workflow_begun_total[1m])`, `sum by (coordination_kind) (coordination_workflow_active)`,
		`coordination_commit_changes_total{coordination_outcome="failed"}`} {
		if q := (query{"a wrong one", wrong, ""}); len(q.missing(served)) == 0 {
			t.Errorf("nothing is missing for %s", wrong)
		}
	}
}

// overload has the coordinator refuse a request: more callers than it works on
// for long never send the bodies that they announce.
func overload(t *testing.T, c *harness.Coordinator) {
	t.Helper()
	const standing = 256 // what is worked on for any time
	head := "POST /api/v1/workflows/start HTTP/1.1\r\nHost: coordinator\r\nAuthorization: Bearer " + harness.Token(t, auth.RoleService) +
		"\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"
	for range standing + 1 {
		conn, err := net.Dial("tcp", c.Address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte(head)); err != nil {
			t.Fatal(err)
		}
	}
	harness.Eventually(t, endTimeout, "a refusal", func() (string, bool) {
		response := c.Get(t, "/workflow-templates")
		return fmt.Sprint(response.Status), response.Status == 503
	})
}

// metricsOf are the metrics of a scrape with their labels.
func metricsOf(text string) map[string][]string {
	metrics := map[string][]string{}
	for line := range strings.Lines(text) {
		if m := sampleLine.FindStringSubmatch(line); m != nil {
			labels := metrics[m[1]]
			for _, l := range labelName.FindAllStringSubmatch(quoted.ReplaceAllString(m[2], `""`), -1) {
				labels = append(labels, l[1])
			}
			metrics[m[1]] = labels
		}
	}
	return metrics
}

var (
	sampleLine = regexp.MustCompile(`^([a-z_:]+)(\{.*\})? `)
	labelName  = regexp.MustCompile(`([a-zA-Z_]+)\s*(?:=~|!~|!=|=)`)
	quoted     = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	grouping   = regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^)]*)\)`)
	window     = regexp.MustCompile(`\[[^\]]*\]`)
	selector   = regexp.MustCompile(`([a-zA-Z_:]+)\s*(\{[^}]*\})?(\s*\()?`)
	shown      = regexp.MustCompile(`(?:\$labels\.|\{\{)([a-z_]+)`)
)

// query is something that Prometheus is asked.
type query struct {
	where, expr string
	text        string // that is shown with the answer, and names labels
}

// missing are the metrics and labels of a query that are not served.
func (q query) missing(served map[string][]string) []string {
	expr := window.ReplaceAllString(quoted.ReplaceAllString(q.expr, `""`), "")
	known := slices.Clone(notOurLabels)
	var missing, kept []string
	groups := grouping.FindAllStringSubmatch(expr, -1)
	for _, m := range selector.FindAllStringSubmatch(grouping.ReplaceAllString(expr, ""), -1) {
		if m[3] != "" || slices.Contains([]string{"or", "and", "unless", "bool"}, m[1]) { // a function, an operator
			continue
		}
		labels, is := served[m[1]]
		if !is && !slices.Contains(notOurs, m[1]) {
			missing = append(missing, q.where+": there is no "+m[1])
		}
		for _, l := range labelName.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(append(labels, notOurLabels...), l[1]) {
				missing = append(missing, q.where+": "+m[1]+" has no "+l[1])
			}
		}
		known = append(known, labels...)
	}
	for _, g := range groups {
		for l := range strings.FieldsFuncSeq(g[1], func(r rune) bool { return r == ',' || r == ' ' }) {
			kept = append(kept, l)
			if !slices.Contains(known, l) {
				missing = append(missing, q.where+": nothing in "+q.expr+" has "+l)
			}
		}
	}
	for _, l := range shown.FindAllStringSubmatch(q.text, -1) {
		if len(groups) > 0 && !slices.Contains(kept, l[1]) || len(groups) == 0 && !slices.Contains(known, l[1]) {
			missing = append(missing, q.where+": shows "+l[1]+", which "+q.expr+" does not keep")
		}
	}
	return missing
}

var deployed = filepath.Join("..", "..", "deploy")

func alertQueries(t *testing.T) []query {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	text, err := os.ReadFile(filepath.Join(deployed, "prometheus", "alerts.yaml"))
	if err == nil {
		err = yaml.Unmarshal(text, &file)
	}
	if err != nil {
		t.Fatal(err)
	}
	var all []query
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			all = append(all, query{"alert " + r.Alert, r.Expr, r.Annotations["summary"] + r.Annotations["description"]})
		}
	}
	if len(all) < 10 {
		t.Fatalf("only %d alerts", len(all))
	}
	return all
}

func dashboardQueries(t *testing.T) []query {
	t.Helper()
	var dashboard struct {
		Templating struct {
			List []struct{ Name, Definition string }
		}
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	text, err := os.ReadFile(filepath.Join(deployed, "grafana", "dashboards", "coordination.json"))
	if err == nil {
		err = json.Unmarshal(text, &dashboard)
	}
	if err != nil {
		t.Fatal(err)
	}
	var all []query
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			all = append(all, query{"panel " + p.Title, target.Expr, target.LegendFormat})
		}
	}
	for _, v := range dashboard.Templating.List {
		// label_values(metric, label): as a query that keeps the label.
		inner, is := strings.CutPrefix(strings.TrimSuffix(v.Definition, ")"), "label_values(")
		i := strings.LastIndex(inner, ",")
		if !is || i < 0 { // a datasource
			continue
		}
		all = append(all, query{"variable " + v.Name, "sum by (" + inner[i+1:] + ") (" + inner[:i] + ")", ""})
	}
	if len(all) < 30 {
		t.Fatalf("only %d queries", len(all))
	}
	return all
}
