package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

func ignore(Entry) error { return nil }

func newPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "ledger.jsonl")
}

func open(t *testing.T, path string) (*Ledger, []string) {
	t.Helper()
	var keys []string
	l, err := Open(path, Options{}, func(e Entry) error {
		keys = append(keys, e.CommandID)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, keys
}

func appendKeys(t *testing.T, l *Ledger, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if err := l.Append(Entry{Kind: Effect, CommandID: key}); err != nil {
			t.Fatal(err)
		}
	}
}

func closeLedger(t *testing.T, l *Ledger) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func addBytes(t *testing.T, path, text string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, fileMode)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestEntriesSurviveInOrder(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	l, keys := open(t, path)
	if len(keys) != 0 {
		t.Fatalf("a new ledger holds %v", keys)
	}
	appendKeys(t, l, "a", "b")
	closeLedger(t, l)
	l, keys = open(t, path)
	if got := strings.Join(keys, " "); got != "a b" {
		t.Errorf("replayed %q", got)
	}
	appendKeys(t, l, "c")
	entries, err := Read(path) // while it is open
	if err != nil || len(entries) != 3 || entries[2].CommandID != "c" {
		t.Errorf("read %v, %v", entries, err)
	}
}

func TestAnEntryIsReadBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	l, _ := open(t, path)
	now := time.Date(2026, 1, 15, 10, 0, 0, 123456789, time.UTC)
	want := Entry{
		Time: now, Kind: Accepted, CommandID: "k", WorkflowID: "wf", Service: "s", Step: "S", Action: "a",
		Direction: "EXECUTE", Effect: "e", Forward: "f", Fingerprint: "p", Memo: "m", Outcome: "SUCCEEDED",
		Answer: []byte(`{"outcome":"SUCCEEDED"}`), Callback: "http://c", DueAt: now.Add(time.Second),
	}
	if err := l.Append(want); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil || fmt.Sprint(got) != fmt.Sprint([]Entry{want}) {
		t.Errorf("got %v, %v\nwant %v", got, err, want)
	}
}

func TestATornLastLineIsCutOff(t *testing.T) {
	t.Parallel()
	long := `{"commandId":"` + strings.Repeat("long", 100)
	for _, torn := range []string{long, `{"kind":"EFF`, `{"kind":"EFFECT","commandId":"torn"}`, "\x00\x00\x00", "{\"kind\n"} {
		path := newPath(t)
		l, _ := open(t, path)
		appendKeys(t, l, "a")
		closeLedger(t, l)
		addBytes(t, path, torn)
		if entries, err := Read(path); err != nil || len(entries) != 1 {
			t.Errorf("%q: read %v, %v", torn, entries, err)
		}
		l, keys := open(t, path)
		if len(keys) != 1 {
			t.Errorf("%q: replayed %v", torn, keys)
		}
		if content, err := os.ReadFile(path); err != nil || bytes.Count(content, []byte("}")) != 1 || !bytes.HasSuffix(content, []byte("}\n")) {
			t.Errorf("%q: the file is %q, %v", torn, content, err)
		}
		appendKeys(t, l, "b")
		if entries, err := Read(path); err != nil || len(entries) != 2 || entries[1].CommandID != "b" {
			t.Errorf("%q: after another entry read %v, %v", torn, entries, err)
		}
	}
}

func TestADamagedLineInTheMiddleStopsTheStart(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	addBytes(t, path, "{\"commandId\":\"a\"}\nrubbish\n{\"commandId\":\"b\"}\n")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Options{}, ignore); err == nil || !strings.Contains(err.Error(), "line 2 is damaged") {
		t.Errorf("open: %v", err)
	}
	if _, err := Read(path); err == nil {
		t.Error("read: no error")
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed: %q, %v", after, err)
	}
}

func TestAReplayThatFailsStopsTheStart(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	addBytes(t, path, "{\"commandId\":\"a\"}\n")
	unknown := errors.New("unknown")
	if _, err := Open(path, Options{}, func(Entry) error { return unknown }); !errors.Is(err, unknown) {
		t.Errorf("got %v", err)
	}
	// The failed start must not keep the lock.
	open(t, path)
}

