package pgtest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/testserver"
)

// Kill ends a server of one's own without warning. Its data stays.
func (s *Server) Kill() {
	if s.leash == nil {
		return
	}
	pids := append(s.children(), s.keeper.Process.Pid)
	_ = syscall.Kill(-s.keeper.Process.Pid, syscall.SIGKILL)
	_ = s.keeper.Wait()
	_ = s.leash.Close()
	s.leash = nil
	// The server's own children see that it is gone and follow; until then the
	// data is not free.
	for until := time.Now().Add(stopTimeout); time.Now().Before(until) && anyAlive(pids); time.Sleep(pollEvery) {
	}
}

// children are the processes of the server besides the first, by the pid in its
// lock file.
func (s *Server) children() []int {
	lock, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return nil
	}
	first, _, _ := strings.Cut(string(lock), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		return nil
	}
	list, _ := os.ReadFile(filepath.Join("/proc", first, "task", first, "children"))
	pids := []int{pid}
	for child := range strings.FieldsSeq(string(list)) {
		if pid, err := strconv.Atoi(child); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func anyAlive(pids []int) bool {
	for _, pid := range pids {
		if syscall.Kill(pid, 0) == nil {
			return true
		}
	}
	return false
}

// Restart starts the server again after Kill, where it was, with the data it had.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	if err := s.start(); err != nil {
		tb.Fatalf("pgtest: restart: %v", err)
	}
}

// Wipe gives a server that was killed new and empty data.
func (s *Server) Wipe(tb testing.TB) {
	tb.Helper()
	err := os.RemoveAll(s.data())
	if err == nil {
		err = s.initialise()
	}
	if err != nil {
		tb.Fatalf("pgtest: wipe: %v", err)
	}
}

// StartFor starts a server that ends with a test, which may treat it badly.
func StartFor(tb testing.TB) *Server {
	tb.Helper()
	return StartIn(tb, "")
}

// StartIn is StartFor with its files in a directory below dir; "" is that for
// temporary files.
func StartIn(tb testing.TB, dir string) *Server {
	tb.Helper()
	testserver.Need(tb, "postgres")
	s, err := Start(Options{Dir: dir})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		s.Stop()
		_ = os.RemoveAll(s.dir) // a killed keeper left it
	})
	return s
}
