package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
)

// variants are the values with which the chart is rendered.
var variants = map[string]map[string]any{
	"as it is": {},
	"with everything": {
		"participants":  map[string]any{"payment-service": map[string]any{"transport": "http", "url": "http://payment:8080"}},
		"templates":     map[string]any{"gift.yaml": "templateId: tmpl-gift\n"},
		"monitoring":    map[string]any{"serviceMonitor": true, "alerts": true, "dashboards": true},
		"networkPolicy": map[string]any{"enabled": true},
		"nodeSelector":  map[string]any{"disk": "ssd"},
		"tolerations":   []any{map[string]any{"key": "dedicated", "operator": "Exists"}},
	},
}

// wrong values must be refused by the schema.
var wrong = map[string]map[string]any{
	"no replicas":           {"replicas": 0},
	"a secret in the open":  {"settings": map[string]any{"COORDINATION_JWT_SECRET": "x"}},
	"a setting nobody has":  {"replica": 2},
	"a template by no name": {"templates": map[string]any{"gift": "x"}},
}

func chart(folder string) error {
	path := filepath.Join(folder, "helm", "coordination")
	var findings []string
	for _, m := range lint.All(path, nil, "shop", true).Messages {
		if m.Severity >= support.WarningSev {
			findings = append(findings, m.Error())
		}
	}
	for name, values := range variants {
		if err := rendered(path, values); err != nil {
			findings = append(findings, fmt.Sprintf("rendered %s: %v", name, err))
		}
	}
	for name, values := range wrong {
		if _, err := render(path, values); err == nil {
			findings = append(findings, "takes values with "+name)
		}
	}
	return all(findings)
}

func render(path string, values map[string]any) (map[string]string, error) {
	c, err := loader.Load(path)
	if err != nil {
		return nil, err
	}
	v, err := chartutil.ToRenderValues(c, values, chartutil.ReleaseOptions{Name: "shop", Namespace: "shop", IsInstall: true}, nil)
	if err != nil {
		return nil, err
	}
	return engine.Render(c, v)
}

// object is what is looked at of an object of Kubernetes.
type object struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct{ Name string }
	Spec       map[string]any
	Data       map[string]string
}

// check reports whether it is one, and whether the files of the chart are in it
// that it is made of: Helm takes a file that is not there for an empty one.
func (o *object) check() error {
	if o.APIVersion == "" || o.Kind == "" || o.Metadata.Name == "" {
		return errors.New("an object without apiVersion, kind or name")
	}
	if groups, _ := o.Spec["groups"].([]any); o.Kind == "PrometheusRule" && len(groups) == 0 {
		return errors.New("a PrometheusRule without rules")
	}
	for name, text := range o.Data {
		if strings.HasSuffix(name, ".json") && !json.Valid([]byte(text)) {
			return fmt.Errorf("%s is no JSON", name)
		}
	}
	return nil
}

// rendered reports whether every document is an object of Kubernetes by its form.
func rendered(path string, values map[string]any) error {
	files, err := render(path, values)
	if err != nil {
		return err
	}
	n := 0
	for name, text := range files {
		if strings.HasSuffix(name, ".txt") {
			continue
		}
		for _, document := range strings.Split(text, "\n---") {
			var o object
			if strings.TrimSpace(document) == "" {
				continue
			}
			if err := yaml.Unmarshal([]byte(document), &o); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if err := o.check(); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			n++
		}
	}
	if n < 3 {
		return errors.New("hardly anything")
	}
	return nil
}
