package rest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// JSONBody is a JSON body, decoded and as it came.
type JSONBody[T any] struct {
	Body    T
	RawBody []byte

	canonical []byte
}

// scan reads the body as it came and returns the faults that no schema finds.
func (b *JSONBody[T]) scan(maxString int) []error {
	if len(b.RawBody) == 0 {
		return nil // huma has said so
	}
	canonical, faults := scanJSON(b.RawBody, "body", maxString)
	b.canonical = canonical
	return scanFaults(faults)
}

// Names of the idempotency key's header.
const (
	headerKey      = "X-Idempotency-Key"
	headerKeyAlias = "Idempotency-Key"
)

// Idempotency are the headers that make a request safe to repeat.
type Idempotency struct {
	IdempotencyKey      string `header:"X-Idempotency-Key" doc:"Makes the request safe to repeat: with the same key and body it has its effect once and is answered the same" example:"order-550e8400-start" pattern:"^[\\x21-\\x7e]{1,255}$"`
	IdempotencyKeyAlias string `header:"Idempotency-Key" doc:"Another name of X-Idempotency-Key" pattern:"^[\\x21-\\x7e]{1,255}$"`
}

// check refuses two different keys, and an empty one: who sends the header
// believes that the request is safe to repeat.
func (h *Idempotency) check(ctx huma.Context) []error {
	var errs []error
	ctx.EachHeader(func(name, value string) {
		if value == "" && (strings.EqualFold(name, headerKey) || strings.EqualFold(name, headerKeyAlias)) {
			errs = append(errs, violation("header."+name, "must not be empty"))
		}
	})
	if errs != nil {
		return errs
	}
	if h.IdempotencyKey != "" && h.IdempotencyKeyAlias != "" && h.IdempotencyKey != h.IdempotencyKeyAlias {
		return []error{violation("header.Idempotency-Key", "differs from X-Idempotency-Key")}
	}
	return nil
}

// key is the idempotency key of a request as the engine wants it, nil without
// one. Two callers, or two routes, never share a key; target names what the
// route's path names.
func (h *Idempotency) key(x *exchange, operation, target string, canonical []byte) *ports.IdempotencyKey {
	key := h.IdempotencyKey
	if key == "" {
		key = h.IdempotencyKeyAlias
	}
	if key == "" {
		return nil
	}
	return &ports.IdempotencyKey{
		Scope:       digest(x.caller.Subject, operation, target, key),
		Fingerprint: digest(string(canonical)),
	}
}

// digest hashes texts that may hold any byte: each is preceded by its own hash's worth of length.
func digest(texts ...string) string {
	h := sha256.New()
	for _, text := range texts {
		sum := sha256.Sum256([]byte(text))
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// replayed is the value of the header of the same meaning.
func replayed(is bool) string {
	if is {
		return "true"
	}
	return ""
}

// scanFault is a fault found by the scanner or by a rule of ours rather than by the schema.
type scanFault coordination.Violation

func (f scanFault) Error() string { return f.Message }

// ErrorDetail is the fault as huma wants it.
func (f scanFault) ErrorDetail() *huma.ErrorDetail {
	return &huma.ErrorDetail{Location: f.Path, Message: f.Message}
}

func violation(path, message string) error {
	return scanFault{Path: path, Message: message}
}

func scanFaults(faults []coordination.Violation) []error {
	errs := make([]error, len(faults))
	for i, f := range faults {
		errs[i] = scanFault(f)
	}
	return errs
}

// refusal is an error of several violations found after decoding.
func refusal(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	list := make([]coordination.Violation, 0, len(errs))
	for _, err := range errs {
		var f scanFault
		if errors.As(err, &f) {
			list = append(list, coordination.Violation(f))
		}
	}
	return invalid(list...)
}
