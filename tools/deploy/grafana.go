package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
	"gopkg.in/yaml.v3"
)

const (
	// columns is how wide Grafana's grid is.
	columns = 24
	// anySource is a panel's source of data: the one that is chosen above.
	anySource = "${datasource}"
)

type dashboard struct {
	UID         string
	Title       string
	Panels      []panel
	Annotations struct{ List []target }
	Templating  struct {
		List []struct {
			Name       string
			Type       string
			Datasource source
		}
	}
}

type panel struct {
	ID         int
	Type       string
	Title      string
	GridPos    area
	Datasource source
	Targets    []target
}

// target is something that is asked of Prometheus.
type target struct {
	RefID      string
	Name       string // of an annotation
	Expr       string
	Datasource source
}

type source struct{ UID string }

type area struct{ X, Y, W, H int }

func (a area) overlaps(b area) bool {
	return a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H
}

// dashboards checks every dashboard, and that Grafana's provisioning leads to
// them and to a Prometheus of the Compose file.
func dashboards(folder string) error {
	paths, err := filepath.Glob(filepath.Join(folder, "grafana", "dashboards", "*.json"))
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return errors.New("there are none")
	}
	var findings []string
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var d dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			findings = append(findings, filepath.Base(path)+": "+err.Error())
			continue
		}
		for _, found := range d.findings() {
			findings = append(findings, filepath.Base(path)+": "+found)
		}
	}
	return errors.Join(all(findings), provisioning(folder))
}

func (d *dashboard) findings() (found []string) {
	if d.UID == "" || d.Title == "" {
		found = append(found, "no uid or no title")
	}
	if len(d.Panels) == 0 {
		found = append(found, "no panels")
	}
	var variables []string
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name)
		if v.Type == "query" && v.Datasource.UID != anySource {
			found = append(found, fmt.Sprintf("the datasource of $%s is %q, want %s", v.Name, v.Datasource.UID, anySource))
		}
	}
	for _, a := range d.Annotations.List {
		found = append(found, a.findings(variables)...)
	}
	for i := range d.Panels {
		p := &d.Panels[i]
		for _, other := range d.Panels[:i] {
			if other.ID == p.ID {
				found = append(found, fmt.Sprintf("%q and %q have the ID %d", other.Title, p.Title, p.ID))
			}
			if other.GridPos.overlaps(p.GridPos) {
				found = append(found, fmt.Sprintf("%q lies upon %q", p.Title, other.Title))
			}
		}
		for _, what := range p.findings(variables) {
			found = append(found, fmt.Sprintf("%q: %s", p.Title, what))
		}
	}
	return found
}

func (p *panel) findings(variables []string) (found []string) {
	if p.ID <= 0 || p.Title == "" {
		found = append(found, "no ID or no title")
	}
	if at := p.GridPos; at.X < 0 || at.Y < 0 || at.W <= 0 || at.H <= 0 || at.X+at.W > columns {
		found = append(found, fmt.Sprintf("it is of no size or beyond the edge: %+v", at))
	}
	if p.Type == "row" {
		return found
	}
	if len(p.Targets) == 0 {
		found = append(found, "it shows nothing")
	}
	if p.Datasource.UID != anySource {
		found = append(found, fmt.Sprintf("its datasource is %q, want %s", p.Datasource.UID, anySource))
	}
	seen := map[string]bool{}
	for _, t := range p.Targets {
		if t.RefID == "" || seen[t.RefID] {
			found = append(found, fmt.Sprintf("its refId %q is empty or there twice", t.RefID))
		}
		seen[t.RefID] = true
		found = append(found, t.findings(variables)...)
	}
	return found
}

func (t *target) findings(variables []string) (found []string) {
	if t.Datasource.UID != anySource {
		found = append(found, fmt.Sprintf("the datasource of %s%s is %q, want %s", t.RefID, t.Name, t.Datasource.UID, anySource))
	}
	if err := expression(t.Expr, variables); err != nil {
		found = append(found, fmt.Sprintf("%s: %v", t.Expr, err))
	}
	return found
}

var (
	// variable is a use of a variable of Grafana's.
	variable = regexp.MustCompile(`\$\{?(\w+)(:\w+)?\}?`)
	// intervals are what Grafana itself knows in place of a duration.
	intervals = []string{"__rate_interval", "__interval", "__range"}
)

// expression reports whether it is PromQL once Grafana has put the variables in.
func expression(text string, variables []string) error {
	var unknown []string
	put := variable.ReplaceAllStringFunc(text, func(use string) string {
		name := variable.FindStringSubmatch(use)[1]
		switch {
		case slices.Contains(intervals, name):
			return "5m"
		case !slices.Contains(variables, name):
			unknown = append(unknown, "there is no variable "+use)
		}
		return "x"
	})
	_, err := parser.ParseExpr(put)
	return errors.Join(all(unknown), err)
}

// provisioning checks what Grafana reads at its start, as the Compose file
// mounts it.
func provisioning(folder string) error {
	var from struct {
		Providers []struct {
			Options struct{ Path string }
		}
	}
	if err := readYAML(&from, folder, "grafana", "provisioning", "dashboards", "coordination.yaml"); err != nil {
		return err
	}
	var with struct {
		Datasources []struct{ Type, URL, UID string }
	}
	if err := readYAML(&with, folder, "grafana", "provisioning", "datasources", "prometheus.yaml"); err != nil {
		return err
	}
	var compose struct {
		Services map[string]struct{ Volumes []string }
	}
	if err := readYAML(&compose, folder, "compose", "compose.yaml"); err != nil {
		return err
	}
	var findings []string
	for _, p := range from.Providers {
		if !slices.Contains(compose.Services["grafana"].Volumes, "../grafana/dashboards:"+p.Options.Path+":ro") {
			findings = append(findings, "the Compose file mounts no dashboards at "+p.Options.Path)
		}
	}
	for _, d := range with.Datasources {
		host, _, _ := strings.Cut(strings.TrimPrefix(d.URL, "http://"), ":")
		if _, ok := compose.Services[host]; !ok || d.Type != "prometheus" || d.UID == "" {
			findings = append(findings, "the datasource "+d.URL+" is no Prometheus of the Compose file, or has no uid")
		}
	}
	if len(from.Providers) == 0 || len(with.Datasources) == 0 {
		findings = append(findings, "no dashboards or no datasources are provisioned")
	}
	return all(findings)
}

func readYAML(into any, path ...string) error {
	name := filepath.Join(path...)
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
