// Package verify runs the rules of a contract against somebody's service and
// tells what was found: the broken rule, what was expected and seen, and the
// exchanges that show it, as curl commands. It needs no testing package, so
// that programs can use it; Test is for those that have one.
package verify

import (
	"context"
	"fmt"
	"runtime/debug"
	"testing"
	"time"
)

// RuleTimeout is how long one rule may take.
const RuleTimeout = 30 * time.Second

// Rule is one promise of a contract.
type Rule struct {
	// ID names the rule, for reports and for choosing: participant/same-key.
	ID string
	// Promise is the rule in a sentence.
	Promise string
	// Check looks whether the promise is kept.
	Check func(p *Probe)
}

// Result is what became of a rule.
type Result struct {
	Rule Rule
	// Failure is set if the promise is broken.
	Failure *Failure
	// Skipped says why the rule could not be checked; "" if it was.
	Skipped string
	Took    time.Duration
}

// Failure is a broken promise.
type Failure struct {
	Expected string
	Seen     string
	// Exchanges are those of the rule, the last one being the one that broke it.
	Exchanges []Exchange
}

// Error tells the failure without its exchanges.
func (f *Failure) Error() string { return "expected " + f.Expected + "; seen: " + f.Seen }

// Report is what became of all rules of a suite.
type Report struct {
	Suite   string
	Target  string
	Results []Result
}

// Failed is how many promises are broken.
func (r *Report) Failed() int {
	n := 0
	for _, result := range r.Results {
		if result.Failure != nil {
			n++
		}
	}
	return n
}

// Skipped is how many rules could not be checked.
func (r *Report) Skipped() int {
	n := 0
	for _, result := range r.Results {
		if result.Skipped != "" {
			n++
		}
	}
	return n
}

// Run checks every rule, one after the other.
func Run(ctx context.Context, suite, target string, rules []Rule) *Report {
	report := &Report{Suite: suite, Target: target}
	for _, rule := range rules {
		report.Results = append(report.Results, Check(ctx, rule))
	}
	return report
}

// Check checks one rule.
func Check(ctx context.Context, rule Rule) (result Result) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, RuleTimeout)
	defer cancel()
	p := &Probe{Context: ctx}
	defer func() {
		result = Result{Rule: rule, Took: time.Since(began)}
		switch end := recover().(type) {
		case nil:
		case skipped:
			result.Skipped = string(end)
		case *Failure:
			end.Exchanges = p.taken()
			result.Failure = end
		default: // of a rule that what it saw surprised
			result.Failure = &Failure{Expected: "an answer that the rule can be checked with",
				Seen: fmt.Sprintf("panic: %v\n%s", end, debug.Stack()), Exchanges: p.taken()}
		}
	}()
	rule.Check(p)
	return result
}

// Test runs rules as subtests, in parallel.
func Test(t *testing.T, rules []Rule) {
	t.Helper()
	for _, rule := range rules {
		t.Run(rule.ID, func(t *testing.T) {
			t.Parallel()
			result := Check(t.Context(), rule)
			switch {
			case result.Skipped != "":
				t.Skip(result.Skipped)
			case result.Failure != nil:
				t.Errorf("broken: %s\n%s", rule.Promise, result.Failure.Text())
			}
		})
	}
}
