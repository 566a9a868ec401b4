package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/app/retention"
)

// DefaultRetention is how long things are kept when --retention does not say.
// docs/privacy.md gives the reasons.
const DefaultRetention = "completed=30d,failed=90d,cancelled=30d,deliveries=30d,audit=365d,batches=90d"

// Limits of ages.
const (
	// MinWorkflowAge is how long a workflow that has ended is kept at least: as
	// long as its idempotency keys are promised to be known.
	MinWorkflowAge = retention.IdempotencyKept
	// MinDeliveryAge, MinAuditAge and MinBatchAge leave time to look at what went
	// wrong.
	MinDeliveryAge = day
	MinAuditAge    = 7 * day
	MinBatchAge    = day
	// MaxAge is the longest age short of for ever.
	MaxAge = 36_500 * day

	day = 24 * time.Hour
	// never keeps a part for ever; so does 0.
	never = "never"
)

// Retention is how long things are kept after their end.
type Retention retention.Policy

// retained is one part of a Retention.
type retained struct {
	name  string
	least time.Duration
	age   *time.Duration
}

// parts are those of a Retention, in the order in which they are written.
func (r *Retention) parts() []retained {
	return []retained{
		{"completed", MinWorkflowAge, &r.Completed}, {"failed", MinWorkflowAge, &r.Failed}, {"cancelled", MinWorkflowAge, &r.Cancelled},
		{"deliveries", MinDeliveryAge, &r.Deliveries}, {"audit", MinAuditAge, &r.Audit}, {"batches", MinBatchAge, &r.Batches},
	}
}

// UnmarshalText reads PART=AGE,…; a part that is left out keeps its default.
// The error names the part, and the limit that its age breaks.
func (r *Retention) UnmarshalText(text []byte) error {
	read := defaultRetention()
	if err := read.read(string(text)); err != nil {
		return err
	}
	*r = read
	return nil
}

func defaultRetention() Retention {
	var r Retention
	if err := r.read(DefaultRetention); err != nil { // a constant
		panic("config: default retention: " + err.Error())
	}
	return r
}

func (r *Retention) read(text string) error {
	seen := map[string]bool{}
	for field := range strings.SplitSeq(text, ",") {
		name, value, found := strings.Cut(field, "=")
		p := r.part(name)
		switch {
		case !found:
			return fmt.Errorf("%q is not PART=AGE", field)
		case p.age == nil:
			return fmt.Errorf("%q is no part; there are %s", name, strings.Join(r.names(), ", "))
		case seen[name]:
			return fmt.Errorf("%s is given twice", name)
		}
		seen[name] = true
		is, err := readAge(value)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", name, err)
		case is != 0 && is < p.least:
			return fmt.Errorf("%s: %s is less than %s, the shortest age", name, value, age(p.least))
		case is > MaxAge:
			return fmt.Errorf("%s: %s is more than %s, the longest age; never keeps for ever", name, value, age(MaxAge))
		}
		*p.age = is
	}
	return nil
}

// part finds a part; it has no age if there is none of that name.
func (r *Retention) part(name string) retained {
	for _, p := range r.parts() {
		if p.name == name {
			return p
		}
	}
	return retained{}
}

func (r *Retention) names() (list []string) {
	for _, p := range r.parts() {
		list = append(list, p.name)
	}
	return list
}

// readAge reads 30d, any duration of Go, never or 0.
func readAge(text string) (time.Duration, error) {
	if text == never {
		return 0, nil
	}
	if number, isDays := strings.CutSuffix(text, "d"); isDays {
		days, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			return 0, fmt.Errorf("%q is no number of days", text)
		}
		return time.Duration(min(days, uint64(MaxAge/day)+1)) * day, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no age; want such as 30d, 720h or never", text)
	}
	return d, nil
}

// String is the setting that gives the same.
func (r Retention) String() string {
	var list []string
	for _, p := range r.parts() {
		list = append(list, p.name+"="+age(*p.age).String())
	}
	return strings.Join(list, ",")
}

// age is printed in days where it is so many.
type age time.Duration

// String is never for no age.
func (a age) String() string {
	switch d := time.Duration(a); {
	case d == 0:
		return never
	case d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	default:
		return d.String()
	}
}
