package coordination

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// Step is one step of a workflow and how far it is. Besides its own members it
// carries the attributes that the template gives the step, such as "provider":
// "stripe", as members of the same JSON object.
type Step struct {
	_ struct{} `additionalProperties:"true"`

	Name                string          `json:"name" doc:"Name of the step" example:"INVENTORY_RESERVATION"`
	Status              StepStatus      `json:"status" doc:"Status of the step" example:"IN_PROGRESS" enum:"PENDING,IN_PROGRESS,RETRYING,COMPLETED,FAILED,UNKNOWN,SKIPPED"`
	Description         string          `json:"description,omitempty" doc:"What it does" example:"Reserving inventory for order items"`
	StartedAt           Time            `json:"startedAt,omitzero" doc:"When it was first sent" example:"2024-01-15T10:00:00Z"`
	CompletedAt         Time            `json:"completedAt,omitzero" doc:"When it settled" example:"2024-01-15T10:00:05Z"`
	Duration            *Duration       `json:"duration,omitempty" doc:"From startedAt to completedAt" example:"PT5S"`
	EstimatedDuration   Duration        `json:"estimatedDuration,omitempty" doc:"How long it should take" example:"PT30S"`
	EstimatedCompletion Time            `json:"estimatedCompletion,omitzero" doc:"When it should be done" example:"2024-01-15T10:00:36Z"`
	Attempts            int             `json:"attempts,omitempty" doc:"How often it was sent" example:"1"`
	Result              json.RawMessage `json:"result,omitempty" doc:"What the participant answered"`
	Error               *StepError      `json:"error,omitempty" doc:"Last failure"`

	// Attributes are the further members of the JSON object, by name. A name
	// that is one of the members above is ignored.
	Attributes map[string]json.RawMessage `json:"-"`
}

// stepFields is Step without its methods.
type stepFields Step

// stepMembers holds the JSON names of Step's own members.
var stepMembers = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Step]()) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			names[name] = true
		}
	}
	return names
})

// MarshalJSON writes the members, then the attributes in the order of their names.
func (s Step) MarshalJSON() ([]byte, error) {
	fields, err := json.Marshal(stepFields(s))
	if err != nil || len(s.Attributes) == 0 {
		return fields, err
	}
	object := bytes.NewBuffer(fields[:len(fields)-1])
	for _, name := range slices.Sorted(maps.Keys(s.Attributes)) {
		if stepMembers()[name] {
			continue
		}
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		object.WriteByte(',')
		object.Write(key)
		object.WriteByte(':')
		object.Write(s.Attributes[name])
	}
	object.WriteByte('}')
	return object.Bytes(), nil
}

// UnmarshalJSON reads the members; those it does not know become attributes.
func (s *Step) UnmarshalJSON(data []byte) error {
	var fields stepFields
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	maps.DeleteFunc(members, func(name string, _ json.RawMessage) bool { return stepMembers()[name] })
	if len(members) > 0 {
		fields.Attributes = members
	}
	*s = Step(fields)
	return nil
}
