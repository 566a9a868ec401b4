// Package kafkatest gives tests and benchmarks a real Kafka, as a process of
// its own that can be killed, started again and robbed of its data. It needs
// what scripts/need-kafka sets up.
package kafkatest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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
	clusterID    = "Y29vcmRpbmF0aW9uLXRlcw" // 16 bytes in base64, which Kafka wants
)

// errNoServer says what to do about a machine without Kafka. Tests fail with it
// rather than skip: a bus that was not tested is not known to work.
var errNoServer = errors.New("kafkatest: no Kafka found; run scripts/need-kafka, which fetches it")

// Server is a Kafka cluster of one broker that is its own controller.
type Server struct {
	libs, dir           string
	clients, controller int // ports

	mu  sync.Mutex
	cmd *exec.Cmd
	log *os.File
}

// Start starts a server of the test's own, which ends with the test. It fails
// the test if there is none to be had.
func Start(tb testing.TB) *Server {
	tb.Helper()
	testserver.Need(tb, "kafka")
	s, err := Run(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Kill)
	return s
}

// Run starts a server that keeps its files in dir, until Kill.
func Run(dir string) (*Server, error) {
	_, file, _, _ := runtime.Caller(0)
	libs := filepath.Join(filepath.Dir(file), "../../../../tools/kafka/target/libs")
	if _, err := os.Stat(filepath.Join(libs, "complete")); err != nil {
		return nil, errNoServer
	}
	s := &Server{libs: libs, dir: dir}
	ports, err := testserver.Ports(2)
	if err != nil {
		return nil, err
	}
	s.clients, s.controller = ports[0], ports[1]
	if err := os.WriteFile(s.settings(), []byte(s.properties()), 0o600); err != nil {
		return nil, err
	}
	if err := s.format(); err != nil {
		return nil, err
	}
	return s, s.start()
}

// URL is where the server is, now and after every restart.
func (s *Server) URL() string { return "kafka://" + s.address() }

func (s *Server) address() string { return testserver.Address(s.clients) }

func (s *Server) settings() string { return filepath.Join(s.dir, "server.properties") }

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) properties() string {
	return fmt.Sprintf(`process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
listeners=PLAINTEXT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=PLAINTEXT://127.0.0.1:%[1]d
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=%[3]s
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
log.segment.bytes=16777216
`, s.clients, s.controller, s.data())
}

// java is a program of Kafka.
func (s *Server) java(class string, args ...string) *exec.Cmd {
	cmd := exec.Command("java", append([]string{"-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", s.libs + "/*", class}, args...)...)
	cmd.Dir = s.dir
	return cmd
}

// format makes empty data.
func (s *Server) format() error {
	out, err := s.java("kafka.tools.StorageTool", "format", "-t", clusterID, "-c", s.settings()).CombinedOutput()
	if err != nil {
		return fmt.Errorf("kafkatest: format: %w: %s", err, out)
	}
	return nil
}

// start starts the process and waits until the broker accepts clients, which
// it does when it has caught up.
func (s *Server) start() error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd := s.java("kafka.Kafka", s.settings())
	cmd.Stdout, cmd.Stderr = log, log
	if err := testserver.Start(cmd); err != nil {
		return errors.Join(fmt.Errorf("kafkatest: start: %w", err), log.Close())
	}
	s.mu.Lock()
	s.cmd, s.log = cmd, log
	s.mu.Unlock()
	for until := time.Now().Add(startTimeout); !s.ready(); time.Sleep(pollEvery) {
		if time.Now().After(until) {
			s.Kill()
			said, _ := os.ReadFile(log.Name())
			return fmt.Errorf("kafkatest: the server did not start: %s", said[max(0, len(said)-4096):])
		}
	}
	return nil
}

// ready reports whether the broker answers a request for its versions.
func (s *Server) ready() bool {
	conn, err := net.DialTimeout("tcp", s.address(), time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	// Length 10; key 18 (ApiVersions), version 0, correlation 1, no client ID.
	if _, err := conn.Write([]byte{0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff}); err != nil {
		return false
	}
	answer := make([]byte, 4)
	_, err = conn.Read(answer)
	return err == nil
}

// Kill ends the server without warning.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Stop ends the server in good order. It may be called twice.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

func (s *Server) end(signal os.Signal) {
	s.mu.Lock()
	cmd, log := s.cmd, s.log
	s.cmd = nil
	s.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Signal(signal)
	late := time.AfterFunc(stopTimeout, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // how it ends does not matter
	late.Stop()
	_ = log.Close()
}

// Restart starts the server again after Kill, with the data it had.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	if err := s.start(); err != nil {
		tb.Fatal(err)
	}
}

// Wipe gives a server that is not running new and empty data.
func (s *Server) Wipe(tb testing.TB) {
	tb.Helper()
	err := os.RemoveAll(s.data())
	if err == nil {
		err = s.format()
	}
	if err != nil {
		tb.Fatal(err)
	}
}
