package schema

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"

	"gopkg.in/yaml.v3"
)

// WholeNumbers makes floats that are whole integers, so that no document says 1e+09.
func WholeNumbers(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name := range v {
			v[name] = WholeNumbers(v[name])
		}
	case []any:
		for i := range v {
			v[i] = WholeNumbers(v[i])
		}
	case float64:
		const exact = 1 << 53
		if v == math.Trunc(v) && math.Abs(v) < exact {
			return int64(v)
		}
	}
	return value
}

// JSON is the indented JSON of a tree of maps and lists.
func JSON(tree any) ([]byte, error) {
	data, err := json.MarshalIndent(tree, "", "  ")
	return append(data, '\n'), err
}

// YAML is the YAML of a tree of maps and lists, the members of whose root begin
// with those of order.
func YAML(tree any, order ...string) ([]byte, error) {
	var root yaml.Node
	if err := root.Encode(tree); err != nil {
		return nil, err
	}
	inOrder(&root, order)
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(&root); err != nil {
		return nil, err
	}
	return text.Bytes(), encoder.Close()
}

// inOrder sorts the members of a document's root; the others stay last.
func inOrder(root *yaml.Node, order []string) {
	var sorted []*yaml.Node
	for _, name := range order {
		for i := 0; i+1 < len(root.Content); i += 2 {
			if root.Content[i].Value == name {
				sorted = append(sorted, root.Content[i], root.Content[i+1])
			}
		}
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if !slices.Contains(order, root.Content[i].Value) {
			sorted = append(sorted, root.Content[i], root.Content[i+1])
		}
	}
	root.Content = sorted
}
