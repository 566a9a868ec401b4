package telemetry

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// What expressions may name although no coordinator tells of it.
var (
	// elsewhere are metrics of Prometheus itself and of the database's machine,
	// with labels of their own; process metrics differ between systems.
	elsewhere = []string{"up", "ALERTS", "node_filesystem_avail_bytes", "node_filesystem_size_bytes",
		"process_cpu_seconds_total", "process_resident_memory_bytes"}
	// scraped are the labels that Prometheus adds to whatever it scrapes.
	scraped = []string{"job", "instance"}
)

// question is an expression that is asked of Prometheus, and the labels that the
// text beside it shows.
type question struct {
	where, expr string
	shows       []string
}

// TestDashboardsAndAlertsAskForWhatThereIs compares every metric and label of
// deploy/grafana and deploy/prometheus with what a scrape tells of.
func TestDashboardsAndAlertsAskForWhatThereIs(t *testing.T) {
	t.Parallel()
	tel := measuring(t)
	measureAll(t, tel)
	_, text := exposed(t, tel)
	there := samples(text)
	for from, questions := range map[string][]question{"dashboards": ofDashboards(t), "alerts": ofAlerts(t)} {
		if len(questions) < 10 {
			t.Errorf("%d expressions of %s", len(questions), from)
		}
		for _, q := range questions {
			for _, found := range q.unknown(there) {
				t.Errorf("%s, %s: %s", q.where, q.expr, found)
			}
		}
	}
}

func TestWhatThereIsNotIsFound(t *testing.T) {
	t.Parallel()
	there := samples("# TYPE a_total counter\na_total{x=\"1\",y=\"2\"} 1\n# TYPE b histogram\nb_bucket{z=\"{\",le=\"1\"} 1\nb_count{z=\"{\"} 1\nc 1\n")
	for _, test := range []struct {
		expr  string
		shows []string
		want  []string // what is not there
	}{
		{expr: `sum by (x) (rate(a_total{y=~"made_up{", job="j"}[5m])) > 1e3`, shows: []string{"x"}},
		{expr: `histogram_quantile(0.99, sum by (le, z) (rate(b_bucket[$__rate_interval]))) and on (job) c offset 5m`},
		{expr: `max(up{whatever="x"}) by (anything) / c`},
		{expr: `rate(made_up_total[5m]) > 0 or c`, want: []string{"made_up_total"}},
		{expr: `b`, want: []string{"b"}},
		{expr: `b_sum`, want: []string{"b_sum"}},
		{expr: `made_up{x="1"}`, want: []string{"made_up"}},
		{expr: `a_total{z="1"}`, want: []string{"z"}},
		{expr: `a_total{x="1",made_up!~"2"} / c`, want: []string{"made_up"}},
		{expr: `sum by (x, z) (a_total)`, want: []string{"z"}},
		{expr: `sum without(made_up)(a_total)`, want: []string{"made_up"}},
		{expr: `c + on(x) group_left(made_up) a_total`, want: []string{"made_up"}},
		{expr: `a_total`, shows: []string{"instance", "z"}, want: []string{"z"}},
	} {
		found := question{"here", test.expr, test.shows}.unknown(there)
		if len(found) != len(test.want) {
			t.Errorf("%s: found %q, want %q", test.expr, found, test.want)
			continue
		}
		for i, name := range test.want {
			if !slices.Contains(strings.Fields(found[i]), name) {
				t.Errorf("%s: found %q, want %q", test.expr, found, test.want)
			}
		}
	}
}

