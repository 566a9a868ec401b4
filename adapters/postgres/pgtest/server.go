package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/firstviscount/platform-coordination/adapters/testserver"
)

// Limits of starting and stopping a server.
const (
	startTimeout = 60 * time.Second
	stopTimeout  = 30 * time.Second
	pollEvery    = 10 * time.Millisecond
)

// errNoServer says what to do about a machine without Postgres. Tests fail
// with it rather than skip: a store that was not tested is not known to work.
var errNoServer = errors.New("pgtest: no Postgres server found (initdb, postgres); on Debian: apt-get install postgresql-15; " +
	"or set " + ServerEnv + " to the URL of a running server")

// Options of a server of one's own.
type Options struct {
	// NoFsync gives up durability for speed. Never use it to measure.
	NoFsync bool
	// Dir is where the server's own directory is made; "" is that for temporary files.
	Dir string
	// Settings are further settings, as in postgresql.conf.
	Settings map[string]string
}

// Server is a Postgres server in a directory of its own.
type Server struct {
	address *url.URL
	dir     string // "" if somebody else runs the server

	bin     string              // where its programs are
	account *syscall.Credential // that it runs as
	args    []string            // of the server

	keeper *exec.Cmd
	leash  io.Closer // closing it stops the server
	log    *bytes.Buffer
}

// keeperScript runs the server as a child and stops it by its own pid as soon
// as standard input ends, which it does however this process ends.
const keeperScript = `
"$0" "$@" </dev/null & pid=$!
trap '' INT TERM HUP
cat >/dev/null
kill -INT $pid 2>/dev/null
wait $pid
rm -rf "$COORDINATION_PGTEST_DIR"`

// Start creates and starts a server. Most tests want Migrated instead.
func Start(o Options) (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	account, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(o.Dir, "pgtest-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin, account: account, log: &bytes.Buffer{}}
	if err := s.create(o); err != nil {
		s.Stop()
		os.RemoveAll(dir)
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	return s, nil
}

// create makes a server in its directory and starts it.
func (s *Server) create(o Options) error {
	if s.account != nil {
		if err := os.Chown(s.dir, int(s.account.Uid), int(s.account.Gid)); err != nil {
			return err
		}
	}
	ports, err := testserver.Ports(1)
	if err != nil {
		return err
	}
	s.address = &url.URL{
		Scheme: "postgres", User: url.User("postgres"),
		Host: testserver.Address(ports[0]), Path: "/postgres", RawQuery: "sslmode=disable",
	}
	s.args = append([]string{"-D", s.data()}, flags(s.dir, ports[0], o)...)
	if err := s.initialise(); err != nil {
		return err
	}
	return s.start()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// initialise makes the server's data.
func (s *Server) initialise() error {
	initdb := s.command(s.account, filepath.Join(s.bin, "initdb"), "-D", s.data(), "-U", "postgres", "-A", "trust",
		"-E", "UTF8", "--locale", "C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// start starts the server on the data that it has.
func (s *Server) start() (err error) {
	s.keeper = s.command(s.account, "/bin/sh", append([]string{"-c", keeperScript, filepath.Join(s.bin, "postgres")}, s.args...)...)
	s.keeper.Stdout, s.keeper.Stderr = s.log, s.log
	if s.leash, err = s.keeper.StdinPipe(); err != nil {
		return err
	}
	if err := s.keeper.Start(); err != nil {
		return err
	}
	return s.await()
}

// command runs a program of Postgres, which refuses to be root.
func (s *Server) command(account *syscall.Credential, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "COORDINATION_PGTEST_DIR="+s.dir)
	// A group of its own: the interrupt of a terminal is for the tests.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: account, Setpgid: true}
	return cmd
}

func flags(dir string, port int, o Options) []string {
	settings := map[string]string{
		"port": strconv.Itoa(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": dir,
		"max_connections": "200", "shared_buffers": "256MB", "max_wal_size": "2GB",
		"log_min_messages": "fatal",
	}
	if o.NoFsync {
		settings["fsync"] = "off"
	}
	for name, value := range o.Settings {
		settings[name] = value
	}
	var args []string
	for name, value := range settings {
		args = append(args, "-c", name+"="+value)
	}
	return args
}

// await waits until the server answers.
func (s *Server) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, s.URL())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the server did not start: %w", err)
		}
	}
}

// Stop stops the server and removes its files. It may be called twice, and
// does nothing to a server that somebody else runs.
func (s *Server) Stop() {
	if s.leash == nil {
		return
	}
	s.leash.Close()
	s.leash = nil
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.keeper.Wait() // how a throw-away server ends does not matter
	}()
	select {
	case <-ended:
	case <-time.After(stopTimeout):
		_ = syscall.Kill(-s.keeper.Process.Pid, syscall.SIGKILL)
		<-ended
	}
}

// binaries finds the directory with the programs of the newest Postgres.
func binaries() (string, error) {
	var candidates []string
	if path, err := exec.LookPath("initdb"); err == nil {
		candidates = append(candidates, filepath.Dir(path))
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		candidates = append(candidates, strings.TrimSpace(string(out)))
	}
	installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(installed, func(a, b string) int { return majorVersion(b) - majorVersion(a) })
	return withServer(append(candidates, installed...))
}

// withServer is the first directory that has what a server needs.
func withServer(candidates []string) (string, error) {
	for _, dir := range candidates {
		if executable(filepath.Join(dir, "initdb")) && executable(filepath.Join(dir, "postgres")) {
			return dir, nil
		}
	}
	return "", errNoServer
}

func majorVersion(bin string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	return n
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() && info.Mode()&0o111 != 0
}

// unprivileged is the account that root must run Postgres as; nil: ourselves.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 || runtime.GOOS == "windows" {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("pgtest: root cannot run Postgres and there is no user postgres: %w", errNoServer)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
