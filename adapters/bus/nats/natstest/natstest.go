// Package natstest gives tests and benchmarks a real NATS server with
// JetStream, as a process of its own that can be killed, started again and
// robbed of its data.
package natstest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/testserver"
)

const (
	buildTimeout = 5 * time.Minute
	startTimeout = 20 * time.Second
	stopTimeout  = 10 * time.Second
	pollEvery    = 10 * time.Millisecond
)

// Server is a NATS server.
type Server struct {
	program, dir, address string

	mu  sync.Mutex
	cmd *exec.Cmd
}

// program builds the server once per process; the build cache keeps it.
var program = sync.OnceValues(func() (string, error) {
	_, file, _, _ := runtime.Caller(0)
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "tool", "-n", "nats-server")
	cmd.Dir = filepath.Join(filepath.Dir(file), "../../../../tools/nats")
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("build nats-server in %s: %w: %s", cmd.Dir, err, problems.String())
	}
	return strings.TrimSpace(string(out)), nil
})

// Start starts a server of the test's own, which ends with the test. It fails
// the test if there is none to be had.
func Start(tb testing.TB) *Server {
	tb.Helper()
	testserver.Need(tb, "nats")
	s, err := Run(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Stop)
	return s
}

// Run starts a server that keeps its data in dir.
func Run(dir string) (*Server, error) {
	path, err := program()
	if err != nil {
		return nil, err
	}
	ports, err := testserver.Ports(1)
	if err != nil {
		return nil, err
	}
	s := &Server{program: path, dir: filepath.Join(dir, "jetstream"), address: testserver.Address(ports[0])}
	return s, s.start()
}

// URL is where the server is, now and after every restart.
func (s *Server) URL() string { return "nats://" + s.address }

// start starts the process and waits until it accepts connections.
func (s *Server) start() error {
	host, port, err := net.SplitHostPort(s.address)
	if err != nil {
		return err
	}
	cmd := exec.Command(s.program, "--addr", host, "--port", port, "--jetstream", "--store_dir", s.dir)
	if err := testserver.Start(cmd); err != nil {
		return fmt.Errorf("start nats-server: %w", err)
	}
	s.mu.Lock()
	s.cmd = cmd
	s.mu.Unlock()
	for until := time.Now().Add(startTimeout); ; time.Sleep(pollEvery) {
		if s.ready() {
			return nil
		}
		if time.Now().After(until) {
			s.Kill()
			return fmt.Errorf("nats-server does not listen on %s", s.address)
		}
	}
}

// ready reports whether the server greets with JetStream enabled.
func (s *Server) ready() bool {
	conn, err := net.DialTimeout("tcp", s.address, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	greeting := make([]byte, 4096)
	n, _ := conn.Read(greeting)
	return strings.Contains(string(greeting[:n]), `"jetstream":true`)
}

// Kill ends the process without warning.
func (s *Server) Kill() { s.end(os.Kill) }

// Stop ends the process in good order. It may be called twice.
func (s *Server) Stop() { s.end(os.Interrupt) }

func (s *Server) end(signal os.Signal) {
	s.mu.Lock()
	cmd := s.cmd
	s.cmd = nil
	s.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Signal(signal)
	late := time.AfterFunc(stopTimeout, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	_ = cmd.Wait()
}

// Restart starts the server again after Kill or Stop, with the data it had.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	if err := s.start(); err != nil {
		tb.Fatal(err)
	}
}

// Wipe removes the data of a server that is not running.
func (s *Server) Wipe(tb testing.TB) {
	tb.Helper()
	if err := os.RemoveAll(s.dir); err != nil {
		tb.Fatal(err)
	}
}
