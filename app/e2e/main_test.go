package e2e_test

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/postgres/pgtest"
	"github.com/firstviscount/platform-coordination/app/e2e/harness"
)

var (
	long = flag.Bool("e2e.long", os.Getenv("COORDINATION_E2E_LONG") != "", "run the long forms of the tests")
	seed = flag.Uint64("e2e.seed", uint64(time.Now().UnixNano()), "seed of random choices")
)

// parallelTests run at the same time: they wait for other processes more than
// they compute.
const parallelTests = "12"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", parallelTests); err != nil {
		panic(err)
	}
	code := harness.Run(m)
	pgtest.Stop()
	os.Exit(code)
}

// random is a source of its own for one purpose of a test.
func random(t *testing.T, purpose uint64) *rand.Rand {
	t.Helper()
	t.Logf("random choices %d of -e2e.seed=%d", purpose, *seed)
	return rand.New(rand.NewPCG(*seed, purpose))
}

// stores are the stores of one process each, by name, as values of --store.
var stores = map[string]func(*testing.T) string{
	"memory":   func(*testing.T) string { return "memory" },
	"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "coordination.db") },
	"postgres": func(t *testing.T) string { return pgtest.Empty(t) },
}

// onEveryStore runs a test on all stores at the same time.
func onEveryStore(t *testing.T, test func(t *testing.T, store string)) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// reference is an example of the API's reference, byte for byte.
func reference(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "reference", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
