package config

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Limits of durations.
const (
	// MinLease keeps the heartbeat, a fraction of the lease, affordable.
	MinLease = 100 * time.Millisecond
	// MaxLease bounds how long the work of a dead replica waits.
	MaxLease = 10 * time.Minute
)

// Off switches a listener or a feature off.
const Off = "off"

// Service is what the service is told. After Parse every member is set and
// checked, but for the ones that may be empty.
type Service struct {
	Listen              string         `default:":8081" help:"Address of the API and its documents."`
	OpsListen           string         `default:"127.0.0.1:9091" help:"Address of metrics and pprof, or off."`
	Store               Store          `placeholder:"STORE" help:"memory, sqlite:PATH or postgres://… (default ${store}; dev: memory)."`
	NoMigrate           bool           `help:"Refuse to start on a schema that is not up to date, instead of migrating it."`
	EncryptionKeys      EncryptionKeys `placeholder:"KEYS|FILE" help:"Keys that encrypt what is stored, each 32 bytes in base64, the newest first, separated by commas; or a file of them (default: one that is made once and kept in the store)."`
	Bus                 Bus            `default:"memory" placeholder:"BUS" help:"Message bus: memory, nats://…, kafka://HOST:PORT[,…], amqp://… or postgres://…"`
	Participants        string         `placeholder:"FILE" help:"YAML file of the participants (default: all simulated)."`
	JWTSecret           Secret         `name:"jwt-secret" placeholder:"SECRET" help:"HS256 secret of tokens, at least ${secret_bytes} bytes (dev makes one)."`
	JWKS                string         `name:"jwks" placeholder:"URL|FILE" help:"Key set for RS256, ES256 and EdDSA tokens; never with --jwt-secret."`
	JWTIssuer           string         `name:"jwt-issuer" placeholder:"ISSUER" help:"Required issuer of tokens."`
	JWTAudience         string         `name:"jwt-audience" placeholder:"AUDIENCE" help:"Required audience of tokens."`
	CallbackURL         string         `placeholder:"URL" help:"Base URL that participants call back (default: from --listen)."`
	RateLimit           string         `default:"on" enum:"on,off" help:"Limit requests per subject by role, and failed logins per address: ${enum}."`
	WebhookAllowPrivate bool           `help:"Allow http and private addresses as webhook targets (on in dev)."`
	Templates           string         `placeholder:"DIR" help:"Directory of further templates."`
	Retention           Retention      `default:"${retention}" placeholder:"PART=AGE,…" help:"How long what has ended is kept: completed, failed, cancelled, deliveries, audit, batches, each such as 30d, or never (default ${retention})."`
	Lease               time.Duration  `default:"10s" help:"How long a silent replica keeps its work."`
	LogLevel            string         `default:"info" enum:"debug,info,warn,error" help:"Least level that is logged: ${enum}."`
	LogFormat           string         `placeholder:"FORMAT" help:"text or json (default json; dev: text)."`
	DrainTimeout        time.Duration  `default:"25s" help:"How long a stop may take."`

	// WebhookSecret is the secret of every new webhook, if it is not empty, as
	// sdk/webhook reads it. No flag sets it: dev makes one that it can print.
	WebhookSecret Secret `kong:"-"`
	// SweepEvery is how often what is over its age is looked for; zero is the
	// sweeper's own. No flag sets it, nor ages below the limits: tests do.
	SweepEvery time.Duration `kong:"-"`
}

// defaults are the settings in which the commands differ.
type defaults struct {
	store     Store
	logFormat string
}

var (
	serveDefaults = defaults{store: mustStore(DefaultStore), logFormat: "json"}
	devDefaults   = defaults{store: Store{Kind: StoreMemory}, logFormat: "text"}
)

// mustStore parses a constant.
func mustStore(text string) Store {
	var s Store
	if err := s.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return s
}

// fill sets what was left out.
func (s *Service) fill(d defaults) {
	if s.Store.Kind == "" {
		s.Store = d.store
	}
	if s.LogFormat == "" {
		s.LogFormat = d.logFormat
	}
}

// check finds the first setting that cannot be obeyed.
func (s *Service) check(needsKey bool) error {
	for _, check := range []func() error{
		s.checkAddresses,
		func() error { return s.checkKeys(needsKey) },
		s.EncryptionKeys.check,
		s.checkCallbackURL,
		s.checkDurations,
		s.checkRest,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// check is that of the service; the program must be able to sign a token too.
func (d *Dev) check() error {
	if d.JWKS != "" {
		return usage("--jwks", "dev signs its own tokens; use serve, or --jwt-secret")
	}
	return d.Service.check(false)
}

func (s *Service) checkAddresses() error {
	if err := checkAddress("--listen", s.Listen); err != nil {
		return err
	}
	if s.OpsListen == Off {
		return nil
	}
	if err := checkAddress("--ops-listen", s.OpsListen); err != nil {
		return err
	}
	if _, port, _ := net.SplitHostPort(s.Listen); port != "0" && s.Listen == s.OpsListen {
		return usage("--ops-listen", "must differ from --listen")
	}
	return nil
}

// checkAddress accepts host:port with a numeric port; the host may be empty.
func checkAddress(setting, address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return usage(setting, fmt.Sprintf("%q is not HOST:PORT", address))
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return usage(setting, fmt.Sprintf("%q is not a port", port))
	}
	return nil
}

func (s *Service) checkKeys(needed bool) error {
	switch {
	case s.JWTSecret != "" && s.JWKS != "":
		return usage("--jwks", "cannot be used together with --jwt-secret")
	case s.JWTSecret != "":
		return s.JWTSecret.check()
	case s.JWKS == "" && needed:
		return usage("--jwt-secret", "missing; give a secret of at least "+minSecretText+" bytes, or --jwks")
	}
	return nil
}

func (s *Service) checkCallbackURL() error {
	if s.CallbackURL == "" {
		return nil
	}
	address, err := url.Parse(s.CallbackURL)
	switch {
	case err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https":
		return usage("--callback-url", "must be an absolute http or https URL")
	case address.RawQuery != "" || address.Fragment != "" || address.User != nil:
		return usage("--callback-url", "must have no user, query or fragment")
	}
	return nil
}

func (s *Service) checkDurations() error {
	if s.Lease < MinLease || s.Lease > MaxLease {
		return usage("--lease", fmt.Sprintf("must be between %s and %s", MinLease, MaxLease))
	}
	if s.DrainTimeout <= 0 {
		return usage("--drain-timeout", "must be positive")
	}
	return nil
}

func (s *Service) checkRest() error {
	if s.LogFormat != "text" && s.LogFormat != "json" {
		return usage("--log-format", "must be text or json")
	}
	return nil
}

// CallbackBase is the base URL that participants call back: the configured one,
// or the one of the API's listener. A listener on all addresses is called by
// the loopback address, which is right only for participants on this machine.
func (s *Service) CallbackBase(listener net.Addr) string {
	if s.CallbackURL != "" {
		return strings.TrimRight(s.CallbackURL, "/")
	}
	return BaseURL(listener)
}

// BaseURL is the URL under which this machine reaches a listener.
func BaseURL(listener net.Addr) string {
	host, port, err := net.SplitHostPort(listener.String())
	if err != nil {
		return "http://" + listener.String()
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
