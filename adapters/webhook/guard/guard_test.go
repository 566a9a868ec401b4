package guard

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/firstviscount/platform-coordination/ports"
)

// forbidden are addresses that no webhook may reach, one or more of each kind.
var forbidden = []string{
	"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.254", "100.100.100.200", "127.0.0.1",
	"127.255.255.254", "169.254.0.1", "169.254.169.254", "169.254.170.2", "168.63.129.16", "172.16.0.1", "172.31.255.255",
	"192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1", "198.19.255.255",
	"198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
}

var forbidden6 = []string{
	"::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.1.2.3", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
	"64:ff9b:1::1", "100::1", "2001::7f00:1", "2001:0:ce49:7601:2cad:dfff:7c94:fffe", "2001:2::1", "2001:db8::1", "2002:7f00:1::",
	"2002:a9fe:a9fe::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fdff::1", "fe80::1", "fec0::1", "ff02::1", "4000::1",
}

// open are addresses of the public internet.
var open = []string{"8.8.8.8", "1.1.1.1", "93.184.216.34", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "198.17.1.1",
	"198.20.0.1", "223.255.255.255", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808"}

func TestAddresses(t *testing.T) {
	t.Parallel()
	g := New(Config{})
	for _, text := range append(append([]string{}, forbidden...), forbidden6...) {
		var target *ports.TargetError
		if err := g.CheckAddr(netip.MustParseAddr(text)); !errors.As(err, &target) || strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range open {
		if err := g.CheckAddr(netip.MustParseAddr(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	if g.CheckAddr(netip.MustParseAddr("fe80::1%eth0")) == nil {
		t.Error("an address with a zone is let through")
	}
}

func TestOwnAddressesAreForbiddenAlsoIfPublic(t *testing.T) {
	t.Parallel()
	g := New(Config{})
	own := &net.IPNet{IP: net.ParseIP("8.8.4.4"), Mask: net.CIDRMask(24, 32)}
	g.own = func() ([]net.Addr, error) { return []net.Addr{own}, nil }
	if g.CheckAddr(netip.MustParseAddr("8.8.4.4")) == nil || g.CheckAddr(netip.MustParseAddr("8.8.4.5")) != nil {
		t.Error("the machine's own address is let through, or its neighbour's is not")
	}
}

func TestWhatAllowPrivateOpens(t *testing.T) {
	t.Parallel()
	g := New(Config{AllowPrivate: true})
	for _, url := range []string{"http://127.0.0.1:8080/hook", "https://10.0.0.1/", "http://[::1]:9/x", "http://receiver:3000/", "http://localhost/",
		"https://hooks.example.com/a?b=c", "http://[fd00::1]/", "http://host.docker.internal:1234/"} {
		if _, err := g.CheckURL(url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, url := range []string{"http://169.254.169.254/latest", "http://[fd00:ec2::254]/", "http://168.63.129.16/", "http://0.0.0.0/", "http://[::]/",
		"http://224.0.0.1/", "http://2130706433/", "http://0x7f.1/", "http://127.1/", "ftp://127.0.0.1/", "http://u:p@127.0.0.1/", "http://[fe80::1%25eth0]/",
		"http://[::ffff:169.254.169.254]/", "http://[64:ff9b::a9fe:a9fe]/", "http://127.0.0.1:0/", "http://127.0.0.1:65536/", "http://127.0.0.1/#f"} {
		if _, err := g.CheckURL(url); err == nil {
			t.Errorf("%s is let through", url)
		}
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	g := New(Config{})
	for _, url := range []string{"https://hooks.example.com", "https://hooks.example.com/a/b?c=d", "https://HOOKS.Example.com:443/", "https://a.b:8443/x",
		"https://xn--bcher-kva.example/", "https://1.example.com/"} {
		if _, err := g.CheckURL(url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	long := "https://hooks.example.com/" + strings.Repeat("a", MaxURLLength)
	for url, reason := range map[string]string{
		"":                                     "must begin with https://",
		"http://hooks.example.com/":            "must begin with https://",
		"//hooks.example.com/":                 "must begin with https://",
		"https:hooks.example.com":              "has no host",
		"https://":                             "has no host",
		"https://hooks.example.com:/":          "has no host",
		"https://u@hooks.example.com":          "must not hold a user or password",
		"https://hooks.example.com:22/":        "must be on port 443 or 8443",
		"https://hooks.example.com/#secret":    "must not have a fragment",
		"https://hooks.example.com/a b":        "has a character that must be escaped",
		"https://hooks.example.com\\@10.0.0.1": "has a character that must be escaped",
		"https://hooks.example.com/\r\nHost:x": "has a character that must be escaped",
		"https://hööks.example.com/":           "has a character that must be escaped",
		"https://hooks.example.com./":          "has no valid host name",
		"https://hooks..example.com/":          "has no valid host name",
		"https://-hooks.example.com/":          "has no valid host name",
		"https://hooks_.example.com/":          "has no valid host name",
		"https://hooks%2eexample.com/":         "is not a URL",
		"https://8.8.8.8/":                     "must have a host name, not an address",
		"https://[2606:4700::1111]/":           "must have a host name, not an address",
		"https://134744072/":                   "must have a host name, not an address",
		"https://hooks/":                       "must have a fully qualified host name",
		"https://localhost/":                   "must have a fully qualified host name",
		"https://metadata.google.internal/":    "has a host name of an inner network",
		"https://printer.local/":               "has a host name of an inner network",
		long:                                   "is longer than 2,048 bytes",
	} {
		_, err := g.CheckURL(url)
		var target *ports.TargetError
		if !errors.As(err, &target) || target.Reason != reason {
			t.Errorf("%.60s: %v, want %s", url, err, reason)
		}
	}
}

// TestNamesAreCheckedWhenTheyAreRegistered: as far as they resolve.
func TestNamesAreCheckedWhenTheyAreRegistered(t *testing.T) {
	t.Parallel()
	n := newNames()
	n.say("good.example.com", addresses(t, "8.8.8.8", "2606:4700::1111"))
	n.say("inner.example.com", addresses(t, "10.0.0.7"))
	n.say("mixed.example.com", addresses(t, "8.8.8.8", "fd00::1"))
	g := New(Config{Resolver: n.resolver()})
	for host, allowed := range map[string]bool{"good.example.com": true, "inner.example.com": false, "mixed.example.com": false, "absent.example.com": true} {
		if err := g.CheckHost(t.Context(), host); (err == nil) != allowed {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// connections are those that would have been opened.
type connections struct {
	mu sync.Mutex
	to []string
}

// dialer is a guarded dialer that stops short of connecting, and counts.
func (c *connections) dialer(g *Guard) *net.Dialer {
	d := g.Dialer()
	checked := d.ControlContext
	d.ControlContext = func(ctx context.Context, network, address string, raw syscall.RawConn) error {
		if err := checked(ctx, network, address, raw); err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.to = append(c.to, address)
		return errors.New("stopped short")
	}
	return d
}

func TestRebindingNamesGainNothing(t *testing.T) {
	t.Parallel()
	n := newNames()
	n.say("rebind.example.com", addresses(t, "8.8.8.8"), addresses(t, "169.254.169.254"), addresses(t, "127.0.0.1"))
	g := New(Config{Resolver: n.resolver()})
	if err := g.CheckHost(t.Context(), "rebind.example.com"); err != nil {
		t.Fatalf("refused while it was harmless: %v", err)
	}
	var opened connections
	dialer := opened.dialer(g)
	for range 2 {
		_, err := dialer.DialContext(t.Context(), "tcp", "rebind.example.com:443")
		var target *ports.TargetError
		if !errors.As(err, &target) {
			t.Errorf("dialled with %v", err)
		}
	}
	if len(opened.to) > 0 {
		t.Errorf("connected to %v", opened.to)
	}
}

// TestAPublicAddressAmongPrivateOnesIsTheOnlyOneTried shows that the count
// would see a connection.
func TestAPublicAddressAmongPrivateOnesIsTheOnlyOneTried(t *testing.T) {
	t.Parallel()
	n := newNames()
	n.say("mixed.example.com", addresses(t, "10.0.0.1", "8.8.8.8", "127.0.0.1"))
	for port, want := range map[string]int{"443": 1, "22": 0} {
		var opened connections
		_, err := opened.dialer(New(Config{Resolver: n.resolver()})).DialContext(t.Context(), "tcp", "mixed.example.com:"+port)
		if err == nil || len(opened.to) != want || want == 1 && opened.to[0] != "8.8.8.8:443" {
			t.Errorf("connected to %v (%v)", opened.to, err)
		}
	}
}
