package cloudevents

import (
	"encoding/json"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Encode is json.Marshal of an event whose Data is valid JSON, which it does
// not read again: every message pays for that.
func Encode(e *coordination.CloudEvent) ([]byte, error) {
	const envelope = 512 // is longer than most
	at, err := timeOf(e)
	if err != nil {
		return nil, err
	}
	b := append(make([]byte, 0, envelope+len(e.Data)), '{')
	b = appendMember(b, "specversion", e.SpecVersion)
	b = appendMember(b, "id", e.ID)
	b = appendMember(b, "source", e.Source)
	b = appendMember(b, "type", e.Type)
	b = appendOptional(b, "subject", e.Subject)
	if at != nil {
		b = append(append(b, `"time":`...), at...)
		b = append(b, ',')
	}
	b = appendOptional(b, "datacontenttype", e.DataContentType)
	b = appendOptional(b, "partitionkey", e.PartitionKey)
	b = appendOptional(b, "traceparent", e.TraceParent)
	b = appendOptional(b, "tracestate", e.TraceState)
	b = appendOptional(b, "replyto", e.ReplyTo)
	b = append(b, `"data":`...)
	if len(e.Data) == 0 {
		return append(b, `null}`...), nil
	}
	return append(append(b, e.Data...), '}'), nil
}

// timeOf is the time as JSON, nil if there is none.
func timeOf(e *coordination.CloudEvent) ([]byte, error) {
	if e.Time.IsZero() {
		return nil, nil
	}
	return e.Time.MarshalJSON()
}

func appendOptional(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendMember(b, name, value)
}

// appendMember appends a member and a comma.
func appendMember(b []byte, name, value string) []byte {
	b = append(append(append(b, '"'), name...), `":`...)
	return append(appendText(b, value), ',')
}

func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(text) // a string always can be
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}
