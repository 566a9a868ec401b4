package sealing_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/sealing"
	"github.com/firstviscount/platform-coordination/ports"
)

// reveal are the bytes of a key.
func reveal(t testing.TB, k sealing.Key) string {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(k.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// FuzzOpen opens what it is given: only what this ring sealed, about the same
// thing, ever opens.
func FuzzOpen(f *testing.F) {
	r := ring(f, sealing.NewKey(), sealing.NewKey())
	sealed := seal(f, r, "tok_visa_4242")
	f.Add(sealed, about)
	f.Add(sealed[:len(sealed)-1], about)
	f.Add([]byte{}, []byte{})
	f.Add([]byte{1}, about)
	f.Add([]byte(`{"orderId":"order-1"}`), about)
	f.Fuzz(func(t *testing.T, value, of []byte) {
		plain, err := r.Open(value, of)
		same := bytes.Equal(value, sealed) && bytes.Equal(of, about)
		if same != (err == nil) || !same && (plain != nil || !errors.Is(err, ports.ErrSealed)) {
			t.Errorf("opened %q, %v", plain, err)
		}
		again, err := r.Seal(value, of)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err = r.Open(again, of); err != nil || !bytes.Equal(plain, value) {
			t.Errorf("opened %q, %v", plain, err)
		}
	})
}

func BenchmarkSealAndOpenAnOrder(b *testing.B) {
	r, order := ring(b, sealing.NewKey()), make([]byte, 600)
	b.ReportAllocs()
	for b.Loop() {
		sealed, err := r.Seal(order, about)
		if err == nil {
			_, err = r.Open(sealed, about)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
