package ratelimit

import (
	"net/netip"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// Limits of failed logins.
const (
	// MaxFailures is how many requests of one address may fail to log in within
	// FailureWindow; the window begins with the first one.
	MaxFailures   = 200
	FailureWindow = time.Minute
	// MaxAddresses is how many addresses a replica remembers.
	MaxAddresses = 10_000

	// addressBits of an IPv6 address are one subscriber's.
	addressBits = 64
)

// Failures counts failed logins by address, for one replica. It is safe for
// concurrent use, and only requests that fail ever wait for its lock.
type Failures struct {
	clock ports.Clock
	mu    sync.Mutex
	seen  *recent[netip.Prefix, failures]
}

type failures struct {
	count int
	ends  time.Time
}

// NewFailures returns an empty count; clock is the system's if nil.
func NewFailures(clock ports.Clock) *Failures {
	if clock == nil {
		clock = systemClock{}
	}
	return &Failures{clock: clock, seen: newRecent[netip.Prefix, failures](MaxAddresses)}
}

// Failed notes a failed login from an address (host:port). When there were too
// many it reports how long to refuse further ones; else zero.
func (f *Failures) Failed(address string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen, now := f.seen.get(network(address)), f.clock.Now()
	if !seen.ends.After(now) {
		seen.count, seen.ends = 0, now.Add(FailureWindow)
	}
	if seen.count >= MaxFailures {
		return seen.ends.Sub(now)
	}
	seen.count++
	return 0
}

// network is whom an address stands for: itself, or the network of an IPv6
// subscriber. What is no address is counted together.
func network(address string) netip.Prefix {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.Prefix{}
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return netip.PrefixFrom(ip, ip.BitLen())
	}
	return netip.PrefixFrom(ip, addressBits).Masked()
}
