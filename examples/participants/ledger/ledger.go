package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// ErrClosed is returned by Append after Close.
var ErrClosed = errors.New("the ledger is closed")

// fileMode keeps callback URLs, which are secrets, from other users.
const fileMode = 0o600

// Options of a ledger; the zero value is the safe choice.
type Options struct {
	// NoSync leaves the moment of writing to disk to the operating system: a
	// killed process loses nothing, a power failure may. For benchmarks.
	NoSync bool
}

// Ledger appends entries to a file. It is safe for concurrent use; the file is
// locked against other processes where the operating system can.
//
// After a failed write nobody knows what is on disk. The ledger then refuses
// everything until it is opened again, because only the file can tell.
type Ledger struct {
	file *os.File
	sync func() error // makes durable what was written

	// writing is held by the goroutine that writes a batch.
	writing sync.Mutex

	mu     sync.Mutex
	open   *batch // collects lines while an earlier batch is being written
	failed error  // set once, never cleared
}

// batch is a group of lines that share one write and one fsync.
type batch struct {
	lines []byte
	done  chan struct{}
	err   error // to be read after done
}

// Open opens or creates the file and hands every entry to replay, oldest
// first. A torn last line, left by a crash in the middle of a write, was never
// acknowledged: it is cut off. Any other unreadable line is an error.
func Open(path string, opts Options, replay func(Entry) error) (*Ledger, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	if err := prepare(file, replay); err != nil {
		return nil, errors.Join(fmt.Errorf("open ledger %s: %w", path, err), file.Close())
	}
	l := &Ledger{file: file, sync: file.Sync}
	if opts.NoSync {
		l.sync = func() error { return nil }
	}
	return l, nil
}

func prepare(file *os.File, replay func(Entry) error) error {
	if err := lock(file); err != nil {
		return fmt.Errorf("another process has it open: %w", err)
	}
	intact, err := scan(file, replay)
	if err != nil {
		return err
	}
	// Otherwise the rest of the torn line would stay behind the next one.
	if err := file.Truncate(intact); err != nil {
		return err
	}
	if _, err := file.Seek(intact, io.SeekStart); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(file.Name()))
}

// Append writes one entry and returns when it is durable. An error means that
// the entry may or may not be on disk.
//
// Entries that arrive while a batch is being written form the next batch: a
// lone caller waits for one fsync and for nobody else, a hundred concurrent
// callers share about two.
func (l *Ledger) Append(e Entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode ledger entry: %w", err)
	}
	b, leads, err := l.join(append(line, '\n'))
	if err != nil {
		return err
	}
	if leads {
		l.flush(b)
	}
	<-b.done
	return b.err
}

// join adds a line to the open batch. Who opens a batch leads it.
func (l *Ledger) join(line []byte) (b *batch, leads bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return nil, false, l.failed
	}
	if l.open == nil {
		l.open = &batch{done: make(chan struct{})}
		leads = true
	}
	l.open.lines = append(l.open.lines, line...)
	return l.open, leads, nil
}

// flush waits for the batch before, then closes this one to newcomers and
// writes it.
func (l *Ledger) flush(b *batch) {
	l.writing.Lock()
	defer l.writing.Unlock()
	defer close(b.done)

	l.mu.Lock()
	l.open = nil
	b.err = l.failed
	l.mu.Unlock()

	if b.err == nil {
		b.err = l.write(b.lines)
	}
	if b.err != nil {
		l.fail(b.err)
	}
}

func (l *Ledger) write(lines []byte) error {
	if _, err := l.file.Write(lines); err != nil {
		return fmt.Errorf("write ledger: %w", err)
	}
	if err := l.sync(); err != nil {
		return fmt.Errorf("sync ledger: %w", err)
	}
	return nil
}

// fail remembers the first failure.
func (l *Ledger) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == nil {
		l.failed = err
	}
}

// Err returns why the ledger takes no more entries, or nil if it does.
func (l *Ledger) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// Close waits for the batch in flight and closes the file. Closing twice is
// harmless.
func (l *Ledger) Close() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if errors.Is(l.Err(), ErrClosed) {
		return nil
	}
	l.fail(ErrClosed)
	err := l.file.Close()
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
