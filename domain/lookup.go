package domain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of the parameters of one step.
const (
	MaxParametersBytes   = 64 << 10 // of their JSON text
	MaxParametersDepth   = 16       // of nested objects and arrays, the outermost counted
	MaxParametersLookups = 128      // look-ups in all
	MaxLookupBytes       = 256      // of one look-up's dotted path
	MaxLookupNames       = 16       // names after the root of one look-up
)

// The roots of a look-up.
const (
	RootContext = "context" // what the saga knows: the start's context and the steps' results
	RootInput   = "input"   // what the workflow was started with
)

// ErrParameters is wrapped by every error about a template's parameters.
var ErrParameters = errors.New("invalid parameters")

// Lookup finds the value at path below the context or the input. It is false
// when there is no such value. What it returns must be valid JSON. It must not
// change path.
type Lookup func(root string, path []string) (json.RawMessage, bool)

// Parameters are the parameters of a command as a template writes them: a JSON
// object in which a string that is exactly {{context.a.b}} or {{input.a.b}}
// stands for the value found there, of whatever JSON type. They are parsed once
// when the template loads and immutable from then on. The zero value is an
// object without members.
type Parameters struct {
	source json.RawMessage // compact
	root   parameterValue
	refs   []string
}

// ParseParameters reads parameters from a JSON object. Names must be unique;
// "{{" is allowed nowhere but in a well-formed look-up that is the whole
// string. Errors wrap ErrParameters and name the place.
func ParseParameters(raw json.RawMessage) (Parameters, error) {
	if len(raw) > MaxParametersBytes {
		return Parameters{}, fmt.Errorf("%w: more than %d bytes", ErrParameters, MaxParametersBytes)
	}
	var source bytes.Buffer
	if err := json.Compact(&source, raw); err != nil || !utf8.Valid(raw) {
		return Parameters{}, fmt.Errorf("%w: not JSON", ErrParameters)
	}
	if source.Bytes()[0] != '{' {
		return Parameters{}, fmt.Errorf("%w: not a JSON object", ErrParameters)
	}
	var p parameterParser
	root, err := p.value(source.Bytes(), "parameters", 1)
	if err != nil {
		return Parameters{}, fmt.Errorf("%w: %w", ErrParameters, err)
	}
	return Parameters{source: source.Bytes(), root: root, refs: p.refs}, nil
}

// Resolve puts the values found by lookup in the place of the look-ups, in one
// pass: a found value is never looked at again, so a {{…}} inside it stays as
// it is. The result is a JSON object with sorted names, the same bytes for the
// same values. A member or element whose look-up finds nothing is left out, and
// missing names the look-up ("context.reservationId"), each once. The result
// must not be modified.
func (p Parameters) Resolve(lookup Lookup) (resolved json.RawMessage, missing []string) {
	if p.root == nil {
		return json.RawMessage("{}"), nil
	}
	if literal, ok := p.root.(literalValue); ok {
		return json.RawMessage(literal), nil
	}
	r := resolution{lookup: lookup}
	text, _ := p.root.appendTo(make([]byte, 0, 2*len(p.source)), &r)
	return text, r.missing
}

// References are the look-ups of p without their braces, sorted, each once.
func (p Parameters) References() []string { return slices.Clone(p.refs) }

// IsZero reports whether p was never set; {} is set.
func (p Parameters) IsZero() bool { return p.root == nil }

// MarshalJSON writes the parameters as the template has them, look-ups unresolved.
func (p Parameters) MarshalJSON() ([]byte, error) {
	if p.root == nil {
		return []byte("{}"), nil
	}
	return p.source, nil
}

// UnmarshalJSON is ParseParameters; null is an error.
func (p *Parameters) UnmarshalJSON(data []byte) error {
	parsed, err := ParseParameters(data)
	if err != nil {
		return err
	}
	*p = parsed
	return nil
}

// parameterValue is one node of parsed parameters.
type parameterValue interface {
	// appendTo appends the resolved value to dst; false, with nothing
	// appended, when it is missing.
	appendTo(dst []byte, r *resolution) ([]byte, bool)
}

type (
	literalValue json.RawMessage // a whole subtree without look-ups
	lookupValue  struct{ reference }
	objectValue  []objectMember // sorted by name
	arrayValue   []parameterValue
)

type objectMember struct {
	name  string
	key   []byte // name as JSON
	value parameterValue
}

// resolution is one run of Resolve.
type resolution struct {
	lookup  Lookup
	missing []string
}

func (v literalValue) appendTo(dst []byte, _ *resolution) ([]byte, bool) {
	return append(dst, v...), true
}

func (v lookupValue) appendTo(dst []byte, r *resolution) ([]byte, bool) {
	value, found := r.lookup(v.root, v.path)
	if !found || len(value) == 0 {
		if !slices.Contains(r.missing, v.text) {
			r.missing = append(r.missing, v.text)
		}
		return dst, false
	}
	return append(dst, value...), true
}

