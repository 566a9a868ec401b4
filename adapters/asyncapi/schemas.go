package asyncapi

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firstviscount/platform-coordination/adapters/schema"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// draft is the dialect of the schemas (https://json-schema.org/draft/2020-12).
const draft = "https://json-schema.org/draft/2020-12/schema"

// Schemas are the JSON Schemas of all messages of the bus, and of commands,
// answers and webhooks over HTTP, by file name.
func Schemas() (map[string][]byte, error) {
	files := map[string][]byte{}
	for i := range messages {
		m := &messages[i]
		defs, err := definitions(defPrefix, reflect.TypeFor[coordination.CloudEvent](), m.data)
		if err != nil {
			return nil, err
		}
		root := m.envelope(defs, defPrefix)
		delete(defs, envelopeName)
		if files[m.name+".json"], err = file(m.summary, root, defs); err != nil {
			return nil, err
		}
	}
	for name, t := range payloads {
		defs, err := definitions(defPrefix, t)
		if err != nil {
			return nil, err
		}
		root := defs[nameOf(t)].(object)
		delete(defs, nameOf(t))
		if files[name+".json"], err = file("", root, defs); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// file is a schema that stands alone.
func file(description string, root, defs object) ([]byte, error) {
	root["$schema"] = draft
	if description != "" {
		root["description"] = description
	}
	if len(defs) > 0 {
		root["$defs"] = defs
	}
	return schema.JSON(schema.WholeNumbers(root))
}

// nameOf is the name of a type's schema.
func nameOf(t reflect.Type) string { return huma.DefaultSchemaNamer(t, "") }

// definitions are the schemas of types and of all that they refer to, by name.
// Receivers pass over members that they do not know, and so do the schemas; but
// the API, which serves requests, refuses them.
func definitions(prefix string, types ...reflect.Type) (object, error) {
	registry := schema.Registry(prefix)
	asked := false
	for _, t := range types {
		registry.Schema(t, true, "")
		asked = asked || t == requestType
	}
	if asked {
		for _, rule := range bodies {
			registry.Schema(rule.body, true, "")
		}
	}
	text, err := json.Marshal(registry.Map())
	if err != nil {
		return nil, err
	}
	var defs object
	if err := json.Unmarshal(text, &defs); err != nil {
		return nil, err
	}
	var refused map[string]bool
	if asked {
		request := defs[nameOf(requestType)].(object)
		request["allOf"] = requestRules(prefix)
		refused = reachable(defs, prefix, nameOf(requestType), map[string]bool{})
	}
	for name, def := range defs {
		if s := def.(object); s["additionalProperties"] == false && !refused[name] {
			delete(s, "additionalProperties")
		}
	}
	return defs, nil
}

// reachable are the names of a definition and of all that it refers to.
func reachable(defs object, prefix, name string, found map[string]bool) map[string]bool {
	if found[name] {
		return found
	}
	found[name] = true
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case object:
			for member, value := range v {
				if ref, ok := value.(string); ok && member == "$ref" {
					reachable(defs, prefix, strings.TrimPrefix(ref, prefix), found)
				}
				walk(value)
			}
		case []any:
			for _, value := range v {
				walk(value)
			}
		}
	}
	walk(defs[name])
	return found
}

// envelopeName is the schema that those of all messages are made of.
const envelopeName = "CloudEvent"

// envelope is the CloudEvent of a message: its type is fixed, its data known.
func (m *message) envelope(defs object, prefix string) object {
	event := maps.Clone(defs[envelopeName].(object))
	properties := maps.Clone(event["properties"].(object))
	event["title"], event["properties"] = m.title, properties
	properties["type"] = object{"type": "string", "const": m.event, "description": "What the data is"}
	data := object{"$ref": prefix + m.data.Name()}
	if m.needs != nil {
		data = object{"allOf": []any{data, object{"required": m.needs}}}
	}
	properties["data"] = data
	if !m.asks {
		delete(properties, "replyto")
		return event
	}
	replyTo := maps.Clone(properties["replyto"].(object))
	replyTo["pattern"], replyTo["maxLength"] = topicForm, maxTopicLength
	replyTo["anyOf"] = []any{object{"pattern": answerTopic}, object{"not": object{"pattern": ownTopic}}}
	properties["replyto"] = replyTo
	return event
}
