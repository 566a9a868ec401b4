// Package rabbittest gives tests and benchmarks a real RabbitMQ server, as a
// process of its own that can be killed, started again and robbed of its data.
// It needs the programs that scripts/need-rabbitmq installs.
package rabbittest

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/testserver"
)

const (
	startTimeout = 90 * time.Second
	stopTimeout  = 20 * time.Second
	pollEvery    = 20 * time.Millisecond
)

// nodeName is the same for all servers: each has a name service of its own.
const nodeName = "coordination@localhost"

// settings are the server's own, as in rabbitmq.conf. A test machine's disk may
// be nearly full.
const settings = "disk_free_limit.absolute = 16MB\n"

// greeting is how a client of AMQP 0-9-1 opens a connection.
const greeting = "AMQP\x00\x00\x09\x01"

// Server is a RabbitMQ server.
type Server struct {
	programs programs
	dir      string
	ports    []int // of clients, of other nodes, of the name service

	mu    sync.Mutex
	node  *exec.Cmd
	names *exec.Cmd
}

// Start starts a server of the test's own, which ends with the test. It fails
// the test if there is none to be had.
func Start(tb testing.TB) *Server {
	tb.Helper()
	testserver.Need(tb, "rabbitmq")
	s, err := Run(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Kill)
	return s
}

// Run starts a server that keeps its files in dir, until Stop or Kill.
func Run(dir string) (*Server, error) {
	found, err := find()
	if err != nil {
		return nil, err
	}
	s := &Server{programs: found, dir: dir}
	if s.ports, err = testserver.Ports(3); err != nil {
		return nil, err
	}
	for name, content := range map[string]string{"rabbitmq.conf": settings, "plugins": "[].\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	return s, s.start()
}

// URL is where the server is, now and after every restart.
func (s *Server) URL() string { return "amqp://guest:guest@" + s.address() + "/" }

func (s *Server) address() string { return testserver.Address(s.ports[0]) }

// start starts the processes and waits until the server greets.
func (s *Server) start() error {
	names := s.command(s.programs.epmd, "-address", "127.0.0.1", "-port", strconv.Itoa(s.ports[2]))
	if err := testserver.Start(names); err != nil {
		return fmt.Errorf("rabbittest: start the name service: %w", err)
	}
	node := s.command(s.programs.server)
	var said output
	node.Stdout, node.Stderr = &said, &said
	if err := testserver.Start(node); err != nil {
		kill(names)
		return fmt.Errorf("rabbittest: start the server: %w", err)
	}
	s.mu.Lock()
	s.node, s.names = node, names
	s.mu.Unlock()
	for until := time.Now().Add(startTimeout); !s.ready(); time.Sleep(pollEvery) {
		if time.Now().After(until) || !alive(node) {
			s.Kill()
			return fmt.Errorf("rabbittest: the server did not start: %s", said.tail())
		}
	}
	return nil
}

// alive reports whether a process that nobody waits for has not ended.
func alive(cmd *exec.Cmd) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "stat"))
	if err != nil { // no such file system: the time limit will tell
		return true
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

// command is a program in the server's surroundings.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(),
		"HOME="+s.dir, // where the nodes' shared secret is kept
		"ERL_EPMD_PORT="+strconv.Itoa(s.ports[2]), "ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_NODENAME="+nodeName,
		"RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", "RABBITMQ_NODE_PORT="+strconv.Itoa(s.ports[0]),
		"RABBITMQ_DIST_PORT="+strconv.Itoa(s.ports[1]),
		"RABBITMQ_MNESIA_BASE="+s.data(), "RABBITMQ_LOG_BASE="+filepath.Join(s.dir, "log"),
		"RABBITMQ_CONFIG_FILE="+filepath.Join(s.dir, "rabbitmq.conf"), "RABBITMQ_CONF_ENV_FILE=/dev/null",
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(s.dir, "plugins"),
		"RABBITMQ_PID_FILE="+filepath.Join(s.dir, "pid"),
		// Busy waiting would take the processor from the tests.
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}",
		"RUNNING_UNDER_SYSTEMD=1", // the script becomes the server, so that its pid is the server's
	)
	cmd.WaitDelay = time.Second // helpers of the server may hold its output open
	return cmd
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// ready reports whether the server answers a client's greeting.
func (s *Server) ready() bool {
	conn, err := net.DialTimeout("tcp", s.address(), time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(conn, greeting); err != nil {
		return false
	}
	frame := make([]byte, 1)
	_, err = io.ReadFull(conn, frame)
	return err == nil && frame[0] == 1 // a method
}

// Kill ends the server without warning.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Stop ends the server in good order. It may be called twice.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

func (s *Server) end(signal os.Signal) {
	s.mu.Lock()
	node, names := s.node, s.names
	s.node, s.names = nil, nil
	s.mu.Unlock()
	if node == nil {
		return
	}
	_ = node.Process.Signal(signal)
	late := time.AfterFunc(stopTimeout, func() { _ = node.Process.Kill() })
	_ = node.Wait() // how it ends does not matter
	late.Stop()
	kill(names)
}

func kill(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
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
	if err := os.RemoveAll(s.data()); err != nil {
		tb.Fatal(err)
	}
}
