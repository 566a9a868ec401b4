package harness

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/testserver"
)

// Limits of processes.
const (
	// EndTimeout is how long a killed process may take to be gone.
	EndTimeout = 10 * time.Second
	// shownLog of a process is printed when its test has failed.
	shownLog = 16 << 10
)

// crashed recognises what a Go program says when it dies of itself.
var crashed = regexp.MustCompile(`(?m)^(panic:|fatal error:|unexpected fault address|WARNING: DATA RACE)|"msg":"panic|msg="?panic`)

// Program is how to start a process.
type Program struct {
	// Path of the executable.
	Path string
	Args []string
	// Dir is where it runs; that of this process if empty.
	Dir string
	// Env is added to this process's environment, less what configures a coordinator.
	Env []string
}

// Process is a running program. Its methods may be called at the same time.
type Process struct {
	program Program
	cmd     *exec.Cmd
	out     output // standard output
	errs    output // standard error
	ended   chan struct{}
}

// Start starts a program. The test's end kills it, prints the end of its log if
// the test failed, and fails the test if it has panicked.
func Start(tb testing.TB, program Program) *Process {
	tb.Helper()
	p := &Process{program: program, ended: make(chan struct{})}
	p.cmd = exec.Command(program.Path, program.Args...)
	p.cmd.Dir, p.cmd.Env = program.Dir, append(environment(), program.Env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.errs
	if err := testserver.Start(p.cmd); err != nil {
		tb.Fatalf("start %s: %v", program.Path, err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // ProcessState says how it ended
	}()
	tb.Cleanup(func() { p.finish(tb) })
	return p
}

// environment is that of this process without settings of a coordinator or of
// OpenTelemetry.
func environment() []string {
	var kept []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "COORDINATION_") && !strings.HasPrefix(v, "OTEL_") {
			kept = append(kept, v)
		}
	}
	return kept
}

// PID is the process's identifier.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended is closed when the process is gone.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Kill ends the process as kill -9 does, and returns when it is gone. It may be
// called twice.
func (p *Process) Kill(tb testing.TB) {
	tb.Helper()
	p.signal(syscall.SIGKILL)
	p.Wait(tb, EndTimeout)
}

// Pause stops the process in its tracks (SIGSTOP) until Continue.
func (p *Process) Pause() { p.signal(syscall.SIGSTOP) }

// Continue lets a paused process go on.
func (p *Process) Continue() { p.signal(syscall.SIGCONT) }

// Terminate asks the process to end (SIGTERM).
func (p *Process) Terminate() { p.signal(syscall.SIGTERM) }

func (p *Process) signal(s syscall.Signal) {
	select {
	case <-p.ended: // its identifier may be somebody else's by now
	default:
		_ = p.cmd.Process.Signal(s) // it may end in this moment
	}
}

// Wait returns the exit code when the process is gone, -1 if a signal ended it.
func (p *Process) Wait(tb testing.TB, limit time.Duration) int {
	tb.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(limit):
		tb.Fatalf("%s did not end within %s; its log ends with\n%s", p, limit, p.errs.tail(shownLog))
		return 0
	}
}

// Stdout is what the process has written to its standard output.
func (p *Process) Stdout() string { return p.out.String() }

// Log is what the process has written to its standard error.
func (p *Process) Log() string { return p.errs.String() }

// String names the process.
func (p *Process) String() string {
	name := p.program.Path[strings.LastIndexByte(p.program.Path, '/')+1:]
	if len(p.program.Args) > 0 {
		name += " " + p.program.Args[0]
	}
	return fmt.Sprintf("%s (pid %d)", name, p.PID())
}

// finish is the end of the process with its test.
func (p *Process) finish(tb testing.TB) {
	p.signal(syscall.SIGKILL)
	select {
	case <-p.ended:
	case <-time.After(EndTimeout):
		tb.Errorf("%s cannot be killed", p)
	}
	if trace := crashed.FindString(p.Log()); trace != "" {
		tb.Errorf("%s has crashed (%q)", p, trace)
	}
	if tb.Failed() {
		tb.Logf("log of %s:\n%s", p, p.errs.tail(shownLog))
	}
}

// Output runs a program to its end and returns its exit code and what it wrote.
func Output(tb testing.TB, program Program, limit time.Duration) (code int, stdout, stderr string) {
	tb.Helper()
	p := Start(tb, program)
	code = p.Wait(tb, limit)
	return code, p.Stdout(), p.Log()
}

// output keeps what a process writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

var errFlood = errors.New("the process writes more than a test can keep")

// maxOutput of a process is kept: more is a fault of its own.
const maxOutput = 256 << 20

func (o *output) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.text.Len()+len(data) > maxOutput {
		return 0, errFlood
	}
	return o.text.Write(data)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) tail(limit int) string {
	text := o.String()
	if len(text) > limit {
		return "…" + text[len(text)-limit:]
	}
	return text
}
