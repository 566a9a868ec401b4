package wiring_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/app/config"
	"github.com/firstviscount/platform-coordination/app/retention"
	"github.com/firstviscount/platform-coordination/app/templates"
	"github.com/firstviscount/platform-coordination/sdk/golden"
)

// The documents that users read, from this package.
var (
	readme       = filepath.Join("..", "..", "README.md")
	templatesDoc = filepath.Join("..", "..", "docs", "templates.md")
)

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReadmeListsEveryFlag(t *testing.T) {
	t.Parallel()
	var help strings.Builder
	if _, err := config.Parse([]string{"serve", "--help"}, func(string) (string, bool) { return "", false }, &help); err != nil {
		t.Fatal(err)
	}
	text, flags := read(t, readme), 0
	for _, word := range strings.Fields(help.String()) {
		flag, _, _ := strings.Cut(strings.Trim(word, ".,;()"), "=")
		if !strings.HasPrefix(flag, "--") || flag == "--help" {
			continue
		}
		flags++
		if !strings.Contains(text, "`"+flag+"`") {
			t.Errorf("README.md does not tell of %s", flag)
		}
	}
	if flags < 17 {
		t.Errorf("found only %d flags in\n%s", flags, help.String())
	}
}

// TestRetentionIsDocumentedAsItIs holds the ages that users rely on to the code.
func TestRetentionIsDocumentedAsItIs(t *testing.T) {
	t.Parallel()
	if !strings.Contains(read(t, readme), "`"+config.DefaultRetention+"`") {
		t.Errorf("README.md does not say that %s is the default", config.DefaultRetention)
	}
	least := map[string]time.Duration{"completed": config.MinWorkflowAge, "failed": config.MinWorkflowAge, "cancelled": config.MinWorkflowAge,
		"deliveries": config.MinDeliveryAge, "audit": config.MinAuditAge, "batches": config.MinBatchAge}
	text := read(t, filepath.Join("..", "..", "docs", "privacy.md"))
	for part := range strings.SplitSeq(config.DefaultRetention, ",") {
		name, age, _ := strings.Cut(part, "=")
		row := regexp.MustCompile("(?m)^\\| `" + name + "` \\|.*\\| (\\S+) \\| (\\S+) \\|$").FindStringSubmatch(text)
		if want := fmt.Sprintf("%.0fd", least[name].Hours()/24); row == nil || row[1] != age || row[2] != want {
			t.Errorf("docs/privacy.md says of %s: %q; want %s, at least %s", name, row, age, want)
		}
	}
	text = strings.Join(strings.Fields(read(t, filepath.Join("..", "..", "docs", "operations.md"))), " ")
	for _, fact := range []string{
		fmt.Sprintf("at most %d things each", retention.MaxStep), fmt.Sprintf("rests %d times as long", retention.LongRest),
		fmt.Sprintf("never less than %d times", retention.ShortRest),
	} {
		if !strings.Contains(text, fact) {
			t.Errorf("docs/operations.md does not say %q", fact)
		}
	}
	if retention.DefaultEvery != 5*time.Minute {
		t.Error("docs/operations.md says that a replica looks every five minutes")
	}
}

func TestTheDocumentedTemplateLoads(t *testing.T) {
	t.Parallel()
	_, rest, _ := strings.Cut(read(t, templatesDoc), "```yaml\n")
	example, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("docs/templates.md has no example")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "example.yaml"), []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := templates.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if last := list[len(list)-1]; last.Type != "GIFT_CARD" || len(last.Steps) != 3 {
		t.Errorf("got %s with %d steps", last.Type, len(last.Steps))
	}
}

// TestDocumentedMessagesAreGolden compares each message that a document quotes
// with the corpus: <!-- golden: NAME --> stands before it.
func TestDocumentedMessagesAreGolden(t *testing.T) {
	t.Parallel()
	quoted := map[string]bool{}
	for _, name := range []string{"participants.md", "message-bus.md"} {
		parts := strings.Split(read(t, filepath.Join("..", "..", "docs", name)), "<!-- golden: ")
		for _, part := range parts[1:] {
			message, rest, _ := strings.Cut(part, " -->\n```json\n")
			text, _, found := strings.Cut(rest, "\n```")
			if !found {
				t.Errorf("%s: no message after golden: %s", name, message)
				continue
			}
			quoted[message] = true
			if want := strings.TrimSpace(string(golden.Message(message))); text != want {
				t.Errorf("%s: %s is\n%s\nwant\n%s", name, message, text, want)
			}
		}
	}
	for _, message := range []string{"command", "command-undo", "answer-succeeded", "event-command", "event-reply", "event-workflow", "event-answer"} {
		if !quoted[message] {
			t.Errorf("no document quotes %s", message)
		}
	}
}
