package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/examples/participants/ledger"
)

const (
	// asProgram turns the test binary into the program, so that tests can kill
	// a real process.
	asProgram = "PARTICIPANTS_TEST_AS_PROGRAM"
	patience  = 20 * time.Second
)

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is a running program.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	urls map[string]string
	errs bytes.Buffer
}

// spawn starts the program and waits until it says that it is ready.
func spawn(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0], args...)}
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.Stderr = &p.errs
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	if p.urls = readURLs(stdout); p.urls == nil {
		_ = p.cmd.Wait()
		t.Fatalf("the program did not get ready: %s", p.errs.String())
	}
	return p
}

// readURLs reads what the program prints until it is ready: nil if it never is.
func readURLs(stdout io.Reader) map[string]string {
	urls := map[string]string{}
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) == 1 {
			return urls
		}
		urls[fields[0]] = fields[1]
	}
	return nil
}

// end sends a signal and waits for the exit code; -1 after a kill.
func (p *process) end(sig syscall.Signal) int {
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Error(err)
	}
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

// post sends a command and returns the status and the answer.
func post(client *http.Client, url, body string) (int, string, error) {
	resp, err := client.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(answer), err
}

func newClient(t testing.TB) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

func reservation(key string) string {
	return fmt.Sprintf(`{"commandId":%q,"workflowId":"wf-1","direction":"EXECUTE","parameters":{"items":[{"productId":"p","quantity":1}]}}`, key)
}

func release(key string) string {
	return fmt.Sprintf(`{"commandId":"undo-%s","workflowId":"wf-1","direction":"COMPENSATE","forward":{"commandId":%q}}`, key, key)
}

// Killed again and again in the middle of load, and asked again after each
// restart: every command has its effect once, and no answer that was given is
// ever taken back.
func TestKillNineUnderLoad(t *testing.T) {
	t.Parallel()
	const (
		rounds  = 5
		callers = 8
		enough  = 200 // answers in a round before the kill
	)
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	book := &answers{given: map[string]string{}}
	for round := range rounds {
		p := spawn(t, "--service", "inventory-service", "--listen", "127.0.0.1:0", "--ledger", path)
		load(t, p, book, round, callers, enough)
	}
	p := spawn(t, "--service", "inventory-service", "--listen", "127.0.0.1:0", "--ledger", path)
	client := newClient(t)
	for key, first := range book.given {
		status, again, err := post(client, p.urls["inventory-service"]+"/reserve_inventory", reservation(key))
		if err != nil || status != http.StatusOK || again != first {
			t.Fatalf("%s was answered %s, after the restart %d %s, %v", key, first, status, again, err)
		}
	}
	if code := p.end(syscall.SIGTERM); code != exitOK {
		t.Errorf("exit %d after SIGTERM", code)
	}
	checkKilled(t, path, book)
}

// answers are what the callers were told.
type answers struct {
	mu    sync.Mutex
	given map[string]string
}

func (a *answers) add(key, body string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.given[key] = body
	return len(a.given)
}

// load sends commands, each twice, until the process is killed under them.
func load(t *testing.T, p *process, book *answers, round, callers, enough int) {
	client := newClient(t)
	var kill sync.Once
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for n := 0; ; n++ {
				key := fmt.Sprintf("k-%d-%d-%d", round, caller, n)
				for range 2 {
					status, body, err := post(client, p.urls["inventory-service"]+"/reserve_inventory", reservation(key))
					if err != nil {
						return // killed
					}
					if status != http.StatusOK {
						t.Errorf("%d %s", status, body)
						return
					}
					if book.add(key, body) >= (round+1)*enough {
						kill.Do(func() { p.end(syscall.SIGKILL) })
					}
				}
			}
		})
	}
	all.Wait()
}

func checkKilled(t *testing.T, path string, book *answers) {
	t.Helper()
	entries, err := ledger.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range ledger.Check(entries) {
		t.Error(f)
	}
	effects := map[string]bool{}
	for _, e := range entries {
		effects[e.CommandID] = e.Kind == ledger.Effect
	}
	for key := range book.given {
		if !effects[key] {
			t.Errorf("%s was answered and has no effect", key)
		}
	}
	t.Logf("%d answers, %d effects", len(book.given), len(effects))
}

