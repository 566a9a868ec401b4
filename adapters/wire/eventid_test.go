package wire

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestEventIDs(t *testing.T) {
	t.Parallel()
	const workflow = "wf-018d0ea9-2c00-7000-8000-000000000001"
	at := time.Date(2026, 1, 15, 10, 0, 30, 123_000_000, time.UTC)
	id := EventID(workflow, 4, at)
	if want := "evt-019bc119-76ab-7330-a4fd-d29c4d05fdbd"; id != want {
		t.Errorf("the ID is %s, and was %s in every delivery before", id, want)
	}
	if !regexp.MustCompile(`^evt-[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("%s is no UUIDv7", id)
	}
	parsed := uuid.MustParse(strings.TrimPrefix(id, eventPrefix))
	if seconds, nanos := parsed.Time().UnixTime(); !time.Unix(seconds, nanos).Equal(at) {
		t.Errorf("it is of %s", time.Unix(seconds, nanos))
	}
	seen := map[string]bool{}
	for _, workflow := range []string{workflow, "wf-018d0ea9-2c00-7000-8000-000000000002"} {
		for sequence := range 1000 {
			seen[EventID(workflow, sequence+1, at)] = true
		}
	}
	if len(seen) != 2000 || !seen[id] {
		t.Errorf("%d IDs of 2000 events", len(seen))
	}
}
