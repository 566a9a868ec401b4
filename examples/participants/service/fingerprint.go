package service

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// fingerprint identifies what a command asks for, to notice a key that is used
// for something else by accident; it is no protection against a caller who
// looks for collisions. An execution is its action and its parameters as a JSON
// value. An undo is its action and the execution it undoes: its parameters may
// grow between attempts, when the coordinator learns more about the execution.
func fingerprint(action string, c *coordination.Command, undo bool) string {
	h := hashOf(action)
	if undo {
		h = combine(h, hashOf(c.Forward.CommandID))
	} else {
		h = combine(h, hashJSON(c.Parameters))
	}
	return strconv.FormatUint(h, 16)
}

// hashJSON hashes a JSON value: neither white space nor the order of members
// nor the way a string is escaped makes a difference, but numbers are compared
// as they are written. The value must be empty or valid, as the members of a
// decoded command are. Decoding into maps and sorting them would do the same at five times
// the cost, on every command.
func hashJSON(value []byte) uint64 {
	r := reader{rest: value}
	return r.value()
}

// reader walks over valid JSON.
type reader struct{ rest []byte }

// next skips what only separates and returns the first byte of what follows,
// or 0 at the end.
func (r *reader) next() byte {
	r.rest = bytes.TrimLeft(r.rest, " \t\r\n,:")
	if len(r.rest) == 0 {
		return 0
	}
	return r.rest[0]
}

func (r *reader) value() uint64 {
	switch r.next() {
	case '{':
		return r.object()
	case '[':
		return r.array()
	case '"':
		return r.text()
	default:
		return r.plain()
	}
}

// object adds up its members, because addition knows no order.
func (r *reader) object() uint64 {
	r.rest = r.rest[1:]
	sum := hashOf("{")
	for next := r.next(); next != '}'; next = r.next() {
		name := r.value()
		sum += combine(name, r.value())
	}
	r.rest = r.rest[1:]
	return sum
}

func (r *reader) array() uint64 {
	r.rest = r.rest[1:]
	h := hashOf("[")
	for next := r.next(); next != ']'; next = r.next() {
		h = combine(h, r.value())
	}
	r.rest = r.rest[1:]
	return combine(h, hashOf("]"))
}

func (r *reader) text() uint64 {
	end, escaped := 1, false
	for r.rest[end] != '"' {
		if r.rest[end] == '\\' {
			escaped = true
			end++ // whatever follows is not the end
		}
		end++
	}
	literal := r.rest[:end+1]
	r.rest = r.rest[len(literal):]
	if escaped {
		return unescaped(literal)
	}
	return combine(hashOf(`"`), hashOf(literal[1:len(literal)-1]))
}

func unescaped(literal []byte) uint64 {
	var text string
	if json.Unmarshal(literal, &text) != nil {
		return hashOf(literal)
	}
	return combine(hashOf(`"`), hashOf(text))
}

// plain is a number, true, false or null.
func (r *reader) plain() uint64 {
	end := bytes.IndexAny(r.rest, " \t\r\n,]}")
	if end < 0 {
		end = len(r.rest)
	}
	h := hashOf(r.rest[:end])
	r.rest = r.rest[end:]
	return h
}

// FNV-1a, written out because hash/fnv allocates.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func hashOf[T string | []byte](text T) uint64 {
	h := uint64(fnvOffset)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * fnvPrime
	}
	return h
}

// combine hashes a pair in this order. The shifts spread every bit over the
// whole word, so that sums of combinations do not cancel out.
func combine(a, b uint64) uint64 {
	h := (a*fnvPrime ^ b) + 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
