package auth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"

	"github.com/firstviscount/platform-coordination/ports"
)

// How a key set is fetched and how long it is believed.
const (
	// RefreshInterval is how often a key set is fetched anew.
	RefreshInterval = 15 * time.Minute
	// UnknownKeyInterval is how often at most a token with an unknown key makes it be fetched.
	UnknownKeyInterval = 30 * time.Second
	// MaxKeySetAge is how long the last good key set serves while its source is away.
	MaxKeySetAge = 24 * time.Hour
	// MaxKeySetBytes bounds a key set.
	MaxKeySetBytes = 1 << 20
	// MinRSABits is the shortest RSA modulus that is accepted.
	MinRSABits = 2048

	fetchTimeout = 5 * time.Second
	// A request hardly waits for the limit on fetches: who would have to wait
	// longer is refused at once. A busy machine needs some of it to come to that.
	fetchLimitWait = 100 * time.Millisecond
)

// keySet finds public keys in a JWKS, by "kid" where the token has one.
type keySet struct {
	keys     keyfunc.Keyfunc
	stop     context.CancelFunc
	now      func() time.Time
	lastGood *atomic.Int64 // Unix seconds of the last good fetch; nil for a file
}

func newKeySet(c *Config) (*keySet, error) {
	if strings.HasPrefix(c.JWKS, "http://") || strings.HasPrefix(c.JWKS, "https://") {
		return fetchedKeySet(c)
	}
	data, err := os.ReadFile(c.JWKS)
	if err != nil {
		return nil, fmt.Errorf("auth: read the JWKS file: %w", err)
	}
	keys, err := keyfunc.NewJWKSetJSON(data)
	if err != nil {
		return nil, fmt.Errorf("auth: the JWKS file is not a JSON Web Key Set: %w", err)
	}
	all, err := keys.Storage().KeyReadAll(context.Background())
	if err != nil || len(all) == 0 {
		return nil, errors.New("auth: the JWKS file has no keys")
	}
	return &keySet{keys: keys, stop: func() {}, now: c.now()}, nil
}

func fetchedKeySet(c *Config) (*keySet, error) {
	set := &keySet{now: c.now(), lastGood: new(atomic.Int64)}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if c.Client != nil {
		client = *c.Client
	}
	client.Transport = &watchedTransport{next: client.Transport, set: set}
	var ctx context.Context
	ctx, set.stop = context.WithCancel(context.Background())
	logger := c.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	var err error
	set.keys, err = keyfunc.NewDefaultOverrideCtx(ctx, []string{c.JWKS}, keyfunc.Override{
		Client:            &client,
		HTTPTimeout:       fetchTimeout,
		RefreshInterval:   RefreshInterval,
		RefreshUnknownKID: rate.NewLimiter(rate.Every(UnknownKeyInterval), 1),
		RateLimitWaitMax:  fetchLimitWait,
		RefreshErrorHandlerFunc: func(string) func(context.Context, error) {
			return func(ctx context.Context, err error) {
				logger.WarnContext(ctx, "cannot fetch the JWKS; the last good one stays in use", "error", err)
			}
		},
	})
	if err != nil {
		set.stop()
		return nil, fmt.Errorf("auth: JWKS: %w", err)
	}
	return set, nil
}

func (s *keySet) close() { s.stop() }

func (s *keySet) key(ctx context.Context, token *jwt.Token) (any, error) {
	key, err := s.keys.KeyfuncCtx(ctx)(token)
	if s.stale(ctx) {
		return nil, ports.ErrUnavailable
	}
	if err != nil {
		return nil, err
	}
	if set, ok := key.(jwt.VerificationKeySet); ok {
		return usable(set)
	}
	return key, weakness(key)
}

// stale reports whether there is no key set to judge by.
func (s *keySet) stale(ctx context.Context) bool {
	if s.lastGood == nil {
		return false
	}
	all, err := s.keys.Storage().KeyReadAll(ctx)
	return err != nil || len(all) == 0 || s.now().Sub(time.Unix(s.lastGood.Load(), 0)) > MaxKeySetAge
}

// usable drops the keys that would be refused by themselves.
func usable(set jwt.VerificationKeySet) (jwt.VerificationKeySet, error) {
	var kept jwt.VerificationKeySet
	for _, key := range set.Keys {
		if weakness(key) == nil {
			kept.Keys = append(kept.Keys, key)
		}
	}
	if len(kept.Keys) == 0 {
		return kept, jwkset.ErrKeyNotFound
	}
	return kept, nil
}

// weakness refuses keys that nothing should be verified with: secrets, which
// would let the algorithm families mix, and short RSA moduli.
func weakness(key crypto.PublicKey) error {
	switch key := key.(type) {
	case []byte:
		return errors.New("a key set must not hold shared secrets")
	case *rsa.PublicKey:
		if key.N.BitLen() < MinRSABits {
			return fmt.Errorf("RSA key shorter than %d bits", MinRSABits)
		}
	}
	return nil
}

// watchedTransport bounds what a fetch can read and notes when one succeeded.
type watchedTransport struct {
	next http.RoundTripper
	set  *keySet
}

func (t *watchedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	next := t.next
	if next == nil {
		next = http.DefaultTransport
	}
	response, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, MaxKeySetBytes+1))
	_ = response.Body.Close()
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(data))
	if response.StatusCode != http.StatusOK {
		return response, nil
	}
	if len(data) > MaxKeySetBytes || !isKeySet(data) {
		return nil, fmt.Errorf("the answer is no key set of at most %d bytes", MaxKeySetBytes)
	}
	t.set.lastGood.Store(t.set.now().Unix())
	return response, nil
}

// isKeySet reports a key set that has keys. Nothing else makes the last good
// one younger, or replaces it.
func isKeySet(data []byte) bool {
	var set struct{ Keys []json.RawMessage }
	return json.Unmarshal(data, &set) == nil && len(set.Keys) > 0
}
