package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/ports"
)

// TestFullDisk limits the file instead of the disk; SQLite reports both alike.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "coordination.db"), Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	limit := func(pages int) {
		w := <-s.writer
		defer func() { s.writer <- w }()
		if _, err := w.conn.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	start := func(n int) error {
		large := func(c *ports.Change) { c.Events = make([]byte, 20_000) }
		return s.Commit(t.Context(), []ports.Change{contracttests.StartOf(n, large)})[0]
	}
	limit(60)
	written := 0
	for err == nil && written < 100 {
		if err = start(written); err == nil {
			written++
		}
	}
	if !errors.Is(err, ports.ErrUnavailable) || written == 0 {
		t.Fatalf("after %d commits on a small disk: %v", written, err)
	}
	if _, err := s.Load(t.Context(), contracttests.WorkflowID(written)); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("load of what did not fit: %v", err)
	}
	limit(10_000)
	for n := written; n < written+10; n++ {
		if err := start(n); err != nil {
			t.Errorf("commit %d after space returned: %v", n, err)
		}
	}
	if page, err := s.List(t.Context(), ports.ListQuery{Limit: 1}); err != nil || page.Total != written+10 {
		t.Errorf("listed %d of %d workflows, %v", page.Total, written+10, err)
	}
}

func TestOpenRefusesAnotherSchema(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a b?#%41é.db")
	if _, err := Open(t.Context(), Config{Path: path}); !errors.Is(err, ErrSchema) {
		t.Errorf("open of an empty file: %v", err)
	}
	if list, err := MigrationStatus(t.Context(), path); err != nil || len(list) == 0 || list[0].Applied {
		t.Errorf("status of an empty file is %v, %v", list, err)
	}
	if err := Migrate(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if list, err := MigrationStatus(t.Context(), path); err != nil || !list[len(list)-1].Applied {
		t.Errorf("status of a migrated file is %v, %v", list, err)
	}
	s, err := Open(t.Context(), Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "a b*")); err != nil || len(files) == 0 {
		t.Errorf("the file is not where it should be: %v", err)
	}
}

func TestCloseWhileWriting(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "coordination.db"), Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	first, ended := make(chan struct{}), make(chan error)
	go func() {
		for n := 0; ; n++ {
			if err := s.Commit(t.Context(), []ports.Change{contracttests.StartOf(n)})[0]; err != nil {
				ended <- err
				return
			}
			if n == 0 {
				close(first)
			}
		}
	}()
	<-first
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-ended; !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("commit on a closed store: %v", err)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("ping of a closed store: %v", err)
	}
}
