package guard

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/ports"
)

// hostileURLs is how many different URLs are tried.
const hostileURLs = 10_000

// spellings are the ways to write an IPv4 address in the host of a URL that one
// or the other program understands.
var spellings = []func(b [4]byte, n uint32) string{
	func(b [4]byte, _ uint32) string { return fmt.Sprintf("%d.%d.%d.%d", b[0], b[1], b[2], b[3]) },
	func(b [4]byte, _ uint32) string { return fmt.Sprintf("%d.%d.%d.%d.", b[0], b[1], b[2], b[3]) },
	func(b [4]byte, _ uint32) string { return fmt.Sprintf("0%o.0%o.0%o.0%o", b[0], b[1], b[2], b[3]) },
	func(b [4]byte, _ uint32) string { return fmt.Sprintf("%#x.%#x.%#x.%#x", b[0], b[1], b[2], b[3]) },
	func(b [4]byte, _ uint32) string { return fmt.Sprintf("0X%X.%d.0%o.%#x", b[0], b[1], b[2], b[3]) },
	func(b [4]byte, _ uint32) string { return fmt.Sprintf("%03d.%03d.%03d.%03d", b[0], b[1], b[2], b[3]) },
	func(b [4]byte, _ uint32) string { return fmt.Sprintf("00000%o.%d.%d.%d", b[0], b[1], b[2], b[3]) },
	func(_ [4]byte, n uint32) string { return fmt.Sprintf("%d", n) },
	func(_ [4]byte, n uint32) string { return fmt.Sprintf("%#x", n) },
	func(_ [4]byte, n uint32) string { return fmt.Sprintf("0%o", n) },
	func(_ [4]byte, n uint32) string { return fmt.Sprintf("0x0000000000%x", n) },
	func(b [4]byte, n uint32) string { return fmt.Sprintf("%d.%d", b[0], n&0xffffff) },
	func(b [4]byte, n uint32) string { return fmt.Sprintf("%d.%d.%d", b[0], b[1], n&0xffff) },
	func(b [4]byte, n uint32) string { return fmt.Sprintf("%#x.%#x", b[0], n&0xffffff) },
	func(b [4]byte, _ uint32) string {
		return wide(fmt.Sprintf("%d.%d.%d.%d", b[0], b[1], b[2], b[3]), '０')
	},
	func(b [4]byte, _ uint32) string {
		return strings.ReplaceAll(fmt.Sprintf("%d.%d.%d.%d", b[0], b[1], b[2], b[3]), ".", "。")
	},
	func(b [4]byte, _ uint32) string {
		return escaped(fmt.Sprintf("%d.%d.%d.%d", b[0], b[1], b[2], b[3]))
	},
	func(b [4]byte, _ uint32) string { return fmt.Sprintf("[::ffff:%d.%d.%d.%d]", b[0], b[1], b[2], b[3]) },
	func(_ [4]byte, n uint32) string { return fmt.Sprintf("[::ffff:%x:%x]", n>>16, n&0xffff) },
	func(_ [4]byte, n uint32) string { return fmt.Sprintf("[0:0:0:0:0:FFFF:%X:%X]", n>>16, n&0xffff) },
	func(b [4]byte, _ uint32) string { return fmt.Sprintf("[::%d.%d.%d.%d]", b[0], b[1], b[2], b[3]) },
	func(_ [4]byte, n uint32) string { return fmt.Sprintf("[::ffff:0:%x:%x]", n>>16, n&0xffff) },
	func(_ [4]byte, n uint32) string { return fmt.Sprintf("[64:ff9b::%x:%x]", n>>16, n&0xffff) },
	func(_ [4]byte, n uint32) string { return fmt.Sprintf("[64:ff9b:1::%x:%x]", n>>16, n&0xffff) },
	func(_ [4]byte, n uint32) string { return fmt.Sprintf("[2002:%x:%x::1]", n>>16, n&0xffff) },
	func(_ [4]byte, n uint32) string { return fmt.Sprintf("[2001:0:%x:%x::1]", n>>16, n&0xffff) },
	func(_ [4]byte, n uint32) string { return fmt.Sprintf("[2001::%x:%x]", ^n>>16, ^n&0xffff) },
	func(b [4]byte, _ uint32) string {
		return fmt.Sprintf("[::ffff:%d.%d.%d.%d%%25lo]", b[0], b[1], b[2], b[3])
	},
	func(b [4]byte, _ uint32) string {
		return fmt.Sprintf("%d-%d-%d-%d.rebind.example.com", b[0], b[1], b[2], b[3])
	},
}

