// Package schema makes the documents of what travels: JSON Schemas of the wire
// types, from the tags of their Go fields, and their YAML and JSON.
package schema

import (
	"encoding/json"
	"reflect"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Registry makes schemas of Go types and refers to them by prefix and name. It
// knows how the wire's small types travel. No list is null on the wire, which
// becomes huma's default for the whole process.
func Registry(prefix string) huma.Registry {
	noNullLists()
	registry := huma.NewMapRegistry(prefix, huma.DefaultSchemaNamer)
	registry.RegisterTypeAlias(reflect.TypeFor[coordination.Amount](), reflect.TypeFor[amountSchema]())
	registry.RegisterTypeAlias(reflect.TypeFor[coordination.Percent](), reflect.TypeFor[percentSchema]())
	registry.RegisterTypeAlias(reflect.TypeFor[coordination.Duration](), reflect.TypeFor[durationSchema]())
	registry.RegisterTypeAlias(reflect.TypeFor[coordination.Time](), reflect.TypeFor[timeSchema]())
	registry.RegisterTypeAlias(reflect.TypeFor[json.RawMessage](), reflect.TypeFor[objectSchema]())
	registry.RegisterTypeAlias(reflect.TypeFor[json.Number](), reflect.TypeFor[numberSchema]())
	return registry
}

var noNullLists = sync.OnceFunc(func() { huma.DefaultArrayNullable = false })

// The schemas of the wire's small types: their Go kinds do not tell how they travel.
type (
	amountSchema   struct{}
	percentSchema  struct{}
	durationSchema struct{}
	timeSchema     struct{}
	objectSchema   struct{}
	numberSchema   struct{}
)

// Schema of money: a decimal number; clients should not read it as a binary float.
func (amountSchema) Schema(huma.Registry) *huma.Schema {
	minimum, maximum := 0.0, 999_999_999_999_999.0
	return &huma.Schema{Type: huma.TypeNumber, Format: "decimal", Minimum: &minimum, Maximum: &maximum}
}

// Schema of a percentage.
func (percentSchema) Schema(huma.Registry) *huma.Schema {
	minimum := 0.0
	return &huma.Schema{Type: huma.TypeNumber, Format: "decimal", Minimum: &minimum}
}

// Schema of a duration: huma would check the format named duration as Go's own.
func (durationSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Pattern: `^PT(\d+H)?(\d+M)?(\d+(\.\d+)?S)?$`,
		Extensions: map[string]any{"format": "duration"}}
}

// Schema of a timestamp.
func (timeSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time"}
}

// Schema of free JSON, which is always an object here.
func (objectSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}

// Schema of a decimal number without limits.
func (numberSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeNumber, Format: "decimal"}
}
