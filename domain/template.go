package domain

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// Kind says what failure means once a step has succeeded.
type Kind string

// The kinds of a step. Before a pivot succeeds the saga can be undone; after
// it nothing is compensated automatically, it goes on or is parked.
const (
	Compensatable Kind = "compensatable"
	Pivot         Kind = "pivot"
	Retriable     Kind = "retriable"
)

// Policy says what happens when a step is rejected or has used up its attempts.
type Policy string

// The policies of onExhausted and onRejected.
const (
	PolicyCompensate Policy = "COMPENSATE" // undo what was done; the workflow ends FAILED
	PolicyPark       Policy = "PARK"       // wait for a person, then (after parkFor) compensate
	PolicyContinue   Policy = "CONTINUE"   // the step stays FAILED, the workflow goes on
)

// Defaults of a template's optional members.
const (
	DefaultStepTimeout     = Duration(30 * time.Second)
	DefaultMaxAttempts     = 3
	DefaultUndoAttempts    = 5
	DefaultInitialInterval = Duration(time.Second)
	DefaultUndoInterval    = Duration(500 * time.Millisecond)
	DefaultMaxInterval     = Duration(time.Minute)
	DefaultMultiplier      = Ratio(2000)
	DefaultJitter          = Ratio(200)
)

// Template is a workflow written down as data: which steps there are, in what
// order, and how each is undone. A running workflow is pinned to the template
// it was started with, by Hash; a later version never changes it.
type Template struct {
	ID          string `json:"templateId"`
	Name        string `json:"name"`
	Type        string `json:"type"`
	Version     string `json:"version"`
	Description string `json:"description,omitempty"`
	// Timeout bounds the forward part of the whole workflow; zero is no bound.
	// When it has passed, what was done is compensated.
	Timeout Duration `json:"timeout,omitempty"`
	// BusinessKey names the member of the input that identifies the business
	// object; at most one workflow of this type is active or COMPLETED for it.
	BusinessKey string `json:"businessKey,omitempty"`
	// Context is what the saga's context starts with.
	Context Parameters `json:"context,omitzero"`
	// Metadata is what lists and the status show of the input. Never put
	// anything secret here.
	Metadata      Parameters     `json:"metadata,omitzero"`
	Steps         []Step         `json:"steps"`
	Compensations []Compensation `json:"compensationSteps,omitempty"`
	Active        bool           `json:"active"`

	graph *graph // derived by Compile
	hash  string
}

// Step is one command to a participant.
type Step struct {
	Name        string `json:"name"`
	Service     string `json:"service"`
	Action      string `json:"action"`
	Description string `json:"description,omitempty"`
	Kind        Kind   `json:"kind,omitempty"`
	// After names the steps that must be settled first: absent means the
	// step before this one in the list, an empty list means none.
	After             []string    `json:"after,omitzero"`
	Timeout           Duration    `json:"timeout"`
	EstimatedDuration Duration    `json:"estimatedDuration,omitempty"`
	RetryPolicy       RetryPolicy `json:"retryPolicy"`
	Parameters        Parameters  `json:"parameters,omitzero"`
	Condition         Condition   `json:"condition,omitzero"`
	OnExhausted       Policy      `json:"onExhausted,omitempty"`
	OnRejected        Policy      `json:"onRejected,omitempty"`
	// ParkFor is how long PARK waits for a person before it compensates; zero waits for ever.
	ParkFor Duration `json:"parkFor,omitempty"`
	// FailureReason is what metrics call a compensation that this step caused;
	// empty means <STEP>_FAILED.
	FailureReason string `json:"failureReason,omitempty"`
	// Attributes are shown with the step wherever it is shown.
	Attributes map[string]json.RawMessage `json:"attributes,omitempty"`
}

// Compensation is the undo of one step, or, without Compensates, the hook
// that runs after every compensation and cannot change its result.
type Compensation struct {
	Name              string                     `json:"name"`
	Compensates       string                     `json:"compensates,omitempty"`
	Service           string                     `json:"service"`
	Action            string                     `json:"action"`
	Description       string                     `json:"description,omitempty"`
	Condition         Condition                  `json:"condition,omitzero"`
	Timeout           Duration                   `json:"timeout"`
	EstimatedDuration Duration                   `json:"estimatedDuration,omitempty"`
	RetryPolicy       RetryPolicy                `json:"retryPolicy"`
	Parameters        Parameters                 `json:"parameters,omitzero"`
	Attributes        map[string]json.RawMessage `json:"attributes,omitempty"`
}

// RetryPolicy says how often a command is sent and how long to wait between:
// min(initialInterval × backoffMultiplier^(n-1), maxInterval), plus up to jitter of it.
type RetryPolicy struct {
	MaxAttempts       int      `json:"maxAttempts"`
	InitialInterval   Duration `json:"initialInterval,omitempty"`
	BackoffMultiplier Ratio    `json:"backoffMultiplier"`
	MaxInterval       Duration `json:"maxInterval,omitempty"`
	Jitter            *Ratio   `json:"jitter,omitempty"`
}

