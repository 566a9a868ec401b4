package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// reachTimeout is how long a target has to accept a connection.
const reachTimeout = 5 * time.Second

// errUnreachable: there is nothing to verify.
var errUnreachable = errors.New("cannot be reached")

// reach makes sure that somebody listens at a URL: one line says it better than
// every rule by itself.
func reach(ctx context.Context, target string) error {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("--url: want http://host… or https://host…")
	}
	port := u.Port()
	if port == "" {
		port = u.Scheme // its name will do
	}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return fmt.Errorf("--url: %w: %w", errUnreachable, err)
	}
	return conn.Close()
}