func TestReadNeedsAFile(t *testing.T) {
	t.Parallel()
	if _, err := Read(newPath(t)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestOnlyOneProcessAppends(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	l, _ := open(t, path)
	if _, err := Open(path, Options{}, ignore); err == nil {
		t.Fatal("opened twice")
	}
	closeLedger(t, l)
	open(t, path)
}

func TestOnlyTheOwnerReadsTheFile(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	open(t, path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != fileMode {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// While one batch is on its way to the disk, everything else that arrives
// shares the next one.
func TestConcurrentEntriesShareABatch(t *testing.T) {
	t.Parallel()
	const callers = 50
	path := newPath(t)
	l, _ := open(t, path)
	syncs := 0
	l.sync = func() error { syncs++; return nil }
	l.writing.Lock() // as if an fsync were under way

	var all sync.WaitGroup
	var returned atomic.Int64
	for i := range callers {
		all.Go(func() {
			if err := l.Append(Entry{Kind: Effect, CommandID: fmt.Sprint(i)}); err != nil {
				t.Error(err)
			}
			returned.Add(1)
		})
	}
	waitForLines(t, l, callers)
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Errorf("written before its turn: %v", err)
	}
	if n := returned.Load(); n != 0 {
		t.Errorf("%d callers were told that it is durable before it was", n)
	}
	l.writing.Unlock()
	all.Wait()
	if entries, err := Read(path); err != nil || len(entries) != callers {
		t.Errorf("read %d entries, %v", len(entries), err)
	}
	if syncs != 1 {
		t.Errorf("%d fsyncs for one batch", syncs)
	}
}

func TestAnEntryIsOnDiskBeforeAppendReturns(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	l, _ := open(t, path)
	var seen []string // what was in the file at each fsync
	fsync := l.sync
	l.sync = func() error {
		entries, err := Read(path)
		if err != nil {
			return err
		}
		seen = append(seen, entries[len(entries)-1].CommandID)
		return fsync()
	}
	appendKeys(t, l, "a", "b")
	if got := strings.Join(seen, " "); got != "a b" {
		t.Errorf("synced %q", got)
	}
	broken := errors.New("broken disk")
	l.sync = func() error { return broken }
	if err := l.Append(Entry{CommandID: "c"}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestWithoutSyncEntriesAreStillWritten(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	l, err := Open(path, Options{NoSync: true}, ignore)
	if err != nil {
		t.Fatal(err)
	}
	appendKeys(t, l, "a") // a kill -9 from here on loses nothing
	if entries, err := Read(path); err != nil || len(entries) != 1 {
		t.Errorf("read %v, %v", entries, err)
	}
	closeLedger(t, l)
}

// waitForLines waits until the open batch holds n lines.
func waitForLines(t *testing.T, l *Ledger, n int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		lines := 0
		if l.open != nil {
			lines = bytes.Count(l.open.lines, []byte("\n"))
		}
		l.mu.Unlock()
		if lines == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the open batch holds %d lines, want %d", lines, n)
		}
	}
}

func TestAFailedWriteStopsTheLedger(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	l, _ := open(t, path)
	appendKeys(t, l, "a")
	if err := l.file.Close(); err != nil { // the disk is gone
		t.Fatal(err)
	}
	first := l.Append(Entry{Kind: Effect, CommandID: "b"})
	if first == nil || !errors.Is(l.Err(), first) {
		t.Fatalf("append: %v, ledger: %v", first, l.Err())
	}
	if second := l.Append(Entry{Kind: Effect, CommandID: "c"}); !errors.Is(second, first) {
		t.Errorf("a later append: %v", second)
	}
	// A fresh start finds out what is on disk.
	if _, keys := open(t, path); len(keys) != 1 {
		t.Errorf("replayed %v", keys)
	}
}

func TestAClosedLedgerTakesNothing(t *testing.T) {
	t.Parallel()
	l, _ := open(t, newPath(t))
	closeLedger(t, l)
	closeLedger(t, l)
	if err := l.Append(Entry{}); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestOpenNeedsItsDirectory(t *testing.T) {
	t.Parallel()
	if _, err := Open(filepath.Join(t.TempDir(), "none", "l"), Options{}, ignore); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// One fsync for each entry at parallelism 1, shared ones above.
func BenchmarkAppend(b *testing.B) {
	for _, noSync := range []bool{false, true} {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("fsync=%t/callers=%d", !noSync, callers), func(b *testing.B) {
				l, err := Open(filepath.Join(b.TempDir(), "l"), Options{NoSync: noSync}, ignore)
				if err != nil {
					b.Fatal(err)
				}
				defer l.Close()
				e := Entry{Time: time.Now(), Kind: Effect, CommandID: "saga-1:1:S:execute", Answer: []byte(`{"outcome":"SUCCEEDED"}`)}
				b.SetParallelism(callers)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := l.Append(e); err != nil {
							b.Error(err)
						}
					}
				})
			})
		}
	}
}
