package templates

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// usageMember is what the API adds to a template that it serves. It is no part
// of the template.
const usageMember = "usage"

// versionMember is a text that looks like a number.
const versionMember = "version"

var (
	errNotObject = errors.New("not one template: want a mapping at the top, and nothing after it")
	errDepth     = fmt.Errorf("nested more than %d levels deep", MaxDepth)
)

// fromYAML writes a YAML document as JSON. What JSON cannot say, or says in
// more than one way, is a fault: it is refused rather than guessed.
func fromYAML(text []byte) ([]byte, error) {
	var document, rest yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&document); err != nil {
		return nil, fmt.Errorf("not YAML: %w", err)
	}
	if !errors.Is(decoder.Decode(&rest), io.EOF) || len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, errNotObject
	}
	var out bytes.Buffer
	if err := writeMapping(&out, document.Content[0], 1); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func writeNode(out *bytes.Buffer, n *yaml.Node, depth int) error {
	if depth > MaxDepth {
		return errDepth
	}
	switch n.Kind {
	case yaml.MappingNode:
		return writeMapping(out, n, depth)
	case yaml.SequenceNode:
		return writeSequence(out, n, depth)
	case yaml.ScalarNode:
		return writeScalar(out, n)
	}
	return fmt.Errorf("line %d: aliases are not supported", n.Line)
}

func writeMapping(out *bytes.Buffer, n *yaml.Node, depth int) error {
	seen := map[string]bool{}
	out.WriteByte('{')
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" {
			return fmt.Errorf("line %d: a name must be a string", key.Line)
		}
		if seen[key.Value] {
			return fmt.Errorf("line %d: %s: given twice", key.Line, key.Value)
		}
		seen[key.Value] = true
		if depth == 1 && key.Value == usageMember {
			continue
		}
		writeName(out, key.Value)
		if tag := value.ShortTag(); depth == 1 && key.Value == versionMember && (tag == "!!int" || tag == "!!float") {
			writeString(out, value.Value) // 1.10 is a version, whatever YAML takes it for
			continue
		}
		if err := writeNode(out, value, depth+1); err != nil {
			return err
		}
	}
	out.WriteByte('}')
	return nil
}

func writeSequence(out *bytes.Buffer, n *yaml.Node, depth int) error {
	out.WriteByte('[')
	for i, element := range n.Content {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := writeNode(out, element, depth+1); err != nil {
			return err
		}
	}
	out.WriteByte(']')
	return nil
}

func writeScalar(out *bytes.Buffer, n *yaml.Node) error {
	switch n.ShortTag() {
	case "!!str", "!!timestamp":
		writeString(out, n.Value)
	case "!!bool":
		out.WriteString(strings.ToLower(n.Value))
	case "!!null":
		out.WriteString("null")
	case "!!int", "!!float":
		if !json.Valid([]byte(n.Value)) {
			return fmt.Errorf("line %d: %.40s: write the number as JSON does, or quote it", n.Line, n.Value)
		}
		out.WriteString(n.Value)
	default:
		return fmt.Errorf("line %d: values of type %s are not supported", n.Line, n.ShortTag())
	}
	return nil
}

// writeName writes the name of a member, after a comma unless it is the first.
func writeName(out *bytes.Buffer, name string) {
	if b := out.Bytes(); b[len(b)-1] != '{' {
		out.WriteByte(',')
	}
	writeString(out, name)
	out.WriteByte(':')
}

func writeString(out *bytes.Buffer, text string) {
	quoted, err := json.Marshal(text)
	if err != nil { // a string always marshals
		panic("templates: string does not marshal: " + err.Error())
	}
	out.Write(quoted)
}

// fromJSON writes a JSON object anew, without the usage that the API adds to
// it. A name that is given twice is a fault, which encoding/json would not see.
func fromJSON(text []byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("not UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	first, err := decoder.Token()
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	var out bytes.Buffer
	if first != json.Delim('{') {
		return nil, errNotObject
	}
	if err := copyObject(&out, decoder, 1); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotObject
	}
	return out.Bytes(), nil
}

func copyValue(out *bytes.Buffer, decoder *json.Decoder, depth int) error {
	if depth > MaxDepth {
		return errDepth
	}
	token, err := decoder.Token()
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '{' {
			return copyObject(out, decoder, depth)
		}
		return copyArray(out, decoder, depth)
	case string:
		writeString(out, token)
	case json.Number:
		out.WriteString(token.String())
	case bool:
		fmt.Fprint(out, token)
	default:
		out.WriteString("null")
	}
	return nil
}

// copyObject copies the rest of an object whose opening was read.
func copyObject(out *bytes.Buffer, decoder *json.Decoder, depth int) error {
	seen := map[string]bool{}
	out.WriteByte('{')
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return fmt.Errorf("not JSON: %w", err)
		}
		name, _ := token.(string) // the decoder lets nothing else stand here
		if seen[name] {
			return fmt.Errorf("%s: given twice", name)
		}
		seen[name] = true
		target := out
		if depth == 1 && name == usageMember {
			target = new(bytes.Buffer)
			target.WriteByte('{')
		}
		writeName(target, name)
		if err := copyValue(target, decoder, depth+1); err != nil {
			return err
		}
	}
	return closeWith(out, decoder, '}')
}

func copyArray(out *bytes.Buffer, decoder *json.Decoder, depth int) error {
	out.WriteByte('[')
	for n := 0; decoder.More(); n++ {
		if n > 0 {
			out.WriteByte(',')
		}
		if err := copyValue(out, decoder, depth+1); err != nil {
			return err
		}
	}
	return closeWith(out, decoder, ']')
}

func closeWith(out *bytes.Buffer, decoder *json.Decoder, bracket byte) error {
	if _, err := decoder.Token(); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	out.WriteByte(bracket)
	return nil
}
