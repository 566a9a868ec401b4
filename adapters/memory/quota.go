package memory

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// quotaWindow is how much of a key has been used, and until when that counts.
type quotaWindow struct {
	used int
	ends time.Time
}

// forgottenWindows is how many keys are looked at, when a window begins, for
// windows that have ended; so there are soon no more of these than of live ones.
const forgottenWindows = 4

// LeaseQuota takes uses out of a window.
func (s *Store) LeaseQuota(ctx context.Context, key string, limit, n int, window time.Duration) (ports.QuotaLease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return ports.QuotaLease{}, err
	}
	now := s.now()
	w := s.quotas[key]
	begins := !w.ends.After(now)
	if begins {
		w = quotaWindow{ends: now.Add(window)}
	}
	granted := max(0, min(n, limit-w.used))
	w.used += granted
	if granted > 0 {
		if begins {
			s.forgetWindows(now)
		}
		s.quotas[key] = w
	}
	return ports.QuotaLease{Granted: granted, Remaining: max(0, limit-w.used), EndsIn: w.ends.Sub(now)}, nil
}

func (s *Store) forgetWindows(now time.Time) {
	looked := 0
	for key, w := range s.quotas { // in random order
		if looked++; looked > forgottenWindows {
			return
		}
		if !w.ends.After(now) {
			delete(s.quotas, key)
		}
	}
}

// SettleSetting keeps the first value of a name.
func (s *Store) SettleSetting(ctx context.Context, name string, value []byte) ([]byte, error) {
	if len(value) > ports.MaxSetting {
		return nil, fmt.Errorf("memory: setting %q has %d bytes, at most %d are kept", name, len(value), ports.MaxSetting)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	kept, is := s.settings[name]
	if !is {
		kept = bytes.Clone(value)
		s.settings[name] = kept
	}
	return bytes.Clone(kept), nil
}