// A process killed between an undo and its answer, or between ACCEPTED and the
// callback, goes on where it was.
func TestKillNineForgetsNoTombstoneAndNoPromise(t *testing.T) {
	t.Parallel()
	taken := make(chan string, 8)
	closed := make(chan struct{})
	t.Cleanup(func() { close(closed) })
	coordinator := startServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		select {
		case taken <- string(body):
		case <-closed:
		}
	}))
	dir := t.TempDir()
	args := []string{"--all", "--listen", "127.0.0.1:0", "--ledger-dir", dir}
	client := newClient(t)

	p := spawn(t, args...)
	if status, body, err := post(client, p.urls["inventory-service"]+"/release_reservation", release("late")); status != http.StatusOK {
		t.Fatal(status, body, err)
	}
	parcel := fmt.Sprintf(`{"commandId":"parcel","direction":"EXECUTE","parameters":{"items":[{"productId":"p","quantity":1}]},"callback":{"url":%q}}`, coordinator)
	if status, body, err := post(client, p.urls["delivery-service"]+"/receive_item", parcel); status != http.StatusAccepted {
		t.Fatal(status, body, err)
	}
	p.end(syscall.SIGKILL)

	p = spawn(t, args...)
	status, body, err := post(client, p.urls["inventory-service"]+"/reserve_inventory", reservation("late"))
	if status != http.StatusUnprocessableEntity || !strings.Contains(body, "ALREADY_COMPENSATED") {
		t.Errorf("late execution: %d %s %v", status, body, err)
	}
	select {
	case answer := <-taken:
		if !strings.Contains(answer, `"outcome":"SUCCEEDED"`) {
			t.Errorf("called back with %s", answer)
		}
	case <-time.After(patience):
		t.Fatal("no callback after the restart")
	}
}

// startServer serves until the test ends and returns the URL.
func startServer(t *testing.T, handler http.Handler) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return "http://" + listener.Addr().String()
}

func TestAllServicesInOneProcess(t *testing.T) {
	t.Parallel()
	p := spawn(t, "--all", "--listen", "127.0.0.1:0", "--ledger-dir", filepath.Join(t.TempDir(), "new", "dir"), "--fsync=false")
	if len(p.urls) != 5 {
		t.Errorf("services %v", p.urls)
	}
	client := newClient(t)
	for name, url := range p.urls {
		resp, err := client.Get(url + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || string(body) != `{"status":"UP"}` {
			t.Errorf("%s: %d %s %v", name, resp.StatusCode, body, err)
		}
	}
	if code := p.end(syscall.SIGTERM); code != exitOK {
		t.Errorf("exit %d: %s", code, p.errs.String())
	}
}

// A request whose body is still on its way when SIGTERM comes is answered.
func TestSigtermLetsRequestsFinish(t *testing.T) {
	t.Parallel()
	p := spawn(t, "--service", "inventory-service", "--listen", "127.0.0.1:0", "--ledger", filepath.Join(t.TempDir(), "l"))
	address := strings.TrimPrefix(p.urls["inventory-service"], "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := reservation("k")
	// The server asks for the body, so it is in the middle of the request.
	fmt.Fprintf(conn, "POST /reserve_inventory HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body))
	in := bufio.NewReader(conn)
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("got %q, %v", line, err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitUntilClosed(t, address)
	if _, err := io.WriteString(conn, body); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(in) // drained servers close their connections
	if err != nil || !bytes.Contains(rest, []byte(`"outcome":"SUCCEEDED"`)) {
		t.Errorf("got %q, %v", rest, err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, p.errs.String())
	}
}

// waitUntilClosed waits until nobody listens any more.
func waitUntilClosed(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		_ = conn.Close()
	}
	t.Fatal("still listening")
}

func TestAStartThatFailsSaysWhy(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	code, _, stderr := program(t.Context(), "--service", "order-service", "--listen", listener.Addr().String(), "--ledger", filepath.Join(t.TempDir(), "l"))
	if code != exitFailure || !strings.Contains(stderr, "address already in use") {
		t.Errorf("exit %d, %q", code, stderr)
	}
	code, _, stderr = program(t.Context(), "--service", "order-service", "--listen", "127.0.0.1:0", "--ledger", t.TempDir())
	if code != exitFailure || !strings.Contains(stderr, "ledger") {
		t.Errorf("exit %d, %q", code, stderr)
	}
}

func TestTheEndOfTheContextIsACleanStop(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("over before it began"))
	code, stdout, stderr := program(ctx, "--all", "--listen", "127.0.0.1:0", "--ledger-dir", t.TempDir())
	if code != exitOK || !strings.Contains(stdout, "ready") {
		t.Errorf("exit %d, %q, %q", code, stdout, stderr)
	}
}
