package guard

import "net/netip"

// network is a range of addresses and what to call it.
type network struct {
	prefix netip.Prefix
	what   string
}

func networks(list ...string) []network {
	all := make([]network, 0, len(list)/2)
	for i := 0; i < len(list); i += 2 {
		all = append(all, network{netip.MustParsePrefix(list[i]), list[i+1]})
	}
	return all
}

// neverNetworks are no destination at all, or hand out the credentials of the
// machine: closed also where private networks are open.
var neverNetworks = networks(
	"0.0.0.0/8", "an unspecified address",
	"169.254.0.0/16", "a link-local address",
	"100.100.100.200/32", "a metadata service",
	"168.63.129.16/32", "a metadata service",
	"192.0.0.0/24", "a reserved address",
	"224.0.0.0/4", "a multicast address",
	"240.0.0.0/4", "a reserved address",
	"::/128", "an unspecified address",
	"2001::/32", "a relay address", // Teredo: an IPv4 address inside
	"2002::/16", "a relay address", // 6to4: likewise
	"fe80::/10", "a link-local address",
	"fd00:ec2::/32", "a metadata service",
	"ff00::/8", "a multicast address",
)

// privateNetworks are those that the IANA registries of special purpose
// addresses do not call globally reachable, beside the ones above.
var privateNetworks = networks(
	"10.0.0.0/8", "a private address",
	"100.64.0.0/10", "a shared address",
	"127.0.0.0/8", "a loopback address",
	"172.16.0.0/12", "a private address",
	"192.0.2.0/24", "a documentation address",
	"192.88.99.0/24", "a relay address",
	"192.168.0.0/16", "a private address",
	"198.18.0.0/15", "a benchmarking address",
	"198.51.100.0/24", "a documentation address",
	"203.0.113.0/24", "a documentation address",
	"::1/128", "a loopback address",
	"fc00::/7", "a private address",
	"2001::/23", "a reserved address",
	"2001:db8::/32", "a documentation address",
	"3fff::/20", "a documentation address",
)

// unicast are the parts of IPv6 in which hosts have addresses.
var unicast = networks("2000::/3", "global", "fc00::/7", "private", "::1/128", "loopback")

// translated is the well-known prefix of NAT64 (RFC 6052): an IPv4 address
// follows, and whoever has IPv6 only reaches IPv4 by it.
var translated = netip.MustParsePrefix("64:ff9b::/96")

const embeddedAt = 12 // byte of the IPv4 address in a translated one

// plain is the IPv4 address that a stands for, if it stands for one.
func plain(a netip.Addr) netip.Addr {
	a = a.Unmap()
	if translated.Contains(a) {
		b := a.As16()
		return netip.AddrFrom4([4]byte(b[embeddedAt:]))
	}
	return a
}

// never says what an address is that no setting opens; "" if it is none.
func never(a netip.Addr) string {
	if what := find(neverNetworks, a); what != "" {
		return what
	}
	if a.Is6() && find(unicast, a) == "" { // IPv4-compatible, translated by another prefix, or not assigned
		return "a reserved address"
	}
	return ""
}

func find(list []network, a netip.Addr) string {
	for _, n := range list {
		if n.prefix.Contains(a) {
			return n.what
		}
	}
	return ""
}
