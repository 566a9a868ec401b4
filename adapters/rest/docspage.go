package rest

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"html/template"
	"maps"
	"slices"
	"strings"
)

// docsTemplate is the page at /docs. It needs no script and nothing from elsewhere.
//
//go:embed docs.html.tmpl
var docsTemplate string

// docsPage renders the OpenAPI document for people.
func docsPage() ([]byte, error) {
	tree, err := documentTree(OpenAPI31)
	if err != nil {
		return nil, err
	}
	page := template.Must(template.New("docs").Funcs(template.FuncMap{
		"json": indented, "schemaLink": schemaLink, "typeOf": typeOf, "required": isRequired, "anchor": anchor,
	}).Parse(docsTemplate))
	var html bytes.Buffer
	err = page.Execute(&html, map[string]any{
		"Info": tree["info"], "Servers": tree["servers"], "Groups": docsGroups(tree), "Schemas": at(tree, "components", "schemas")})
	return html.Bytes(), err
}

// docsGroup are the operations under one tag.
type docsGroup struct {
	Tag        string
	Operations []docsOperation
}

// docsOperation is one operation and its route.
type docsOperation struct {
	Method, Path string
	Operation    map[string]any
}

// docsGroups are the operations by tag, in the order of the document's tags.
func docsGroups(tree map[string]any) []docsGroup {
	byTag := map[string][]docsOperation{}
	for path, item := range at(tree, "paths") {
		for method, op := range item.(map[string]any) {
			operation := op.(map[string]any)
			tag := operation["tags"].([]any)[0].(string)
			byTag[tag] = append(byTag[tag], docsOperation{strings.ToUpper(method), path, operation})
		}
	}
	tags, _ := tree["tags"].([]any)
	groups := make([]docsGroup, 0, len(tags))
	for _, tag := range tags {
		name := tag.(map[string]any)["name"].(string)
		slices.SortFunc(byTag[name], func(a, b docsOperation) int {
			return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method))
		})
		groups = append(groups, docsGroup{name, byTag[name]})
	}
	return groups
}

// at is the object at a path of members; an empty one if there is none.
func at(tree map[string]any, path ...string) map[string]any {
	for _, name := range path {
		tree, _ = tree[name].(map[string]any)
	}
	return tree
}

func indented(v any) (string, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	return string(data), err
}

// schemaLink is the name of the schema that a schema refers to, or "".
func schemaLink(schema any) string {
	s, _ := schema.(map[string]any)
	ref, _ := s["$ref"].(string)
	return strings.TrimPrefix(ref, schemaPrefix)
}

// typeOf says in a few words what a schema allows.
func typeOf(schema any) string {
	s, ok := schema.(map[string]any)
	if !ok {
		return "any"
	}
	if name := schemaLink(s); name != "" {
		return name
	}
	kind, _ := s["type"].(string)
	switch {
	case kind == "array":
		kind = "array of " + typeOf(s["items"])
	case s["anyOf"] != nil:
		var names []string
		for _, option := range s["anyOf"].([]any) {
			names = append(names, typeOf(option))
		}
		kind = strings.Join(names, " or ")
	}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		switch name {
		case "format", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "enum", "default":
			text, err := json.Marshal(s[name])
			if err == nil {
				kind += ", " + name + " " + string(text)
			}
		}
	}
	return kind
}

// isRequired reports whether an object's schema requires a member.
func isRequired(schema any, member string) bool {
	s, _ := schema.(map[string]any)
	list, _ := s["required"].([]any)
	return slices.Contains(list, any(member))
}

func anchor(name string) string { return "schema-" + name }
