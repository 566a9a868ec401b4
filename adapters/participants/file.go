// Package participants reads which service is reached how, and opens the
// participants of a coordinator: over HTTP, over the bus, or simulated.
package participants

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// Limits of a participants file.
const (
	MaxFileBytes          = 1 << 20
	DefaultMaxConcurrency = 64
	MaxMaxConcurrency     = 4096
)

// TestService is the participant of COMPENSATION_TEST. It is always simulated.
const TestService = "test-service"

// Transport is how commands reach a participant.
type Transport string

// The transports.
const (
	HTTP      Transport = "http"
	Bus       Transport = "bus"
	Simulated Transport = "simulated"
)

// Entry says how one service is reached.
type Entry struct {
	Transport Transport
	URL       string         // with HTTP
	Secret    webhook.Secret // with HTTP, optional
	// MaxConcurrency is how many commands the service gets at once.
	MaxConcurrency int
}

// File is a participants file: its entries by service.
type File map[string]Entry

// FileError lists every fault of a participants file, each with the service
// and member it is in. It quotes neither URLs nor secrets.
type FileError struct{ Faults []string }

func (e *FileError) Error() string {
	return "participants: " + strings.Join(e.Faults, "; ")
}

// Load reads a participants file; see Parse.
func Load(path string) (File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // read only: nothing is lost
	text, err := io.ReadAll(io.LimitReader(file, MaxFileBytes+1))
	if err != nil {
		return nil, err
	}
	return Parse(text)
}

// Parse reads the YAML text of a participants file:
//
//	participants:
//	  inventory-service: {transport: http, url: "http://127.0.0.1:9001", secret: whsec_…, maxConcurrency: 64}
//	  payment-service:   {transport: bus}
//
// It is strict: unknown and repeated members are faults. All faults are in the
// one *FileError.
func Parse(text []byte) (File, error) {
	if len(text) > MaxFileBytes {
		return nil, &FileError{[]string{fmt.Sprintf("larger than %d bytes", MaxFileBytes)}}
	}
	var document, rest yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		return nil, &FileError{[]string{"not YAML"}} // whose text could quote a secret
	}
	if !errors.Is(decoder.Decode(&rest), io.EOF) {
		return nil, &FileError{[]string{"more than one YAML document"}}
	}
	p := parser{file: File{}}
	if len(document.Content) == 1 {
		p.root(document.Content[0])
	} else {
		p.fault("want the one member participants")
	}
	if len(p.faults) > 0 {
		slices.Sort(p.faults)
		return nil, &FileError{p.faults}
	}
	return p.file, nil
}

// parser collects what is wrong, so that an author sees all of it at once.
type parser struct {
	file   File
	faults []string
}

func (p *parser) fault(format string, args ...any) {
	p.faults = append(p.faults, fmt.Sprintf(format, args...))
}

func (p *parser) root(n *yaml.Node) {
	found := false
	p.each("", n, func(name string, value *yaml.Node) {
		if name != "participants" {
			p.fault("%s: unknown member; want participants", name)
			return
		}
		found = true
		p.each("participants: ", value, p.service)
	})
	if !found && len(p.faults) == 0 {
		p.fault("want the one member participants")
	}
}

// each walks the members of a mapping.
func (p *parser) each(at string, n *yaml.Node, member func(name string, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		p.fault("%swant a mapping", at)
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i].Value
		if seen[name] {
			p.fault("%s%s: given twice", at, name)
			continue
		}
		seen[name] = true
		member(name, n.Content[i+1])
	}
}

var serviceName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`)

func (p *parser) service(service string, n *yaml.Node) {
	if !serviceName.MatchString(service) {
		p.fault("%s: a service's name must match %s", service, serviceName)
		return
	}
	e := Entry{MaxConcurrency: DefaultMaxConcurrency}
	given := map[string]bool{}
	before := len(p.faults)
	p.each(service+": ", n, func(name string, value *yaml.Node) {
		given[name] = true
		if fault := e.set(name, value); fault != "" {
			p.fault("%s: %s: %s", service, name, fault)
		}
	})
	if len(p.faults) == before {
		p.combination(service, e, given)
	}
	p.file[service] = e
}

// set reads one member; what is wrong with it, or "".
func (e *Entry) set(name string, n *yaml.Node) string {
	var err error
	switch {
	case n.Kind != yaml.ScalarNode:
		return "want a single value"
	case name == "transport":
		e.Transport = Transport(n.Value)
		if !slices.Contains([]Transport{HTTP, Bus, Simulated}, e.Transport) {
			return "want http, bus or simulated"
		}
	case name == "url":
		e.URL = n.Value
	case name == "secret":
		if e.Secret, err = webhook.ParseSecret(n.Value); err != nil {
			return err.Error()
		}
	case name == "maxConcurrency":
		if e.MaxConcurrency, err = strconv.Atoi(n.Value); err != nil || e.MaxConcurrency < 1 || e.MaxConcurrency > MaxMaxConcurrency {
			return fmt.Sprintf("want a number from 1 to %d", MaxMaxConcurrency)
		}
	default:
		return "unknown member; want transport, url, secret or maxConcurrency"
	}
	return ""
}

// combination checks what members mean together.
func (p *parser) combination(service string, e Entry, given map[string]bool) {
	switch {
	case !given["transport"]:
		p.fault("%s: transport: missing", service)
	case service == TestService && e.Transport != Simulated:
		p.fault("%s: transport: this service is always simulated", service)
	case e.Transport == HTTP && e.URL == "":
		p.fault("%s: url: missing", service)
	}
	for _, member := range []string{"url", "secret"} {
		if given[member] && e.Transport != HTTP {
			p.fault("%s: %s: only with transport http", service, member)
		}
	}
}
