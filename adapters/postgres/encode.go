package postgres

import (
	"encoding/binary"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"
)

// A column is one array parameter of a statement in the binary format of
// Postgres: a header, then every element with its length. Encoding it here, by
// appending to one slice, costs a tenth of what reflection over Go slices does,
// on the path that every transition takes.
type column struct {
	data []byte
	n    int
}

// arrayHeader: dimensions, null flag, element type, length, lower bound.
const arrayHeader = 5 * 4

const nullLength = 0xffffffff

// microsecondsTo2000 is the epoch of Postgres in Unix microseconds.
const microsecondsTo2000 = 946_684_800_000_000

func (c *column) reset() {
	c.data = append(c.data[:0], make([]byte, arrayHeader)...)
	c.n = 0
}

func (c *column) length(n uint32) {
	c.n++
	c.data = binary.BigEndian.AppendUint32(c.data, n)
}

func (c *column) text(s string) {
	if strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) {
		s = storable(s)
	}
	c.length(uint32(len(s)))
	c.data = append(c.data, s...)
}

func (c *column) bytes(b []byte) {
	c.length(uint32(len(b)))
	c.data = append(c.data, b...)
}

// optionalBytes keeps nil apart from empty.
func (c *column) optionalBytes(b []byte) {
	if b == nil {
		c.length(nullLength)
		return
	}
	c.bytes(b)
}

func (c *column) int4(i int) {
	c.length(4)
	c.data = binary.BigEndian.AppendUint32(c.data, uint32(int32(i)))
}

func (c *column) int8(i int64) {
	c.length(8)
	c.data = binary.BigEndian.AppendUint64(c.data, uint64(i))
}

func (c *column) flag(b bool) {
	c.length(1)
	if b {
		c.data = append(c.data, 1)
	} else {
		c.data = append(c.data, 0)
	}
}

func (c *column) time(t time.Time) { c.int8(t.UnixMicro() - microsecondsTo2000) }

// optionalTime writes null for the zero time.
func (c *column) optionalTime(t time.Time) {
	if t.IsZero() {
		c.length(nullLength)
		return
	}
	c.time(t)
}

// oids of the element types.
var oids = map[string]uint32{
	"text": pgtype.TextOID, "bytea": pgtype.ByteaOID, "boolean": pgtype.BoolOID,
	"integer": pgtype.Int4OID, "bigint": pgtype.Int8OID, "timestamptz": pgtype.TimestamptzOID,
}

// encoded completes the header and gives the parameter.
func (c *column) encoded(oid uint32) []byte {
	if c.n == 0 {
		clear(c.data) // no dimensions
		binary.BigEndian.PutUint32(c.data[8:], oid)
		return c.data[:3*4]
	}
	for i, v := range [...]uint32{1, 1, oid, uint32(c.n), 1} {
		binary.BigEndian.PutUint32(c.data[4*i:], v)
	}
	return c.data
}

// storable replaces what a text of Postgres cannot hold: NUL and invalid UTF-8,
// which a participant may have put into an error code. Refusing it would fail
// the whole batch for one hostile answer.
func storable(s string) string {
	const replacement = "\uFFFD"
	return strings.ReplaceAll(strings.ToValidUTF8(s, replacement), "\x00", replacement)
}

// An encoder makes the parameters of one statement after the other. It keeps
// its memory.
type encoder struct {
	columns []*column
	params  [][]byte
}

var encoders = sync.Pool{New: func() any { return &encoder{} }}

func (e *encoder) reset() { e.params = e.params[:0] }

// next is an empty column, for the next parameter.
func (e *encoder) next() *column {
	if len(e.params) == len(e.columns) {
		e.columns = append(e.columns, &column{})
	}
	c := e.columns[len(e.params)]
	c.reset()
	return c
}

// encode adds the parameters that are made of n elements.
func encode[E any](e *encoder, params []param[E], n int, element func(i int) *E) {
	for _, p := range params {
		c := e.next()
		for i := range n {
			p.put(c, element(i))
		}
		e.params = append(e.params, c.encoded(oids[p.kind]))
	}
}
