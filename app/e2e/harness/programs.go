package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// The programs, as Go packages.
const (
	coordinatorPackage  = "github.com/firstviscount/platform-coordination/app/cmd/coordinator"
	participantsPackage = "github.com/firstviscount/platform-coordination/examples/participants"
)

// built are the executables, built by the first test that needs them.
var built struct {
	sync.Mutex
	dir string
	err error
}

// Run runs the tests of a package and removes the executables. Give its result
// to os.Exit.
func Run(m *testing.M) int {
	code := m.Run()
	built.Lock()
	defer built.Unlock()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir) // a temporary directory
	}
	return code
}

// CoordinatorPath is the executable of the coordinator.
func CoordinatorPath(tb testing.TB) string {
	tb.Helper()
	return executable(tb, "coordinator")
}

func participantsPath(tb testing.TB) string {
	tb.Helper()
	return executable(tb, "participants")
}

func executable(tb testing.TB, name string) string {
	tb.Helper()
	built.Lock()
	defer built.Unlock()
	if built.dir == "" && built.err == nil {
		built.dir, built.err = build()
	}
	if built.err != nil {
		tb.Fatal(built.err)
	}
	return filepath.Join(built.dir, name)
}

// build builds all executables in one go.
func build() (dir string, err error) {
	dir, err = os.MkdirTemp("", "coordination-e2e-")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", dir+string(filepath.Separator), coordinatorPackage, participantsPackage)
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("build the programs: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return dir, nil
}
