// Package guard keeps webhooks from reaching what only the coordinator can
// reach: its own machine, its network, the metadata service of its cloud.
//
// A URL is checked when a subscription is made, and what its host resolves to
// at each connection, between the resolution and the first packet: a name that
// resolves to another address the next time gains nothing by it.
//
//	registration:  CheckURL ─▶ CheckHost
//	each attempt:  CheckURL ─▶ resolve ─▶ CheckAddr ─▶ connect
package guard

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// Limits of a connection.
const (
	connectTimeout  = 5 * time.Second
	keepAlivePeriod = 30 * time.Second
	// resolveTimeout bounds the look-up at registration; who does not resolve
	// then is checked at the first attempt.
	resolveTimeout = time.Second
)

// Config sets a guard up.
type Config struct {
	// AllowPrivate lets http, any port, IP addresses and private networks through,
	// for development and tests. Cloud metadata and what is no host's address stay
	// forbidden.
	AllowPrivate bool
	// Resolver resolves names; nil is the system's.
	Resolver *net.Resolver
}

// Guard says where webhooks may go.
type Guard struct {
	private  bool
	resolver *net.Resolver
	own      func() ([]net.Addr, error)
}

// New makes a guard.
func New(c Config) *Guard {
	if c.Resolver == nil {
		c.Resolver = net.DefaultResolver
	}
	return &Guard{private: c.AllowPrivate, resolver: c.Resolver, own: net.InterfaceAddrs}
}

// Dialer connects to nothing that the guard forbids. Its errors of that kind
// are *ports.TargetError.
func (g *Guard) Dialer() *net.Dialer {
	return &net.Dialer{
		Timeout: connectTimeout, KeepAlive: keepAlivePeriod, Resolver: g.resolver,
		ControlContext: func(_ context.Context, network, address string, _ syscall.RawConn) error {
			return g.checkConnection(network, address)
		},
	}
}

// checkConnection is the last check before a connection, of what is really
// going to be connected to.
func (g *Guard) checkConnection(network, address string) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" {
		return refused("is no TCP address")
	}
	if err := g.checkPort(strconv.Itoa(int(to.Port()))); err != nil {
		return err
	}
	return g.CheckAddr(to.Addr())
}

// CheckHost resolves the host of a URL that passed CheckURL and refuses it if
// any of its addresses is forbidden. That a name does not resolve now is no
// reason: it is looked at again with each connection.
func (g *Guard) CheckHost(ctx context.Context, host string) error {
	if g.private {
		return nil // nobody is told late: the first attempt says it
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	addresses, err := g.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil
	}
	for _, a := range addresses {
		if err := g.CheckAddr(a); err != nil {
			return err
		}
	}
	return nil
}

// CheckAddr refuses an address that webhooks must not be sent to.
func (g *Guard) CheckAddr(a netip.Addr) error {
	if a.Zone() != "" {
		return refused("is an address with a zone")
	}
	a = plain(a)
	if what := never(a); what != "" {
		return refused("is " + what)
	}
	if g.private {
		return nil
	}
	if what := find(privateNetworks, a); what != "" {
		return refused("is " + what)
	}
	if g.isOwn(a) {
		return refused("is an address of this machine")
	}
	return nil
}

// isOwn reports whether this machine itself has an address.
func (g *Guard) isOwn(a netip.Addr) bool {
	own, err := g.own()
	return err == nil && slices.ContainsFunc(own, func(o net.Addr) bool {
		prefix, err := netip.ParsePrefix(o.String())
		return err == nil && prefix.Addr().Unmap() == a
	})
}

func refused(reason string) error { return &ports.TargetError{Reason: reason} }
