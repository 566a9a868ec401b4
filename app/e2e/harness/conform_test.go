package harness_test

import (
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/app/e2e/harness"
)

const documentExample = `{"id":"wf-660e8400-e29b-41d4-a716-446655440000","at":"2024-01-15T10:00:00Z","took":"PT5S",
	"status":"STARTED","amount":75.0,"steps":[{"name":"A","ok":true}],"extra":null}`

func TestDifferences(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, got string
		allow     harness.Allow
		want      string // found in the only difference; "" for none
	}{
		{name: "the example itself", got: documentExample},
		{name: "another of each kind", got: `{"id":"wf-770e8400-e29b-41d4-a716-446655440000","at":"2025-01-15T10:00:00.125Z","took":"PT0.5S",
			"status":"STARTED","amount":75,"steps":[{"name":"A","ok":true}],"extra":null}`},
		{name: "another kind of identifier", got: strings.Replace(documentExample, "wf-", "saga-", 1), want: "id:"},
		{name: "no moment", got: strings.Replace(documentExample, "2024-01-15T10:00:00Z", "yesterday", 1), want: "at:"},
		{name: "no duration", got: strings.Replace(documentExample, "PT5S", "5s", 1), want: "took:"},
		{name: "another value", got: strings.Replace(documentExample, "STARTED", "FAILED", 1), want: `status: is "FAILED"`},
		{name: "another number", got: strings.Replace(documentExample, "75.0", "75.1", 1), want: "amount:"},
		{name: "a number as text", got: strings.Replace(documentExample, "75.0", `"75.0"`, 1), want: "amount: is a text"},
		{name: "another truth", got: strings.Replace(documentExample, "true", "false", 1), want: "steps[0].ok:"},
		{name: "a longer list", got: strings.Replace(documentExample, "}]", "},{}]", 1), want: "steps: has 2"},
		{name: "a missing member", got: strings.Replace(documentExample, `"name":"A",`, "", 1), want: "steps[0].name: is missing"},
		{name: "a member more", got: strings.Replace(documentExample, `"ok"`, `"new":1,"ok"`, 1), want: "steps[0].new: is not"},
		{name: "an allowed member more", got: strings.Replace(documentExample, `"ok"`, `"new":1,"ok"`, 1), allow: harness.Allow{More: []string{"steps[].new"}}},
		{name: "an allowed member less", got: strings.Replace(documentExample, `"name":"A",`, "", 1), allow: harness.Allow{Less: []string{"steps[].name"}}},
		{name: "a free value", got: strings.Replace(documentExample, `"A"`, `"B"`, 1), allow: harness.Allow{Free: []string{"steps[].name"}}},
		{name: "a free value of another type", got: strings.Replace(documentExample, `"A"`, `1`, 1), allow: harness.Allow{Free: []string{"steps[].name"}},
			want: "steps[0].name: is a number"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			found := harness.Differences(harness.Tree(t, []byte(documentExample)), harness.Tree(t, []byte(c.got)), c.allow)
			switch {
			case c.want == "" && len(found) > 0:
				t.Errorf("found %q", found)
			case c.want != "" && (len(found) != 1 || !strings.Contains(found[0], c.want)):
				t.Errorf("found %q, want one with %q", found, c.want)
			}
		})
	}
}
