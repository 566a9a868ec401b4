package memory_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/memory"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// BenchmarkSaga6 commits what six-step sagas write, 64 side by side; one
// operation is one saga of seven changes.
func BenchmarkSaga6(b *testing.B) {
	const side, steps = 64, 6
	s := memory.New(memory.Config{})
	batch := make([]ports.Change, side)
	b.ReportAllocs()
	for n := 0; n < b.N; n += side {
		for i := range batch {
			batch[i] = contracttests.StartOf(n+i, contracttests.HeldBy("r1"), contracttests.Counting(ports.CountStarted, "", 1, 0))
		}
		commitAll(b, s, batch)
		for step := range steps {
			for i := range batch {
				count := contracttests.Counting(ports.CountStepCompleted, stepNames[step], 1, time.Second)
				if batch[i] = contracttests.NextOf(batch[i].Row, count); step == steps-1 {
					contracttests.Ends(domain.Completed)(&batch[i])
				}
			}
			commitAll(b, s, batch)
		}
	}
}

var stepNames = []string{"A", "B", "C", "D", "E", "F"}

func commitAll(b *testing.B, s ports.Store, batch []ports.Change) {
	for _, err := range s.Commit(b.Context(), batch) {
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkList lists beside ever more ended workflows.
func BenchmarkList(b *testing.B) {
	for _, ended := range []int{0, 20_000, 200_000} {
		s := memory.New(memory.Config{})
		for n := range ended + 100 {
			c := contracttests.StartOf(n)
			if n < ended {
				contracttests.Ends(domain.Completed)(&c)
			}
			commit(b, s, c)
		}
		for name, q := range map[string]ports.ListQuery{
			"active": {ActiveOnly: true, Limit: 20}, "all": {Limit: 20}, "key": {BusinessKey: contracttests.OrderID(7), Limit: 20},
		} {
			b.Run(fmt.Sprintf("%s/ended=%d", name, ended), func(b *testing.B) {
				for b.Loop() {
					if _, err := s.List(b.Context(), q); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
