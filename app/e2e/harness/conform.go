package harness

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Allow says where a document may differ from its example. A path is written
// steps[].result.reservationId, with [] for every index.
type Allow struct {
	// Free values must only have the JSON type of the example.
	Free []string
	// More are members that the document has beyond the example.
	More []string
	// Less are members of the example that the document may leave out.
	Less []string
}

// kinds of texts that stand for any other of their kind. The prefix of an
// identifier, the first group, must be the same.
var kinds = []struct {
	name  string
	texts *regexp.Regexp
}{
	{"identifier", regexp.MustCompile(`^((?:wf|saga|comp|evt)-)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)},
	{"UUID", regexp.MustCompile(`^()[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)},
	{"moment", regexp.MustCompile(`^()\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?Z$`)},
	{"duration", regexp.MustCompile(`^()P(?:T?\d)[0-9DTHMS.]*$`)},
	{"day", regexp.MustCompile(`^()\d{4}-\d{2}-\d{2}$`)},
}

// Differences compares a document with an example, both as Tree gives them,
// and names every place where they differ. All names and the length of all
// lists must be the same. An identifier of ours, a moment or a duration in the
// example stands for any other; every other value must be the same.
func Differences(example, got any, allow Allow) []string {
	c := comparison{allow: allow}
	c.compare("", example, got)
	return c.found
}

type comparison struct {
	allow Allow
	found []string
}

func (c *comparison) differ(path, format string, args ...any) {
	if path == "" {
		path = "the document"
	}
	c.found = append(c.found, path+": "+fmt.Sprintf(format, args...))
}

var index = regexp.MustCompile(`\[\d+\]`)

func listed(list []string, path string) bool {
	return slices.Contains(list, index.ReplaceAllString(path, "[]"))
}

func (c *comparison) compare(path string, example, got any) {
	if want, is := typeOf(example), typeOf(got); want != is {
		c.differ(path, "is %s, not %s", is, want)
		return
	}
	if listed(c.allow.Free, path) {
		return
	}
	switch want := example.(type) {
	case map[string]any:
		c.objects(path, want, got.(map[string]any))
	case []any:
		c.lists(path, want, got.([]any))
	case string:
		c.texts(path, want, got.(string))
	case json.Number:
		if !sameNumber(want, got.(json.Number)) {
			c.differ(path, "is %s, not %s", got, want)
		}
	default:
		if example != got {
			c.differ(path, "is %v, not %v", got, example)
		}
	}
}

func (c *comparison) objects(path string, want, got map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		at := strings.TrimPrefix(path+"."+name, ".")
		value, there := got[name]
		switch {
		case there:
			c.compare(at, want[name], value)
		case !listed(c.allow.Less, at):
			c.differ(at, "is missing")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		at := strings.TrimPrefix(path+"."+name, ".")
		if _, known := want[name]; !known && !listed(c.allow.More, at) {
			c.differ(at, "is not in the example")
		}
	}
}

func (c *comparison) lists(path string, want, got []any) {
	if len(want) != len(got) {
		c.differ(path, "has %d elements, not %d", len(got), len(want))
		return
	}
	for i := range want {
		c.compare(path+"["+strconv.Itoa(i)+"]", want[i], got[i])
	}
}

func (c *comparison) texts(path, want, got string) {
	if want == got {
		return
	}
	for _, kind := range kinds {
		if of := kind.texts.FindStringSubmatch(want); of != nil {
			if is := kind.texts.FindStringSubmatch(got); is == nil || is[1] != of[1] {
				c.differ(path, "%q is no %s%s", got, of[1], kind.name)
			}
			return
		}
	}
	c.differ(path, "is %q, not %q", got, want)
}

func typeOf(value any) string {
	switch value.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "a text"
	case json.Number:
		return "a number"
	case bool:
		return "a truth value"
	}
	return "null"
}

func sameNumber(a, b json.Number) bool {
	x, okX := new(big.Rat).SetString(string(a))
	y, okY := new(big.Rat).SetString(string(b))
	return okX && okY && x.Cmp(y) == 0
}
