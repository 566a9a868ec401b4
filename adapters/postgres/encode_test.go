package postgres

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// TestColumnsAreWhatThePgxTypesRead compares our encoding with pgx's decoding.
func TestColumnsAreWhatThePgxTypesRead(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 15, 10, 0, 0, 123_456_000, time.UTC)
	text, yes := "é", true
	for _, c := range []struct {
		name  string
		array uint32
		kind  string
		put   func(*column)
		into  any
		want  any
	}{
		{"text", pgtype.TextArrayOID, "text", func(c *column) { c.text(""); c.text(text) }, &[]string{}, &[]string{"", text}},
		{"bytes", pgtype.ByteaArrayOID, "bytea", func(c *column) { c.bytes([]byte{0, 1}); c.optionalBytes(nil) }, &[][]byte{}, &[][]byte{{0, 1}, nil}},
		{"int4", pgtype.Int4ArrayOID, "integer", func(c *column) { c.int4(-7); c.int4(1 << 30) }, &[]int32{}, &[]int32{-7, 1 << 30}},
		{"int8", pgtype.Int8ArrayOID, "bigint", func(c *column) { c.int8(-1 << 62) }, &[]int64{}, &[]int64{-1 << 62}},
		{"boolean", pgtype.BoolArrayOID, "boolean", func(c *column) { c.flag(yes); c.flag(!yes) }, &[]bool{}, &[]bool{yes, !yes}},
		{"time", pgtype.TimestamptzArrayOID, "timestamptz", func(c *column) { c.time(at); c.time(time.Time{}) }, &[]time.Time{}, &[]time.Time{at, {}}},
		{"no time", pgtype.TimestamptzArrayOID, "timestamptz", func(c *column) { c.optionalTime(time.Time{}); c.optionalTime(at) }, &[]*time.Time{}, &[]*time.Time{nil, &at}},
		{"none", pgtype.TextArrayOID, "text", func(*column) {}, &[]string{}, &[]string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var col column
			col.reset()
			c.put(&col)
			if err := pgtype.NewMap().Scan(c.array, pgtype.BinaryFormatCode, col.encoded(oids[c.kind]), c.into); err != nil {
				t.Fatal(err)
			}
			inUTC(c.into)
			if !reflect.DeepEqual(c.into, c.want) {
				t.Errorf("got %v, want %v", c.into, c.want)
			}
		})
	}
}

func inUTC(list any) {
	switch l := list.(type) {
	case *[]time.Time:
		for i := range *l {
			(*l)[i] = (*l)[i].UTC()
		}
	case *[]*time.Time:
		for _, at := range *l {
			if at != nil {
				*at = at.UTC()
			}
		}
	}
}

func TestEncoderKeepsNothingOfTheStatementBefore(t *testing.T) {
	t.Parallel()
	type pair struct{ name string }
	params := []param[pair]{{"name", "text", func(c *column, p *pair) { c.text(p.name) }}}
	encoded := func(e *encoder, names ...string) []byte {
		e.reset()
		encode(e, params, len(names), func(i int) *pair { return &pair{names[i]} })
		return bytes.Clone(e.params[0])
	}
	var used encoder
	encoded(&used, "a long name", "and another")
	for _, names := range [][]string{{"b"}, {}, {"c", "d", "e"}} {
		if got, want := encoded(&used, names...), encoded(&encoder{}, names...); !bytes.Equal(got, want) {
			t.Errorf("%v is %x, want %x", names, got, want)
		}
	}
}

func TestStorable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"A|B é": "A|B é", "a\x00b": "a\uFFFDb", "\xff\xfe": "\uFFFD", "": ""} {
		if got := storable(in); got != want {
			t.Errorf("storable(%q) is %q, want %q", in, got, want)
		}
	}
}
