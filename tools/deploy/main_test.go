package main

import (
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const dashboardFile = "grafana/dashboards/coordination.json"

// real is the folder that is checked in earnest.
const real = "../../deploy"

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // Helm tells of every link that it follows
	m.Run()
}

func TestWhatIsThereIsInOrder(t *testing.T) {
	t.Parallel()
	for _, check := range checks {
		if err := check.run(real); err != nil {
			t.Errorf("%s: %v", check.name, err)
		}
	}
}

// TestEveryCheckCanFail spoils one file at a time; the check that reads it must
// say so, in words that name what is wrong.
func TestEveryCheckCanFail(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, check, file string
		old, new          string // what is replaced; "" for all of the file
		want              string // in what is said
	}{
		{"no YAML", "Compose file", "compose/compose.yaml", "services:", "services: [", "yaml"},
		{"a key that Compose has not", "Compose file", "compose/compose.yaml", "cap_drop: [ALL]", "cap_drops: [ALL]", "cap_drops"},
		{"a service with nothing to run", "Compose file", "compose/compose.yaml", "    image: nats:2.12\n", "", "neither an image nor a build"},
		{"a dependency on nobody", "Compose file", "compose/compose.yaml", "nats: {condition: service_started}", "redis: {condition: service_started}", "redis"},
		{"a file that is not there", "Compose file", "compose/compose.yaml", "../prometheus:/etc", "../prometheuz:/etc", "prometheuz"},
		{"an instruction that Docker has not", "Dockerfile", "docker/Dockerfile", "WORKDIR /src", "WORKDIRS /src", "WORKDIRS"},
		{"a warning of the linter", "Dockerfile", "docker/Dockerfile", "FROM golang:1.26-bookworm AS build", "FROM golang:1.26-bookworm as build", "FromAsCasing"},
		{"an image of root's", "Dockerfile", "docker/Dockerfile", "USER 65532:65532\n", "", "runs as root"},
		{"a template that does not end", "chart", "helm/coordination/templates/service.yaml", "{{ include", "{{ if include", "service.yaml"},
		{"an object without a name", "chart", "helm/coordination/templates/service.yaml", "  name:", "  named:", "service.yaml"},
		{"a schema that lets all in", "chart", "helm/coordination/values.schema.json", "", "{}", "takes values with"},
		{"alerts that are not there", "chart", "helm/coordination/templates/monitoring.yaml", "monitoring/alerts.yaml", "alerts.yaml", "without rules"},
		{"a dashboard that is not there", "chart", "helm/coordination/templates/monitoring.yaml", "monitoring/coordination.json", "coordination.json", "is no JSON"},
		{"a chart without a version", "chart", "helm/coordination/Chart.yaml", "version:", "versions:", "version"},
		{"no JSON", "dashboards", dashboardFile, "{", "{,", "invalid character"},
		{"a field that no dashboard has by that type", "dashboards", dashboardFile, `"panels": [`, `"panels": 1, "was": [`, "Panels"},
		{"no uid", "dashboards", dashboardFile, `"uid": "coordination"`, `"uid": ""`, "no uid"},
		{"two panels of an ID", "dashboards", dashboardFile, `"id": 3,`, `"id": 2,`, "the ID 2"},
		{"a panel upon another", "dashboards", dashboardFile, `"x": 3,`, `"x": 2,`, "lies upon"},
		{"a panel beyond the edge", "dashboards", dashboardFile, `"x": 21,`, `"x": 22,`, "beyond the edge"},
		{"an expression that does not parse", "dashboards", dashboardFile, `"expr": "sum(`, `"expr": "sum((`, "unclosed left parenthesis"},
		{"a variable that is not declared", "dashboards", dashboardFile, `job=\"$job\"`, `job=\"$jobs\"`, "$jobs"},
		{"another source of data", "dashboards", dashboardFile, `"uid": "${datasource}"`, `"uid": "abc"`, "datasource"},
		{"a folder that the provider does not name", "dashboards", "grafana/provisioning/dashboards/coordination.yaml", "/etc/grafana/dashboards", "/var/dashboards", "/var/dashboards"},
		{"a source that is not Prometheus", "dashboards", "grafana/provisioning/datasources/prometheus.yaml", "http://prometheus:9090", "http://prometheuz:9090", "prometheuz"},
	} {
		t.Run(test.check+" with "+test.name, func(t *testing.T) {
			t.Parallel()
			folder := spoiled(t, test.file, test.old, test.new)
			for _, check := range checks {
				if check.name != test.check {
					continue
				}
				if err := check.run(folder); err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("found %v, want it to tell of %q", err, test.want)
				}
				return
			}
			t.Errorf("no check %q", test.check)
		})
	}
}

// spoiled is a copy of the folder with the first old of one file replaced by
// new, or the whole file.
func spoiled(t *testing.T, file, old, new string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(real)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, filepath.FromSlash(file))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("%s has no %q to spoil", file, old)
	}
	if old != "" {
		new = strings.Replace(string(text), old, new, 1)
	}
	if err := os.Remove(path); err != nil { // it may be a link
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(new), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}
