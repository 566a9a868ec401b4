package guard

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// MaxURLLength is how long the URL of a webhook may be, in bytes.
const MaxURLLength = 2048

const (
	maxHostLength  = 253
	maxLabelLength = 63
)

// openPorts are those that webhooks may be sent to.
var openPorts = []string{"443", "8443"}

// innerNames are domains that mean something else on each network (RFC 6761,
// 6762, 8375, and what clouds use).
var innerNames = []string{"localhost", "local", "localdomain", "internal", "home.arpa"}

// CheckURL reads the URL of a webhook and refuses one that webhooks must not be
// sent to, as far as it can be told without resolving its host. The error is a
// *ports.TargetError.
func (g *Guard) CheckURL(text string) (*url.URL, error) {
	if len(text) > MaxURLLength {
		return nil, refused("is longer than 2,048 bytes")
	}
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return nil, refused("has a character that must be escaped")
		}
	}
	u, err := url.Parse(text)
	if err != nil { // its text would quote the URL
		return nil, refused("is not a URL")
	}
	switch {
	case u.Scheme != "https" && (u.Scheme != "http" || !g.private):
		return nil, refused("must begin with https://")
	case u.Opaque != "" || u.Host == "" || strings.HasSuffix(u.Host, ":"):
		return nil, refused("has no host")
	case u.User != nil:
		return nil, refused("must not hold a user or password")
	case strings.Contains(text, "#"):
		return nil, refused("must not have a fragment")
	}
	if port := u.Port(); port != "" {
		if err := g.checkPort(port); err != nil {
			return nil, err
		}
	}
	if err := g.checkName(strings.ToLower(u.Hostname())); err != nil {
		return nil, err
	}
	return u, nil
}

func (g *Guard) checkPort(port string) error {
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return refused("has no valid port")
	}
	if !g.private && !slices.Contains(openPorts, port) {
		return refused("must be on port 443 or 8443")
	}
	return nil
}

// checkName judges a host as it is written.
func (g *Guard) checkName(host string) error {
	if a, err := netip.ParseAddr(host); err == nil {
		if !g.private {
			return refused("must have a host name, not an address")
		}
		return g.CheckAddr(a)
	}
	labels := strings.Split(host, ".")
	if len(host) > maxHostLength || slices.ContainsFunc(labels, isNoLabel) {
		return refused("has no valid host name")
	}
	if isNumber(labels[len(labels)-1]) { // an address in another spelling, to those who read it so
		return refused("must have a host name, not an address")
	}
	if g.private {
		return nil
	}
	if len(labels) < 2 {
		return refused("must have a fully qualified host name")
	}
	for _, inner := range innerNames {
		if host == inner || strings.HasSuffix(host, "."+inner) {
			return refused("has a host name of an inner network")
		}
	}
	return nil
}

// isNoLabel reports what is not 1 to 63 letters, digits and inner hyphens. An
// empty label is none, so neither is a dot at the end.
func isNoLabel(label string) bool {
	if label == "" || len(label) > maxLabelLength || label[0] == '-' || label[len(label)-1] == '-' {
		return true
	}
	return strings.ContainsFunc(label, func(c rune) bool {
		return c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z')
	})
}

// isNumber reports a label that some resolvers read as a part of an IPv4
// address: decimal, octal, or hexadecimal.
func isNumber(label string) bool {
	digits, hex := strings.CutPrefix(label, "0x")
	return strings.Trim(digits, "0123456789") == "" || hex && strings.Trim(digits, "0123456789abcdef") == ""
}
