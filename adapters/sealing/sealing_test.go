package sealing_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/sealing"
	"github.com/firstviscount/platform-coordination/ports"
)

var about = []byte("wf-1")

func ring(t testing.TB, keys ...sealing.Key) *sealing.Ring {
	t.Helper()
	r, err := sealing.New(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func seal(t testing.TB, r *sealing.Ring, plain string) []byte {
	t.Helper()
	sealed, err := r.Seal([]byte(plain), about)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func opens(t *testing.T, r *sealing.Ring, sealed []byte, want string) {
	t.Helper()
	if plain, err := r.Open(sealed, about); err != nil || string(plain) != want {
		t.Errorf("opened %q, %v", plain, err)
	}
}

func stays(t *testing.T, what string, r *sealing.Ring, sealed, about []byte) {
	t.Helper()
	if plain, err := r.Open(sealed, about); !errors.Is(err, ports.ErrSealed) || plain != nil {
		t.Errorf("%s: opened %q, %v", what, plain, err)
	}
}

func TestWhatIsSealedOpensAsItWas(t *testing.T) {
	t.Parallel()
	r := ring(t, sealing.NewKey())
	for _, plain := range []string{"", "x", "tok_visa_4242", strings.Repeat("long ", 50_000)} {
		sealed := seal(t, r, plain)
		if len(sealed) != len(plain)+sealing.Overhead || plain != "" && len(plain) > 1 && bytes.Contains(sealed, []byte(plain)) {
			t.Errorf("%d bytes are sealed in %d", len(plain), len(sealed))
		}
		opens(t, r, sealed, plain)
	}
}

func TestTheSameValueIsNeverSealedTheSame(t *testing.T) {
	t.Parallel()
	r := ring(t, sealing.NewKey())
	seen := map[string]bool{}
	for range 1_000 {
		seen[string(seal(t, r, "tok"))] = true
	}
	if len(seen) != 1_000 {
		t.Errorf("%d of 1,000 differ", len(seen))
	}
}

func TestChangedAtAnyByteItStaysSealed(t *testing.T) {
	t.Parallel()
	r := ring(t, sealing.NewKey(), sealing.NewKey())
	sealed := seal(t, r, "tok_visa_4242")
	for i := range sealed {
		for bit := range 8 {
			changed := bytes.Clone(sealed)
			changed[i] ^= 1 << bit
			stays(t, fmt.Sprintf("byte %d, bit %d", i, bit), r, changed, about)
		}
		stays(t, fmt.Sprintf("cut to %d bytes", i), r, sealed[:i], about)
		stays(t, fmt.Sprintf("without the first %d bytes", i+1), r, sealed[i+1:], about)
	}
	stays(t, "a byte more", r, append(bytes.Clone(sealed), 0), about)
}

func TestAboutSomethingElseItStaysSealed(t *testing.T) {
	t.Parallel()
	r := ring(t, sealing.NewKey())
	sealed := seal(t, r, "tok")
	for _, other := range []string{"", "wf-2", "wf-", "wf-1 ", "WF-1"} {
		stays(t, other, r, sealed, []byte(other))
	}
}

func TestTheFirstKeySealsAndAllKeysOpen(t *testing.T) {
	t.Parallel()
	older, newer, newest := sealing.NewKey(), sealing.NewKey(), sealing.NewKey()
	before, rotated, later := ring(t, older), ring(t, newer, older), ring(t, newest, newer)
	old, fresh := seal(t, before, "old"), seal(t, rotated, "fresh")
	opens(t, rotated, old, "old")
	opens(t, later, fresh, "fresh")
	stays(t, "a key that was taken off", later, old, about)
	stays(t, "a key that is not there yet", before, fresh, about)
	if id, ok := sealing.KeyID(fresh); !ok || id != newer.ID() || later.KeyIDs()[1] != id {
		t.Errorf("sealed by %s, not by %s", id, newer.ID())
	}
	if id, ok := sealing.KeyID([]byte(`{"orderId":"1","customerId":"2","items":[],"paymentMethod":{}}`)); ok {
		t.Errorf("JSON is sealed by %s", id)
	}
}

func TestARingNeedsOneToSixteenDifferentKeys(t *testing.T) {
	t.Parallel()
	twice, many := sealing.NewKey(), make([]sealing.Key, sealing.MaxKeys+1)
	for i := range many {
		many[i] = sealing.NewKey()
	}
	for want, keys := range map[string][]sealing.Key{
		"no key":               {},
		"key 2: want 32 bytes": {twice, {}},
		"key 3 is key 1 again": {twice, sealing.NewKey(), twice},
		"more than 16 keys":    many,
	} {
		if _, err := sealing.New(keys...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s, got %v", want, err)
		}
	}
	ring(t, many[:sealing.MaxKeys]...)
}

func TestMoreThanTheLimitIsNotSealed(t *testing.T) {
	t.Parallel()
	r := ring(t, sealing.NewKey())
	opens(t, r, seal(t, r, strings.Repeat("x", sealing.MaxPlain)), strings.Repeat("x", sealing.MaxPlain))
	if _, err := r.Seal(make([]byte, sealing.MaxPlain+1), about); err == nil {
		t.Error("sealed")
	}
}

func TestKeysAreReadAsTheyArePrinted(t *testing.T) {
	t.Parallel()
	a, b := sealing.NewKey(), sealing.NewKey()
	unpadded := strings.TrimRight(b.Reveal(), "=")
	url := strings.NewReplacer("+", "-", "/", "_").Replace(unpadded)
	for _, text := range []string{
		a.Reveal() + "," + b.Reveal(),
		a.Reveal() + " , " + unpadded + "\n",
		"# the newest first\n" + a.Reveal() + "\r\n\n  " + url + "\n",
	} {
		keys, err := sealing.ParseKeys(text)
		if err != nil || len(keys) != 2 || keys[0].ID() != a.ID() || keys[1].Reveal() != b.Reveal() {
			t.Errorf("%d keys, %v", len(keys), err)
		}
	}
}

func TestWhatIsNoKeyIsRefusedWithoutBeingRepeated(t *testing.T) {
	t.Parallel()
	key := sealing.NewKey().Reveal()
	for text, want := range map[string]string{
		"":                          "no key",
		"# nothing":                 "no key",
		"hunter2":                   "key 1: want 32 bytes in base64",
		key + ",":                   "key 2: want 32 bytes in base64",
		key + "," + key:             "key 2 is key 1 again",
		key[:len(key)-4]:            "key 1: want 32 bytes in base64",
		key[:20] + " " + key:        "key 1: want 32 bytes in base64",
		"AAAA" + key:                "key 1: want 32 bytes in base64",
		strings.Repeat("x", 17<<10): "longer than 16384 bytes",
	} {
		_, err := sealing.ParseKeys(text)
		if err == nil || err.Error() != want {
			t.Errorf("want %s, got %v", want, err)
		}
	}
}

func TestNoKeyIsEverPrinted(t *testing.T) {
	t.Parallel()
	key := sealing.NewKey()
	r := ring(t, key)
	type holder struct {
		Key  sealing.Key
		key  sealing.Key
		Ring *sealing.Ring
		ring *sealing.Ring
		flat sealing.Ring
	}
	h := holder{key, key, r, r, *r}
	var out strings.Builder
	for _, value := range []any{key, &key, r, *r, h, &h, []sealing.Key{key}, map[string]sealing.Key{"k": key}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U", "%p"} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
		for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(handler).Info("log", "value", value)
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Error(err)
		}
		out.Write(text)
	}
	secret := []byte(reveal(t, key))
	for form, tell := range map[string]string{
		"base64":      key.Reveal()[:12],
		"bytes":       string(secret[:4]),
		"hex":         fmt.Sprintf("%x", secret[:4]),
		"upper hex":   fmt.Sprintf("%X", secret[:4]),
		"numbers":     strings.Trim(fmt.Sprint(secret[:4]), "[]"),
		"hex numbers": strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", secret[:4]), "[]byte{"), "}"),
	} {
		if at := strings.Index(out.String(), tell); at >= 0 {
			t.Errorf("printed as %s: …%s…", form, out.String()[max(0, at-80):at])
		}
	}
	if !strings.Contains(out.String(), "[key "+key.ID()+"]") {
		t.Error("the key is not even named")
	}
}
