// Package sdk_test sees to it that the module brings nothing but itself: go get
// of it must not touch a user's other dependencies.
package sdk_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/firstviscount/platform-coordination/sdk"

func TestTheModuleRequiresNothing(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^module ` + regexp.QuoteMeta(module) + `\n\ngo [0-9.]+\n$`).Match(text) {
		t.Errorf("go.mod has more than a name and a version of Go:\n%s", text)
	}
	if _, err := os.Stat("go.sum"); err == nil {
		t.Error("there is a go.sum")
	}
}

func TestPackagesImportTheStandardLibraryAndEachOther(t *testing.T) {
	t.Parallel()
	checked := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		checked++
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, imported := range foreign(t, path, string(source)) {
			t.Errorf("%s imports %s", path, imported)
		}
		return nil
	})
	if err != nil || checked < 50 {
		t.Errorf("checked %d files, %v", checked, err)
	}
}

// foreign are the imports of a file that would have to be fetched. Those of the
// standard library have no dot in their first element.
func foreign(t *testing.T, name, source string) (list []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(path, "/")
		if strings.Contains(first, ".") && path != module && !strings.HasPrefix(path, module+"/") || path == "C" {
			list = append(list, path)
		}
	}
	return list
}

// The check itself must see what it is for.
func TestForeignImportsAreSeen(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]int{
		`import ("fmt"; "net/http"; "` + module + `/webhook")`:          0,
		`import "` + module + `kit"`:                                    1,
		`import "github.com/firstviscount/platform-coordination/ports"`: 1,
		`import (_ "golang.org/x/sync"; "C")`:                           2,
	} {
		if got := foreign(t, "example.go", "package example; "+source); len(got) != want {
			t.Errorf("%s: %q", source, got)
		}
	}
}
