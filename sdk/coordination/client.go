package coordination

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Version is the version of this client, sent as part of its User-Agent.
const Version = "0.1.0"

// Defaults of a Client.
const (
	// DefaultTimeout bounds one attempt of a call; a wait asked for with
	// WithWait comes on top.
	DefaultTimeout = 30 * time.Second
	// DefaultMaxResponseBytes bounds the body of one response.
	DefaultMaxResponseBytes = 8 << 20
)

// Client calls the Platform Coordination API. Its services are fields. It is
// safe for concurrent use.
//
// Every call can be repeated without harm: reads by nature, mutations because
// each carries an idempotency key that stays the same over the attempts of one
// call. So the client repeats a call when the connection failed or the service
// answered 429, 502 or 503, or something in between answered 504, within the
// limits of [Retries]. Errors of the API are *[Error].
type Client struct {
	// Workflows starts, watches and steers workflows.
	Workflows *WorkflowService
	// Sagas shows and compensates the sagas behind workflows.
	Sagas *SagaService
	// Templates shows the workflow templates.
	Templates *TemplateService
	// Health shows the health of the service.
	Health *HealthService
	// Callbacks answers commands that a participant has accepted.
	Callbacks *CallbackService
	// Webhooks keeps webhooks: whom the coordinator tells of which events.
	Webhooks *WebhookService
	// Batches does one thing to many workflows.
	Batches *BatchService
	// Audit says who changed what.
	Audit *AuditService

	base             string
	http             *http.Client
	token            TokenSource
	retries          Retries
	timeout          time.Duration
	maxResponseBytes int64
	userAgent        string
}

// Option configures a Client.
type Option func(*Client) error

// WithHTTPClient sends requests through client, for example one whose transport
// traces. By default the client has its own, which follows no redirects.
func WithHTTPClient(client *http.Client) Option {
	return func(c *Client) error {
		if client == nil {
			return errors.New("HTTP client is nil")
		}
		c.http = client
		return nil
	}
}

// WithRetry changes how calls are repeated; Retries{MaxAttempts: 1} turns
// repetition off.
func WithRetry(retries Retries) Option {
	return func(c *Client) error {
		c.retries = retries.withDefaults()
		return nil
	}
}

// WithTimeout bounds one attempt of a call; it must be positive.
func WithTimeout(timeout time.Duration) Option {
	return func(c *Client) error {
		if timeout <= 0 {
			return errors.New("timeout is not positive")
		}
		c.timeout = timeout
		return nil
	}
}

// WithMaxResponseBytes bounds the body of a response; it must be positive. A
// longer one is [ErrResponseTooLarge].
func WithMaxResponseBytes(limit int64) Option {
	return func(c *Client) error {
		if limit <= 0 {
			return errors.New("response limit is not positive")
		}
		c.maxResponseBytes = limit
		return nil
	}
}

// WithUserAgent puts product in front of the User-Agent of this client.
func WithUserAgent(product string) Option {
	return func(c *Client) error {
		c.userAgent = product + " " + c.userAgent
		return nil
	}
}

// New returns a client of the API at baseURL, an absolute http or https URL
// with the base path, such as http://platform-coordination:8081/api/v1.
func New(baseURL string, options ...Option) (*Client, error) {
	base, err := checkBaseURL(baseURL)
	if err != nil {
		return nil, err
	}
	client := &Client{
		base:             base,
		http:             &http.Client{CheckRedirect: refuseRedirects},
		retries:          Retries{}.withDefaults(),
		timeout:          DefaultTimeout,
		maxResponseBytes: DefaultMaxResponseBytes,
		userAgent:        "platform-coordination-go/" + Version,
	}
	for _, option := range options {
		if err := option(client); err != nil {
			return nil, fmt.Errorf("coordination: %w", err)
		}
	}
	client.Workflows = &WorkflowService{client}
	client.Sagas = &SagaService{client}
	client.Templates = &TemplateService{client}
	client.Health = &HealthService{client}
	client.Callbacks = &CallbackService{client}
	client.Webhooks = &WebhookService{client}
	client.Batches = &BatchService{client}
	client.Audit = &AuditService{client}
	return client, nil
}

// refuseRedirects hands a redirect back as the response: the API never sends
// one, so following it could only take the token elsewhere.
func refuseRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// checkBaseURL returns baseURL without trailing slashes.
func checkBaseURL(baseURL string) (string, error) {
	parsed, err := url.Parse(baseURL)
	switch {
	case err != nil:
		return "", errors.New("coordination: base URL does not parse")
	case parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "":
		return "", errors.New("coordination: base URL is not an absolute http or https URL")
	case parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "":
		return "", errors.New("coordination: base URL has more than scheme, host and path")
	}
	return strings.TrimRight(baseURL, "/"), nil
}
