package domain

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pureImports are the packages that compute from their arguments alone. A
// package that reads a clock, draws random numbers, logs, or reaches files,
// the network or other goroutines has no place here: replicas that fold the
// same events must decide the same.
var pureImports = []string{
	"bytes", "cmp", "crypto/hmac", "crypto/sha256", "encoding/base64", "encoding/hex", "encoding/json", "errors", "fmt",
	"iter", "maps", "math", "math/big", "math/bits", "regexp", "slices", "sort", "strconv", "strings", "time", "unicode",
	"unicode/utf8",
}

// impureNames are what the pure imports hold that is not: the clock and the
// machine's time zone, and the standard streams.
var impureNames = map[string][]string{
	"time": {
		"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Timer", "Ticker", "Local",
		"LoadLocation",
	},
	"fmt": {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
}

// unorderedNames of maps give the order of a map, which is another one each time.
var unorderedNames = []string{"Keys", "Values", "All"}

// orderingNames of slices make an order of what they are given.
var orderingNames = []string{"Sorted", "SortedFunc", "SortedStableFunc"}

var binaryFraction = regexp.MustCompile(`(?i)float(32|64)?$|^complex(64|128)$`)

func TestPackageIsPure(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range impurities(t, file, string(source)) {
			t.Error(fault)
		}
		checked++
	}
	if checked == 0 {
		t.Error("no file was checked")
	}
}

// The check itself must see what it is for.
func TestImpuritiesAreSeen(t *testing.T) {
	t.Parallel()
	tests := []struct {
		body string
		want int
	}{
		{`import "context"`, 1},
		{`import ("log"; "os"; "net/http"; "math/rand/v2"; "crypto/rand"; "sync"; _ "embed")`, 7},
		{`import "github.com/google/uuid"`, 1},
		{`import . "strings"`, 1},
		{`import "time"; var t = time.Now()`, 1},
		{`import clock "time"; var t = clock.Now`, 1},
		{`import "time"; func f(c chan int) { <-time.After(1); time.Sleep(time.Since(time.Time{})) }`, 3},
		{`import "time"; var t = time.Time{}.In(time.Local)`, 1},
		{`import "fmt"; func f() { fmt.Println() }`, 1},
		{`func f() { println() }`, 1},
		{`func f() { go f() }`, 1},
		{`func f() { select {} }`, 1},
		{`var x float64`, 1},
		{`var x = 1.5`, 1},
		{`import "strconv"; func f() { strconv.ParseFloat("", 8 * 8) }`, 1},
		{`import "encoding/json"; func f(n json.Number) { n.Float64() }`, 1},
		{`import "maps"; var s = maps.Keys(map[int]int{})`, 1},
		{`import ("maps"; "slices"); var s = slices.Collect(maps.Keys(map[int]int{}))`, 1},
		{`import ("maps"; "slices"; "time"); var s, t = slices.Sorted(maps.Keys(map[int]int{})), 5 * time.Second`, 0},
		{`import ("encoding/json"; "fmt"); func Now() string { return fmt.Sprint(json.Valid(nil), Now()) }`, 0},
	}
	for _, tt := range tests {
		if faults := impurities(t, "example.go", "package domain; "+tt.body); len(faults) != tt.want {
			t.Errorf("%s: %d faults, want %d: %q", tt.body, len(faults), tt.want, faults)
		}
	}
}

// impurities are the places of a file that break the promise of the package.
func impurities(t *testing.T, name, source string) []string {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	c := purityCheck{files: files, imports: map[string]string{}, ordered: map[ast.Node]bool{}}
	for _, spec := range file.Imports {
		c.importSpec(spec)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		c.node(n)
		return true
	})
	return c.faults
}

type purityCheck struct {
	files   *token.FileSet
	imports map[string]string // name in this file → path
	ordered map[ast.Node]bool // arguments of what sorts them
	faults  []string
}

func (c *purityCheck) fault(n ast.Node, format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf("%s: ", c.files.Position(n.Pos()))+fmt.Sprintf(format, args...))
}

func (c *purityCheck) importSpec(spec *ast.ImportSpec) {
	path, _ := strconv.Unquote(spec.Path.Value)
	name := path[strings.LastIndex(path, "/")+1:]
	if spec.Name != nil {
		name = spec.Name.Name
	}
	if !slices.Contains(pureImports, path) || name == "." {
		c.fault(spec, "imports %s", path)
	}
	c.imports[name] = path
}

func (c *purityCheck) node(n ast.Node) {
	switch n := n.(type) {
	case *ast.GoStmt:
		c.fault(n, "starts a goroutine")
	case *ast.SelectStmt:
		c.fault(n, "waits for whichever comes first")
	case *ast.BasicLit:
		if n.Kind == token.FLOAT || n.Kind == token.IMAG {
			c.fault(n, "binary fraction %s", n.Value)
		}
	case *ast.Ident:
		if binaryFraction.MatchString(n.Name) {
			c.fault(n, "binary fraction: %s", n.Name)
		}
	case *ast.CallExpr:
		c.call(n)
	case *ast.SelectorExpr:
		c.selector(n)
	}
}

func (c *purityCheck) call(call *ast.CallExpr) {
	if name, ok := call.Fun.(*ast.Ident); ok && (name.Name == "print" || name.Name == "println") {
		c.fault(call, "writes to standard error")
	}
	path, name := c.imported(call.Fun)
	if path != "slices" || !slices.Contains(orderingNames, name) {
		return
	}
	if argument, ok := call.Args[0].(*ast.CallExpr); ok {
		c.ordered[argument.Fun] = true
	}
}

func (c *purityCheck) selector(selector *ast.SelectorExpr) {
	path, name := c.imported(selector)
	switch {
	case slices.Contains(impureNames[path], name):
		c.fault(selector, "uses %s.%s", path, name)
	case path == "maps" && slices.Contains(unorderedNames, name) && !c.ordered[selector]:
		c.fault(selector, "uses the order of a map")
	}
}

// imported is the package and name that an expression like time.Now refers to.
func (c *purityCheck) imported(e ast.Expr) (path, name string) {
	selector, ok := e.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	qualifier, ok := selector.X.(*ast.Ident)
	if !ok {
		return "", ""
	}
	return c.imports[qualifier.Name], selector.Sel.Name
}