var (
	stringOf    = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	rangeOf     = regexp.MustCompile(`\[[^\]]*\]`)
	groupingOf  = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	selectorOf  = regexp.MustCompile(`([a-zA-Z_:][a-zA-Z0-9_:]*)\s*\{([^}]*)\}`)
	nameOf      = regexp.MustCompile(`[a-zA-Z_][a-zA-Z0-9_]*`)
	operandOf   = regexp.MustCompile(`\b([a-zA-Z_:][a-zA-Z0-9_:]*)(\s*\()?`)
	shownOf     = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?([a-zA-Z_]\w*)\s*[}|]`)
	labelValues = regexp.MustCompile(`^label_values\((.+), *(\w+)\)$`)
	words       = []string{"and", "or", "unless", "bool", "offset", "inf", "nan"}
)

// samples are the names in the text of a scrape, those of histograms with their
// suffixes, and the labels that each has.
func samples(text string) map[string][]string {
	there := map[string][]string{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		line = stringOf.ReplaceAllString(line, `""`)
		name := nameOf.FindString(line)
		var labels []string
		if m := selectorOf.FindStringSubmatch(line); m != nil {
			labels = nameOf.FindAllString(m[2], -1)
		}
		there[name] = append(there[name], labels...)
	}
	return there
}

// unknown is what the question names that is not there: metrics, labels that one
// is selected by, and labels that none of its metrics has.
func (q question) unknown(there map[string][]string) (found []string) {
	rest := rangeOf.ReplaceAllString(stringOf.ReplaceAllString(q.expr, `""`), "")
	labels := slices.Clone(q.shows)
	rest = groupingOf.ReplaceAllStringFunc(rest, func(grouping string) string {
		labels = append(labels, nameOf.FindAllString(groupingOf.FindStringSubmatch(grouping)[1], -1)...)
		return " "
	})
	known, foreign := slices.Clone(scraped), false
	rest = selectorOf.ReplaceAllStringFunc(rest, func(selector string) string {
		m := selectorOf.FindStringSubmatch(selector)
		for _, label := range nameOf.FindAllString(m[2], -1) {
			has, ok := there[m[1]]
			if ok && !slices.Contains(append(has, scraped...), label) {
				found = append(found, fmt.Sprintf("%s has no label %s", m[1], label))
			}
		}
		return m[1]
	})
	for _, m := range operandOf.FindAllStringSubmatch(rest, -1) {
		name, called := m[1], m[2] != ""
		if called || slices.Contains(words, name) {
			continue
		}
		has, ok := there[name]
		known = append(known, has...)
		switch {
		case slices.Contains(elsewhere, name):
			foreign = true
		case !ok:
			found = append(found, "there is no "+name)
			foreign = true // its labels are nobody's either
		}
	}
	slices.Sort(labels)
	for _, label := range slices.Compact(labels) {
		if !foreign && !slices.Contains(known, label) {
			found = append(found, "no metric of it has the label "+label)
		}
	}
	return found
}

// ofAlerts are the questions of deploy/prometheus/alerts.yaml.
func ofAlerts(t *testing.T) (all []question) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "deploy", "prometheus", "alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			var shows []string
			for _, annotation := range rule.Annotations {
				shows = append(shows, shown(annotation)...)
			}
			all = append(all, question{"alert " + rule.Alert, rule.Expr, shows})
		}
	}
	return all
}

// shown are the labels that a text has put in.
func shown(text string) (labels []string) {
	for _, m := range shownOf.FindAllStringSubmatch(text, -1) {
		labels = append(labels, m[1])
	}
	return labels
}

// ofDashboards are the questions of deploy/grafana/dashboards, wherever in them
// they are.
func ofDashboards(t *testing.T) (all []question) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "deploy", "grafana", "dashboards", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var file any
		if err := json.Unmarshal(text, &file); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, within(filepath.Base(path), file)...)
	}
	return all
}

// within are the questions in a part of a dashboard. where becomes the title of
// what the part belongs to.
func within(where string, part any) (all []question) {
	switch part := part.(type) {
	case []any:
		for _, each := range part {
			all = append(all, within(where, each)...)
		}
	case map[string]any:
		if title, ok := part["title"].(string); ok {
			where = title
		}
		if expr, ok := part["expr"].(string); ok {
			q := question{where: where, expr: expr}
			for _, beside := range []string{"legendFormat", "titleFormat", "textFormat"} {
				text, _ := part[beside].(string)
				q.shows = append(q.shows, shown(text)...)
			}
			all = append(all, q)
		}
		if m := labelValues.FindStringSubmatch(fmt.Sprint(part["query"])); m != nil {
			all = append(all, question{where + ", a variable", m[1], []string{m[2]}})
		}
		for _, each := range part {
			all = append(all, within(where, each)...)
		}
	}
	return all
}
