package pgtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) { os.Exit(Run(m)) }

func TestMissingServerSaysWhatToInstall(t *testing.T) {
	t.Parallel()
	_, err := withServer([]string{t.TempDir(), filepath.Join(t.TempDir(), "none")})
	if !errors.Is(err, errNoServer) || !strings.Contains(err.Error(), "apt-get install postgresql-15") {
		t.Errorf("without a server the error is %v", err)
	}
}

func TestServerIsDurable(t *testing.T) {
	t.Parallel()
	conn := connect(t, Empty(t))
	for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		var value string
		if err := conn.QueryRow(t.Context(), "SELECT current_setting($1)", setting).Scan(&value); err != nil {
			t.Fatal(err)
		}
		if value != "on" {
			t.Errorf("%s is %s", setting, value)
		}
	}
}

func TestSchemasAreApart(t *testing.T) {
	t.Parallel()
	one, other := connect(t, Migrated(t)), connect(t, Migrated(t))
	if _, err := one.Exec(t.Context(), "INSERT INTO templates VALUES ('hash', 'id', '')"); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := other.QueryRow(t.Context(), "SELECT count(*) FROM templates").Scan(&n); err != nil || n != 0 {
		t.Errorf("another schema has %d templates, %v", n, err)
	}
}

func TestRecycledIsEmpty(t *testing.T) {
	t.Parallel()
	for range 3 {
		t.Run("use", func(t *testing.T) {
			conn := connect(t, Recycled(t))
			var tables, rows int
			const applied = "SELECT count(*), (SELECT count(*) FROM templates) FROM coordination_schema"
			if err := conn.QueryRow(t.Context(), applied).Scan(&tables, &rows); err != nil || tables == 0 || rows != 0 {
				t.Errorf("%d migrations are applied, there are %d rows, %v", tables, rows, err)
			}
			if _, err := conn.Exec(t.Context(), "INSERT INTO templates VALUES ('hash', 'id', '')"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestStopLeavesNothing(t *testing.T) {
	t.Parallel()
	s, err := Start(Options{NoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	keeper := s.keeper.Process.Pid
	s.Stop()
	s.Stop()
	if _, err := os.Stat(s.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the server's directory is still there: %v", err)
	}
	if err := syscall.Kill(-keeper, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("processes of the server are still there: %v", err)
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		conn.Close(ctx)
	})
	return conn
}
