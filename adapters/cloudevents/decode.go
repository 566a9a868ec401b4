package cloudevents

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// decode is json.Unmarshal of an envelope, but that names are taken as they are
// written: another case, or an escape, makes another name. Data is looked through once and not taken apart.
func decode(body []byte) (e coordination.CloudEvent, err error) {
	if text := bytes.TrimLeft(body, " \t\r\n"); len(text) == 0 || text[0] != '{' || !utf8.Valid(body) || !json.Valid(body) {
		return e, ErrNotJSON
	}
	for key, value := range domain.Members(bytes.TrimSpace(body)) {
		if bytes.IndexByte(key, '\\') >= 0 {
			continue // no name of ours needs an escape
		}
		if err := set(&e, key[1:len(key)-1], value); err != nil {
			return e, ErrNotJSON
		}
	}
	return e, nil
}

// set takes one member of an envelope.
func set(e *coordination.CloudEvent, name, value []byte) error {
	switch string(name) {
	case "specversion":
		return readText(value, &e.SpecVersion)
	case "id":
		return readText(value, &e.ID)
	case "source":
		return readText(value, &e.Source)
	case "type":
		return readText(value, &e.Type)
	case "subject":
		return readText(value, &e.Subject)
	case "time":
		return json.Unmarshal(value, &e.Time)
	case "datacontenttype":
		return readText(value, &e.DataContentType)
	case "partitionkey":
		return readText(value, &e.PartitionKey)
	case "traceparent":
		return readText(value, &e.TraceParent)
	case "tracestate":
		return readText(value, &e.TraceState)
	case "replyto":
		return readText(value, &e.ReplyTo)
	case "data":
		e.Data = bytes.Clone(value)
	}
	return nil
}

// readText reads a JSON string; null leaves text as it is.
func readText(raw []byte, text *string) error {
	if raw[0] != '"' || bytes.IndexByte(raw, '\\') >= 0 {
		return json.Unmarshal(raw, text)
	}
	*text = string(raw[1 : len(raw)-1])
	return nil
}
