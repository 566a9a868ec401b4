package guard

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// names is a DNS server under the test's control: it says what each name
// resolves to, and may say otherwise the next time.
type names struct {
	mu      sync.Mutex
	answers map[string][][]netip.Addr // by name, one list per look-up; the last one stays
	asked   map[string]int            // A queries
}

func newNames() *names {
	return &names{answers: map[string][][]netip.Addr{}, asked: map[string]int{}}
}

// say makes a name resolve to these addresses, look-up by look-up.
func (n *names) say(name string, lookUps ...[]netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answers[name] = lookUps
}

// resolver asks n, over a pipe.
func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go n.serve(server)
		return client, nil
	}}
}

const (
	dnsHeader = 12
	typeA     = 1
	typeAAAA  = 28
)

// serve answers queries in the framing of DNS over TCP.
func (n *names) serve(c net.Conn) {
	defer c.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		answer := n.answer(query)
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

// answer is the response to a query of one question.
func (n *names) answer(query []byte) []byte {
	var labels []string
	at := dnsHeader
	for query[at] != 0 {
		length := int(query[at])
		labels = append(labels, string(query[at+1:at+1+length]))
		at += 1 + length
	}
	end := at + 5 // the root label, type and class
	kind := binary.BigEndian.Uint16(query[at+1:])
	found, known := n.lookUp(strings.ToLower(strings.Join(labels, ".")), kind)
	out := append([]byte(nil), query[:2]...)
	flags := uint16(0x8180)
	if !known {
		flags |= 3 // no such name
	}
	out = binary.BigEndian.AppendUint16(out, flags)
	out = binary.BigEndian.AppendUint16(out, 1)
	out = binary.BigEndian.AppendUint16(out, uint16(len(found)))
	out = append(out, 0, 0, 0, 0)
	out = append(out, query[dnsHeader:end]...)
	for _, a := range found {
		out = append(out, 0xc0, dnsHeader)
		out = binary.BigEndian.AppendUint16(out, kind)
		out = append(out, 0, 1, 0, 0, 0, 0)
		out = binary.BigEndian.AppendUint16(out, uint16(len(a.AsSlice())))
		out = append(out, a.AsSlice()...)
	}
	return out
}

func (n *names) lookUp(name string, kind uint16) (found []netip.Addr, known bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	lists := n.answers[name]
	if len(lists) == 0 {
		return nil, false
	}
	at := n.asked[name]
	if kind == typeAAAA { // asked beside the A query of the same look-up
		at = max(at-1, 0)
	} else {
		n.asked[name]++
	}
	for _, a := range lists[min(at, len(lists)-1)] {
		if a.Is4() == (kind == typeA) {
			found = append(found, a)
		}
	}
	return found, true
}

func addresses(t testing.TB, list ...string) []netip.Addr {
	t.Helper()
	all := make([]netip.Addr, len(list))
	for i, text := range list {
		all[i] = netip.MustParseAddr(text)
	}
	return all
}
