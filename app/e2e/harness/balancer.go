package harness

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// balancedTimeout is how long the balancer waits for one replica.
	balancedTimeout = 2 * time.Second
	maxBalancedBody = 1 << 20
)

// Balancer is one address for callbacks to several replicas, any of which takes
// them; whoever does not answer is passed over.
type Balancer struct {
	server *httptest.Server
	client *http.Client
	next   atomic.Uint64

	mu       sync.Mutex
	replicas []*Coordinator
}

// NewBalancer starts a balancer without replicas.
func NewBalancer(tb testing.TB) *Balancer {
	b := &Balancer{client: &http.Client{Timeout: balancedTimeout}}
	b.server = httptest.NewServer(b)
	tb.Cleanup(func() {
		b.server.CloseClientConnections() // a participant may be in the middle of a call
		b.server.Close()
		b.client.CloseIdleConnections()
	})
	return b
}

// URL is the base URL for --callback-url.
func (b *Balancer) URL() string { return b.server.URL }

// Add sends calls to a replica too.
func (b *Balancer) Add(c *Coordinator) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.replicas = append(b.replicas, c)
}

// ServeHTTP hands a request to the first replica that answers it.
func (b *Balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBalancedBody))
	if err != nil {
		return
	}
	b.mu.Lock()
	replicas := b.replicas
	b.mu.Unlock()
	first := int(b.next.Add(1))
	for i := range replicas {
		if b.forward(w, r, replicas[(first+i)%len(replicas)], body) {
			return
		}
	}
	http.Error(w, "no replica answers", http.StatusServiceUnavailable)
}

// forward reports whether a replica has answered.
func (b *Balancer) forward(w http.ResponseWriter, r *http.Request, to *Coordinator, body []byte) bool {
	request, err := http.NewRequestWithContext(r.Context(), r.Method, to.URL(r.URL.RequestURI()), bytes.NewReader(body))
	if err != nil {
		return false
	}
	request.Header = r.Header.Clone()
	response, err := b.client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, response.Body) // the caller may be gone
	return true
}
