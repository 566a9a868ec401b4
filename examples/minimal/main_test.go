package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// maxLines of a whole participant.
const maxLines = 30

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestItIsShort(t *testing.T) {
	t.Parallel()
	if lines := strings.Count(read(t, "main.go"), "\n"); lines > maxLines {
		t.Errorf("main.go has %d lines, want at most %d", lines, maxLines)
	}
}

// TestDocumentsQuoteIt: the program that readers copy is the one that is tested.
func TestDocumentsQuoteIt(t *testing.T) {
	t.Parallel()
	program := read(t, "main.go")
	for document, must := range map[string]bool{"docs/participants.md": true, "sdk/README.md": true, "README.md": false} {
		rest, found := read(t, "..", "..", filepath.FromSlash(document)), false
		for {
			var quoted string
			var more bool
			if _, rest, more = strings.Cut(rest, "```go\npackage main\n"); !more {
				break
			}
			quoted, rest, _ = strings.Cut(rest, "```\n")
			if found = true; "package main\n"+quoted != program {
				t.Errorf("%s quotes another program:\n%s", document, quoted)
			}
		}
		if must && !found {
			t.Errorf("%s does not quote examples/minimal/main.go", document)
		}
	}
}