func (v objectValue) appendTo(dst []byte, r *resolution) ([]byte, bool) {
	dst = append(dst, '{')
	first := len(dst)
	for _, m := range v {
		before := len(dst)
		if before > first {
			dst = append(dst, ',')
		}
		dst = append(append(dst, m.key...), ':')
		var found bool
		if dst, found = m.value.appendTo(dst, r); !found {
			dst = dst[:before]
		}
	}
	return append(dst, '}'), true
}

func (v arrayValue) appendTo(dst []byte, r *resolution) ([]byte, bool) {
	dst = append(dst, '[')
	first := len(dst)
	for _, element := range v {
		before := len(dst)
		if before > first {
			dst = append(dst, ',')
		}
		var found bool
		if dst, found = element.appendTo(dst, r); !found {
			dst = dst[:before]
		}
	}
	return append(dst, ']'), true
}

// parameterParser collects what is counted over all of one step's parameters.
type parameterParser struct {
	lookups int
	refs    []string
}

// value parses one compact, valid JSON value; at is its place, for errors.
func (p *parameterParser) value(raw []byte, at string, depth int) (parameterValue, error) {
	switch raw[0] {
	case '{', '[':
		if depth > MaxParametersDepth {
			return nil, fmt.Errorf("nested more than %d levels deep", MaxParametersDepth)
		}
		if raw[0] == '{' {
			return p.object(raw, at, depth)
		}
		return p.array(raw, at, depth)
	case '"':
		return p.text(raw, at)
	}
	return literalValue(raw), nil
}

func (p *parameterParser) object(raw []byte, at string, depth int) (parameterValue, error) {
	object, literal := objectValue{}, true
	for key, text := range Members(raw) {
		name, _ := unquote(key)
		at := at + "." + name
		if strings.Contains(name, "{{") {
			return nil, fmt.Errorf("%s: a name cannot be a look-up", at)
		}
		value, err := p.value(text, at, depth+1)
		if err != nil {
			return nil, err
		}
		literal = literal && isLiteral(value)
		object = append(object, objectMember{name: name, key: key, value: value})
	}
	slices.SortFunc(object, func(a, b objectMember) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(object); i++ {
		if object[i].name == object[i-1].name {
			return nil, fmt.Errorf("%s.%s: given twice", at, object[i].name)
		}
	}
	return collapse(object, literal), nil
}

func (p *parameterParser) array(raw []byte, at string, depth int) (parameterValue, error) {
	array, literal := arrayValue{}, true
	for text := range arrayElements(raw) {
		value, err := p.value(text, fmt.Sprintf("%s.%d", at, len(array)), depth+1)
		if err != nil {
			return nil, err
		}
		literal = literal && isLiteral(value)
		array = append(array, value)
	}
	return collapse(array, literal), nil
}

func (p *parameterParser) text(raw []byte, at string) (parameterValue, error) {
	text, _ := unquote(raw)
	if !strings.Contains(text, "{{") {
		return literalValue(raw), nil
	}
	inner, opened := strings.CutPrefix(text, "{{")
	inner, closed := strings.CutSuffix(inner, "}}")
	ref, ok := parseReference(inner)
	if !opened || !closed || !ok {
		return nil, fmt.Errorf("%s: %q is only allowed as a whole-value look-up such as {{context.name}} or {{input.name}}",
			at, "{{")
	}
	if p.lookups++; p.lookups > MaxParametersLookups {
		return nil, fmt.Errorf("more than %d look-ups", MaxParametersLookups)
	}
	p.refs = insertSorted(p.refs, ref.text)
	return lookupValue{ref}, nil
}

func isLiteral(v parameterValue) bool {
	_, ok := v.(literalValue)
	return ok
}

// collapse writes a subtree without look-ups out once, so that resolving copies it whole.
func collapse(v parameterValue, literal bool) parameterValue {
	if !literal {
		return v
	}
	text, _ := v.appendTo(nil, nil)
	return literalValue(text)
}

// reference is the dotted path of a look-up, taken apart.
type reference struct {
	text string // "context.a.b"
	root string // RootContext or RootInput
	path []string
}

// parseReference reads (context|input).name(.name)*. A name is an identifier of
// ASCII letters, digits and underscores, or an array index.
func parseReference(text string) (reference, bool) {
	if len(text) > MaxLookupBytes {
		return reference{}, false
	}
	names := strings.Split(text, ".")
	root, path := names[0], names[1:]
	if root != RootContext && root != RootInput || len(path) == 0 || len(path) > MaxLookupNames {
		return reference{}, false
	}
	for _, name := range path {
		if !isIdentifier(name) && !isIndex(name) {
			return reference{}, false
		}
	}
	return reference{text: text, root: root, path: path}, true
}

func isIdentifier(text string) bool {
	for i := range len(text) {
		if !isWordByte(text[i]) {
			return false
		}
	}
	return text != "" && (text[0] < '0' || text[0] > '9')
}

func isWordByte(c byte) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func insertSorted(list []string, text string) []string {
	at, found := slices.BinarySearch(list, text)
	if found {
		return list
	}
	return slices.Insert(list, at, text)
}