// Ratio is a decimal with three digits after the point, kept in thousandths:
// policies are computed without binary fractions, equally on every machine.
type Ratio int64

// MarshalJSON writes r as a JSON number.
func (r Ratio) MarshalJSON() ([]byte, error) {
	if r%1000 == 0 {
		return fmt.Appendf(nil, "%d", r/1000), nil
	}
	return bytes.TrimRight(fmt.Appendf(nil, "%d.%03d", r/1000, r%1000), "0"), nil
}

// UnmarshalJSON reads a JSON number from 0 to 1000 with at most three digits after the point.
func (r *Ratio) UnmarshalJSON(b []byte) error {
	whole, frac, _ := bytes.Cut(b, []byte("."))
	if len(whole) == 0 || len(whole) > 4 || len(frac) > 3 {
		return fmt.Errorf("%.20s is not a number from 0 to 1000 with at most three decimals", b)
	}
	n := int64(0)
	for _, c := range append(append(append([]byte{}, whole...), frac...), "000"[len(frac):]...) {
		if c < '0' || c > '9' {
			return fmt.Errorf("%.20s is not a number from 0 to 1000 with at most three decimals", b)
		}
		n = n*10 + int64(c-'0')
	}
	*r = Ratio(n)
	return nil
}

// Delay is how long to wait after failed attempt n (from 1). The result lies in
// [policy, policy × (1+jitter)]; random picks the place, any value is legal.
func (p RetryPolicy) Delay(n int, random uint64) time.Duration {
	d, limit := time.Duration(p.InitialInterval), time.Duration(p.MaxInterval)
	for i := 1; i < n && d < limit; i++ {
		if d > limit*1000/time.Duration(max(p.BackoffMultiplier, 1)) {
			d = limit
			break
		}
		d = d * time.Duration(p.BackoffMultiplier) / 1000
	}
	d = min(d, limit)
	if p.Jitter != nil {
		if span := int64(d) / 1000 * int64(*p.Jitter); span > 0 {
			d += time.Duration(random % uint64(span+1))
		}
	}
	return d
}

// ParseTemplate reads the JSON form of a template strictly (unknown members are
// faults), fills in the defaults and compiles it. Every fault is named at once
// in a *TemplateError.
func ParseTemplate(data []byte) (*Template, error) {
	t := &Template{Active: true}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(t); err != nil {
		return nil, &TemplateError{Template: t.ID, Faults: decodingFaults(data, err)}
	}
	if err := t.Compile(); err != nil {
		return nil, err
	}
	return t, nil
}

// Compile fills in defaults, validates, and derives the order of steps. It must
// be called once before the template is used; ParseTemplate does.
func (t *Template) Compile() error {
	t.defaults()
	if faults := t.faults(); len(faults) > 0 {
		return &TemplateError{Template: t.ID, Faults: faults}
	}
	t.graph = newGraph(t)
	sum := sha256.Sum256(t.JSON())
	t.hash = hex.EncodeToString(sum[:16])
	return nil
}

// Hash identifies the exact content of a compiled template: equal templates
// have equal hashes on every replica.
func (t *Template) Hash() string { return t.hash }

// JSON is the canonical text of the template: what Hash is taken of, what
// stores keep, and what can be loaded again.
func (t *Template) JSON() []byte {
	b, err := json.Marshal(t)
	if err != nil { // every member was parsed from JSON or is a plain value
		panic("domain: template does not marshal: " + err.Error())
	}
	return b
}

func (t *Template) defaults() {
	for i := range t.Steps {
		st := &t.Steps[i]
		st.Kind = orDefault(st.Kind, Compensatable)
		st.OnExhausted = orDefault(st.OnExhausted, PolicyCompensate)
		st.OnRejected = orDefault(st.OnRejected, PolicyCompensate)
		st.Timeout = orDefault(st.Timeout, DefaultStepTimeout)
		st.EstimatedDuration = orDefault(st.EstimatedDuration, st.Timeout)
		st.RetryPolicy.defaults(DefaultMaxAttempts, DefaultInitialInterval)
	}
	for i := range t.Compensations {
		c := &t.Compensations[i]
		c.Timeout = orDefault(c.Timeout, DefaultStepTimeout)
		c.EstimatedDuration = orDefault(c.EstimatedDuration, c.Timeout)
		c.RetryPolicy.defaults(DefaultUndoAttempts, DefaultUndoInterval)
	}
}

func (p *RetryPolicy) defaults(attempts int, initial Duration) {
	p.MaxAttempts = orDefault(p.MaxAttempts, attempts)
	p.InitialInterval = orDefault(p.InitialInterval, initial)
	p.BackoffMultiplier = orDefault(p.BackoffMultiplier, DefaultMultiplier)
	p.MaxInterval = orDefault(p.MaxInterval, max(DefaultMaxInterval, p.InitialInterval))
	if p.Jitter == nil {
		j := DefaultJitter
		p.Jitter = &j
	}
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
