package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/firstviscount/platform-coordination/examples/participants/service"
	"github.com/firstviscount/platform-coordination/examples/participants/shop"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

const (
	defaultListen = "127.0.0.1:9001"
	// maxConcurrency is what the configuration suggests to the coordinator.
	maxConcurrency = 64
	// secretVariable is where the secret is read from if no flag gives it:
	// a command line can be seen by every user of the machine.
	secretVariable = "PARTICIPANTS_SECRET"
	maxPort        = 65535
)

// config is a valid command line.
type config struct {
	places      []place
	secretText  string
	secret      webhook.Secret
	fsync       bool
	printConfig bool
	bus         string // the URL of the message bus; "" with HTTP
}

// place is a service with its address and its ledger.
type place struct {
	definition service.Definition
	address    string
	ledger     string
}

// flags are the command line as it was given.
type flags struct {
	service, listen, ledger, ledgerDir, secret string
	transport, bus                             string
	all, fsync, config                         bool
}

// parse reads the command line. An error is one line for the user.
func parse(args []string, getenv func(string) string, help io.Writer) (*config, error) {
	f, err := parseFlags(args, help)
	if err != nil {
		return nil, err
	}
	if f.secret == "" {
		f.secret = getenv(secretVariable)
	}
	cfg := &config{secretText: f.secret, fsync: f.fsync, printConfig: f.config, bus: f.bus}
	switch {
	case f.transport != "http" && f.transport != "bus":
		return nil, errors.New("--transport: must be http or bus")
	case f.transport == "http" && f.bus != "":
		return nil, errors.New("--bus goes with --transport bus")
	case f.transport == "bus" && f.bus == "":
		return nil, errors.New("--transport bus needs --bus URL")
	}
	if f.secret != "" {
		if cfg.secret, err = webhook.ParseSecret(f.secret); err != nil {
			return nil, fmt.Errorf("--secret: %w", err)
		}
	}
	cfg.places, err = f.places()
	return cfg, err
}

func parseFlags(args []string, help io.Writer) (flags, error) {
	var f flags
	set := flag.NewFlagSet("participants", flag.ContinueOnError)
	set.SetOutput(io.Discard) // an error is reported once, by the caller
	set.StringVar(&f.service, "service", "", "the `name` of the one service to run")
	set.BoolVar(&f.all, "all", false, "run all services, on consecutive ports")
	set.StringVar(&f.listen, "listen", defaultListen, "`host:port` of the (first) service")
	set.StringVar(&f.transport, "transport", "http", "how commands come: http or bus")
	set.StringVar(&f.bus, "bus", "", "with --transport bus: nats://…, kafka://…, amqp://… or postgres://…")
	set.StringVar(&f.ledger, "ledger", "", "with --service: the `file` that remembers its effects")
	set.StringVar(&f.ledgerDir, "ledger-dir", "", "with --all: the `directory` of the ledgers")
	set.StringVar(&f.secret, "secret", "", "whsec_… secret that commands are signed with (or $"+secretVariable+")")
	set.BoolVar(&f.fsync, "fsync", true, "wait for the disk before answering; false is for benchmarks")
	set.BoolVar(&f.config, "config", false, "print the entries for the coordinator's --participants file and exit")
	err := set.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		set.SetOutput(help)
		set.PrintDefaults()
		return f, err
	}
	if err == nil && set.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", set.Arg(0))
	}
	return f, err
}

// places decides which services run where.
func (f flags) places() ([]place, error) {
	if f.all == (f.service != "") {
		return nil, errors.New("give either --service NAME or --all")
	}
	host, port, err := splitAddress(f.listen)
	if err != nil {
		return nil, err
	}
	if f.config && port == 0 {
		return nil, errors.New("--listen: --config needs a port")
	}
	if f.all {
		return f.allPlaces(host, port)
	}
	return f.onePlace()
}

func (f flags) onePlace() ([]place, error) {
	all := shop.Services(shop.Usual)
	i := slices.IndexFunc(all, func(d service.Definition) bool { return d.Name == f.service })
	switch {
	case i < 0:
		return nil, fmt.Errorf("--service: must be one of %s", strings.Join(names(all), ", "))
	case f.ledgerDir != "":
		return nil, errors.New("--ledger-dir goes with --all; --service takes --ledger")
	case f.ledger == "" && !f.config:
		return nil, errors.New("--ledger: the service needs a file to remember its effects")
	}
	return []place{{all[i], f.listen, f.ledger}}, nil
}

func (f flags) allPlaces(host string, port int) ([]place, error) {
	all := shop.Services(shop.Usual)
	switch {
	case f.ledger != "":
		return nil, errors.New("--ledger goes with --service; --all takes --ledger-dir")
	case f.ledgerDir == "" && !f.config:
		return nil, errors.New("--ledger-dir: the services need a directory to remember their effects")
	case port+len(all)-1 > maxPort:
		return nil, fmt.Errorf("--listen: no %d ports from %d", len(all), port)
	}
	places := make([]place, 0, len(all))
	for i, d := range all {
		p := port
		if port != 0 { // 0 lets the system choose, each time anew
			p += i
		}
		address := net.JoinHostPort(host, strconv.Itoa(p))
		places = append(places, place{d, address, filepath.Join(f.ledgerDir, d.Name+".jsonl")})
	}
	return places, nil
}

func splitAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, errors.New("--listen: must be host:port")
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < 0 || port > maxPort {
		return "", 0, errors.New("--listen: the port must be a number up to 65535")
	}
	return host, port, nil
}

func names(all []service.Definition) []string {
	var names []string
	for _, d := range all {
		names = append(names, d.Name)
	}
	return names
}

// yaml is what the coordinator's --participants file needs to find the
// services. It holds the secret, if there is one.
func (c *config) yaml() string {
	var out strings.Builder
	out.WriteString("participants:\n")
	for _, p := range c.places {
		if c.bus != "" {
			fmt.Fprintf(&out, "  %s:\n    transport: bus\n", p.definition.Name)
			continue
		}
		fmt.Fprintf(&out, "  %s:\n    transport: http\n    url: %s\n", p.definition.Name, urlOf(p.address))
		if c.secretText != "" {
			fmt.Fprintf(&out, "    secret: %q\n", c.secretText)
		}
		fmt.Fprintf(&out, "    maxConcurrency: %d\n", maxConcurrency)
	}
	return out.String()
}

// urlOf is the URL to reach an address of this machine.
func urlOf(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "http://" + address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
