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
	first := s.first()
	_ = syscall.Kill(-s.keeper.Process.Pid, syscall.SIGKILL)
	// Each of the server's own children has a group of its own. Most see that it
	// is gone and follow; one that stopped in the middle, on a full disk, does not.
	// Until all are gone the data is not free.
	for until := time.Now().Add(stopTimeout); time.Now().Before(until); time.Sleep(pollEvery) {
		pids := s.running()
		if len(pids) == 0 && !alive(first) {
			break
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	_ = s.keeper.Wait()
	_ = s.leash.Close()
	s.leash = nil
}

// first is the server's first process by its lock file, which a new server asks
// too: one that has ended and was not yet waited for counts. 0 if there is none.
func (s *Server) first() int {
	lock, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(lock), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		return 0
	}
	return pid
}

func alive(pid int) bool { return pid > 0 && syscall.Kill(pid, 0) == nil }

// running are the processes of the server, which all work in its data directory.
func (s *Server) running() []int {
	var pids []int
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range links {
		if dir, err := os.Readlink(link); err != nil || dir != s.data() {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
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
