package kafka

import (
	"math/rand/v2"
	"testing"
)

func TestWhatIsCommittedWasAcknowledged(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		p := &progress{}
		if _, ok := p.committable(); ok {
			t.Fatal("something can be committed though nothing was fetched")
		}
		open := map[int64]bool{}
		next := random.Int64N(100)
		for range 20_000 {
			if random.IntN(3) > 0 || len(open) == 0 {
				p.fetched(next)
				open[next] = true
				next += 1 + random.Int64N(2) // some offsets are not messages
			}
			for offset := range open { // any
				if random.IntN(2) == 0 {
					p.acked(offset)
					delete(open, offset)
				}
				break
			}
			if len(open) > 50 {
				break
			}
		}
		want := next
		for offset := range open {
			want = min(want, offset)
		}
		if got, ok := p.committable(); !ok || got > want {
			t.Fatalf("%d would be committed, though %d is open", got, want)
		}
		for offset := range open {
			p.acked(offset)
		}
		if got, _ := p.committable(); got > next || got < next-1 || len(p.order) != 0 {
			t.Fatalf("all was acknowledged, and %d would be committed instead of %d", got, next)
		}
	}
}

func TestAMessageThatIsNeverAcknowledgedCostsLittle(t *testing.T) {
	t.Parallel()
	p := &progress{}
	for offset := range int64(1_000_000) {
		p.fetched(offset)
		if offset > 0 {
			p.acked(offset)
		}
	}
	if got, _ := p.committable(); got != 0 || len(p.order) > 2*sparse {
		t.Errorf("offset %d would be committed, %d are remembered", got, len(p.order))
	}
}
