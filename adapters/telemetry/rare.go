package telemetry

import (
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
)

// rareEvery is how often failures of exports are logged at most.
const rareEvery = time.Minute

// rare logs the first failure of a while and counts the others: a receiver that
// is down must not fill the log.
type rare struct {
	log *slog.Logger

	mu     sync.Mutex
	last   time.Time
	others int
}

var _ otel.ErrorHandler = (*rare)(nil)

func newRare(log *slog.Logger) *rare { return &rare{log: log} }

// Handle takes a failure.
func (h *rare) Handle(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if !h.last.IsZero() && now.Sub(h.last) < rareEvery {
		h.others++
		return
	}
	h.log.Warn("traces or metrics are not exported", "error", err, "failuresBefore", h.others)
	h.last, h.others = now, 0
}
