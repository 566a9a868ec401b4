package memory

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestOrderedAgainstSlice plays random insertions and removals on an ordered
// list and on a plain sorted slice, and compares what they give.
func TestOrderedAgainstSlice(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	list := ordered[int]{compare: cmp.Compare[int]}
	var model []int
	for round := range 20_000 {
		x := random.IntN(4000)
		at, found := slices.BinarySearch(model, x)
		if insert := random.IntN(5) < 3 == (round < 12_000); insert {
			list.insert(x)
			if !found {
				model = slices.Insert(model, at, x)
			}
		} else {
			list.remove(x)
			if found {
				model = slices.Delete(model, at, at+1)
			}
		}
		if round%500 == 0 {
			compareOrdered(t, &list, model, random.IntN(4000))
		}
	}
	if len(list.blocks) < 2 {
		t.Error("the list never had two blocks; the test shows little")
	}
}

func compareOrdered(t *testing.T, list *ordered[int], model []int, from int) {
	t.Helper()
	if list.size != len(model) {
		t.Fatalf("size is %d, want %d", list.size, len(model))
	}
	backwards := slices.Clone(model)
	slices.Reverse(backwards)
	at, found := slices.BinarySearch(model, from)
	beyond := at
	if found {
		beyond++
	}
	for _, c := range []struct {
		what      string
		got, want []int
	}{
		{"ascending", slices.Collect(list.after(nil, true)), model},
		{"descending", slices.Collect(list.after(nil, false)), backwards},
		{"ascending from a place", slices.Collect(list.after(&from, true)), model[beyond:]},
		{"descending from a place", slices.Collect(list.after(&from, false)), backwards[len(model)-at:]},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Fatalf("%s from %d gives %d elements, want %d", c.what, from, len(c.got), len(c.want))
		}
	}
	for _, b := range list.blocks {
		if len(b) == 0 || len(b) > maxBlock {
			t.Fatalf("a block holds %d elements", len(b))
		}
	}
}

func TestOrderedEmpty(t *testing.T) {
	t.Parallel()
	list := ordered[int]{compare: cmp.Compare[int]}
	list.remove(1)
	place := 1
	for _, ascending := range []bool{true, false} {
		if got := slices.Collect(list.after(&place, ascending)); len(got) != 0 {
			t.Errorf("an empty list gives %v", got)
		}
	}
}
