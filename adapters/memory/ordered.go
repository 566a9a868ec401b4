package memory

import (
	"iter"
	"slices"
	"sort"
)

// maxBlock is how many elements one block of an ordered list holds.
const maxBlock = 512

// ordered is a sorted list without equal elements: blocks of bounded length, in
// order. Insertion and removal cost a binary search and a move within a block,
// so they stay cheap with millions of elements.
type ordered[T any] struct {
	compare func(a, b T) int
	blocks  [][]T // none is empty
	size    int
}

// locate finds the block and the place in it where x is or belongs.
func (o *ordered[T]) locate(x T) (block, at int, found bool) {
	block = sort.Search(len(o.blocks), func(i int) bool {
		b := o.blocks[i]
		return o.compare(b[len(b)-1], x) >= 0
	})
	if block == len(o.blocks) {
		return block, 0, false
	}
	at, found = slices.BinarySearchFunc(o.blocks[block], x, o.compare)
	return block, at, found
}

// insert adds x; an equal element is replaced.
func (o *ordered[T]) insert(x T) {
	b, at, found := o.locate(x)
	switch {
	case found:
		o.blocks[b][at] = x
		return
	case len(o.blocks) == 0:
		o.blocks = append(o.blocks, nil)
	case b == len(o.blocks):
		b--
		at = len(o.blocks[b])
	}
	o.size++
	o.blocks[b] = slices.Insert(o.blocks[b], at, x)
	if n := len(o.blocks[b]); n > maxBlock {
		upper := slices.Clone(o.blocks[b][n/2:])
		clear(o.blocks[b][n/2:])
		o.blocks[b] = o.blocks[b][:n/2]
		o.blocks = slices.Insert(o.blocks, b+1, upper)
	}
}

// remove takes out the element equal to x, if there is one.
func (o *ordered[T]) remove(x T) {
	b, at, found := o.locate(x)
	if !found {
		return
	}
	o.size--
	o.blocks[b] = slices.Delete(o.blocks[b], at, at+1)
	if len(o.blocks[b]) == 0 {
		o.blocks = slices.Delete(o.blocks, b, b+1)
	}
}

// first is the least element; the list must not be empty.
func (o *ordered[T]) first() T { return o.blocks[0][0] }

// after gives the elements beyond a place, in either direction; a nil place
// means from the end where the direction starts. The list must not change
// meanwhile.
func (o *ordered[T]) after(place *T, ascending bool) iter.Seq[T] {
	if ascending {
		return o.ascend(place)
	}
	return o.descend(place)
}

func (o *ordered[T]) ascend(place *T) iter.Seq[T] {
	return func(yield func(T) bool) {
		b, at := 0, 0
		if place != nil {
			var found bool
			if b, at, found = o.locate(*place); found {
				at++
			}
		}
		for ; b < len(o.blocks); b, at = b+1, 0 {
			for _, x := range o.blocks[b][at:] {
				if !yield(x) {
					return
				}
			}
		}
	}
}

func (o *ordered[T]) descend(place *T) iter.Seq[T] {
	return func(yield func(T) bool) {
		b, at := len(o.blocks), 0 // before the at-th element of block b
		if place != nil {
			b, at, _ = o.locate(*place)
		}
		for {
			for ; at > 0; at-- {
				if !yield(o.blocks[b][at-1]) {
					return
				}
			}
			if b == 0 {
				return
			}
			b--
			at = len(o.blocks[b])
		}
	}
}