// wide writes digits as others that Unicode normalisation makes the same.
func wide(text string, zero rune) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return c - '0' + zero
		}
		return c
	}, text)
}

func escaped(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		fmt.Fprintf(&b, "%%%02x", c)
	}
	return b.String()
}

// wrappings are the URLs that a host can be put into.
var wrappings = []string{
	"https://%s", "https://%s/", "https://%s/hook?x=1", "https://%s:443/", "https://%s:8443/", "https://%s:80/", "https://%s:/", "http://%s/",
	"HTTPS://%s/", "https://good.example.com@%s/", "https://good.example.com:443@%s/", "https://u:p@%s/", "https://good.example.com\\@%s/",
	"https://%s#@good.example.com/", "https://%s#good.example.com", "https://%s?good.example.com", "https://%s\\.good.example.com/",
	"https://%s%%00.good.example.com/", "https://%s%%2f.good.example.com/", "https:////%s/", "https:/%s/", "https:%s", "//%s/", " https://%s/",
	"https://\t%s/", "https://%s\n/", "ftp://%s/", "gopher://%s:443/_x", "file://%s/etc/passwd", "https://[%s]/", "https://%s%%20/",
}

// hostile are different URLs, each of which means an address that is forbidden
// to somebody; the names among them are made to resolve to it.
func hostile(n *names, count int) []string {
	random := rand.New(rand.NewPCG(1, 2))
	hosts := []string{"localhost", "LOCALHOST", "localhost.localdomain", "ip6-localhost", "metadata.google.internal", "metadata", "instance-data",
		"kubernetes.default.svc.cluster.local", "host.docker.internal"}
	for _, a := range forbidden6 {
		hosts = append(hosts, "["+a+"]", "["+netip.MustParseAddr(a).StringExpanded()+"]")
	}
	addresses := append([]string{}, forbidden...)
	for range 40 { // and others in the same networks
		base := netip.MustParseAddr(forbidden[random.IntN(len(forbidden))]).As4()
		base[3] = byte(random.IntN(256))
		if a := netip.AddrFrom4(base); find(neverNetworks, a)+find(privateNetworks, a) != "" {
			addresses = append(addresses, a.String())
		}
	}
	for _, text := range addresses {
		a := netip.MustParseAddr(text)
		b := a.As4()
		for _, spell := range spellings {
			hosts = append(hosts, spell(b, uint32(b[0])<<24|uint32(b[1])<<16|uint32(b[2])<<8|uint32(b[3])))
		}
		n.say(fmt.Sprintf("%d-%d-%d-%d.rebind.example.com", b[0], b[1], b[2], b[3]), []netip.Addr{a})
	}
	seen := map[string]bool{}
	var urls []string
	for len(urls) < count {
		url := fmt.Sprintf(wrappings[random.IntN(len(wrappings))], hosts[random.IntN(len(hosts))])
		if !seen[url] {
			seen[url] = true
			urls = append(urls, url)
		}
	}
	return urls
}

// TestHostileURLsReachNothing asks for each of them twice: at the registration,
// and, as if that had let it through, at the connection.
func TestHostileURLsReachNothing(t *testing.T) {
	t.Parallel()
	n := newNames()
	urls := hostile(n, hostileURLs)
	g := New(Config{Resolver: n.resolver()})
	var opened connections
	transport := &http.Transport{DialContext: opened.dialer(g).DialContext}
	registered, dialled, stopped := 0, 0, 0
	for _, url := range urls {
		if u, err := g.CheckURL(url); err == nil {
			registered++
			if err := g.CheckHost(t.Context(), u.Hostname()); err == nil {
				t.Errorf("%q can be registered", url)
			}
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
		if err != nil {
			continue
		}
		dialled++
		response, err := transport.RoundTrip(request)
		if err == nil {
			response.Body.Close()
			t.Errorf("%q was reached", url)
		}
		var target *ports.TargetError
		if errors.As(err, &target) {
			stopped++
		}
	}
	if len(opened.to) > 0 {
		t.Errorf("%d connections, the first to %s", len(opened.to), opened.to[0])
	}
	// Otherwise the test has tried less than it says.
	if dialled < hostileURLs/3 || stopped < hostileURLs/5 || registered == 0 {
		t.Errorf("of %d URLs %d were dialled, %d stopped by the guard, %d looked harmless as text", len(urls), dialled, stopped, registered)
	}
	t.Logf("%d URLs: %d dialled, %d stopped by the guard at the connection, %d harmless as text", len(urls), dialled, stopped, registered)
}
