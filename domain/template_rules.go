package domain

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Limits of a template.
const (
	MaxSteps           = 64
	MaxAttemptsLimit   = 100
	MaxNameLength      = 64
	MaxTextLength      = 1024
	MinTimeout         = Duration(10 * time.Millisecond)
	MaxTimeout         = Duration(366 * 24 * time.Hour)
	MaxAttributes      = 16
	MaxTemplateVersion = 32
)

var (
	stepName    = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)
	serviceName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`)
	actionName  = regexp.MustCompile(`^[a-z][A-Za-z0-9_-]{0,63}$`)
	templateID  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
	memberName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)
)

// TemplateError lists every fault of a template, each with the member it is in.
type TemplateError struct {
	Template string
	Faults   []string
}

func (e *TemplateError) Error() string {
	return fmt.Sprintf("template %q: %s", e.Template, strings.Join(e.Faults, "; "))
}

// faultList collects what is wrong, so that an author sees all of it at once.
type faultList []string

func (f *faultList) check(ok bool, format string, args ...any) {
	if !ok {
		*f = append(*f, fmt.Sprintf(format, args...))
	}
}

func (t *Template) faults() []string {
	var f faultList
	f.check(templateID.MatchString(t.ID), "templateId: must match %s", templateID)
	f.check(stepName.MatchString(t.Type), "type: must match %s", stepName)
	f.check(t.Version != "" && len(t.Version) <= MaxTemplateVersion, "version: 1 to %d characters", MaxTemplateVersion)
	f.check(t.Name != "" && len(t.Name) <= MaxTextLength, "name: 1 to %d characters", MaxTextLength)
	f.check(len(t.Description) <= MaxTextLength, "description: at most %d characters", MaxTextLength)
	f.check(t.Timeout == 0 || t.Timeout >= MinTimeout && t.Timeout <= MaxTimeout, "timeout: from %s to %s", MinTimeout, MaxTimeout)
	f.check(t.BusinessKey == "" || memberName.MatchString(t.BusinessKey), "businessKey: must match %s", memberName)
	f.check(len(t.Steps) >= 1 && len(t.Steps) <= MaxSteps, "steps: from 1 to %d", MaxSteps)
	f.check(len(t.Compensations) <= MaxSteps, "compensationSteps: at most %d", MaxSteps)
	names := map[string]bool{}
	for i := range t.Steps {
		t.Steps[i].faults(&f, names)
	}
	t.orderFaults(&f)
	t.compensationFaults(&f, names)
	return f
}

func (st *Step) faults(f *faultList, names map[string]bool) {
	at := "steps." + st.Name
	f.check(stepName.MatchString(st.Name), "%s: name must match %s", at, stepName)
	f.check(!names[st.Name], "%s: name is used twice", at)
	names[st.Name] = true
	f.check(st.Kind == Compensatable || st.Kind == Pivot || st.Kind == Retriable, "%s.kind: compensatable, pivot or retriable", at)
	f.check(st.OnExhausted.known(), "%s.onExhausted: COMPENSATE, PARK or CONTINUE", at)
	f.check(st.OnRejected.known(), "%s.onRejected: COMPENSATE, PARK or CONTINUE", at)
	f.check(st.ParkFor == 0 || st.OnExhausted == PolicyPark || st.OnRejected == PolicyPark, "%s.parkFor: only with PARK", at)
	f.check(st.ParkFor >= 0 && st.ParkFor <= MaxTimeout, "%s.parkFor: at most %s", at, MaxTimeout)
	commandFaults(f, at, st.Service, st.Action, st.Description, st.Timeout, st.RetryPolicy)
	f.check(len(st.Attributes) <= MaxAttributes, "%s.attributes: at most %d", at, MaxAttributes)
	f.check(st.FailureReason == "" || stepName.MatchString(st.FailureReason), "%s.failureReason: must match %s", at, stepName)
}

func (p Policy) known() bool { return p == PolicyCompensate || p == PolicyPark || p == PolicyContinue }

func commandFaults(f *faultList, at, service, action, description string, timeout Duration, p RetryPolicy) {
	f.check(serviceName.MatchString(service), "%s.service: must match %s", at, serviceName)
	f.check(actionName.MatchString(action), "%s.action: must match %s", at, actionName)
	f.check(len(description) <= MaxTextLength, "%s.description: at most %d characters", at, MaxTextLength)
	f.check(timeout >= MinTimeout && timeout <= MaxTimeout, "%s.timeout: from %s to %s", at, MinTimeout, MaxTimeout)
	f.check(p.MaxAttempts >= 1 && p.MaxAttempts <= MaxAttemptsLimit, "%s.retryPolicy.maxAttempts: from 1 to %d", at, MaxAttemptsLimit)
	f.check(p.BackoffMultiplier >= 1000 && p.BackoffMultiplier <= 100_000, "%s.retryPolicy.backoffMultiplier: from 1 to 100", at)
	f.check(p.InitialInterval >= 0 && p.InitialInterval <= p.MaxInterval, "%s.retryPolicy.initialInterval: at most maxInterval", at)
	f.check(p.MaxInterval <= Duration(24*time.Hour), "%s.retryPolicy.maxInterval: at most PT24H", at)
	f.check(p.Jitter == nil || *p.Jitter <= 1000, "%s.retryPolicy.jitter: from 0 to 1", at)
}

// orderFaults checks that every `after` names an earlier step, which also
// makes a cycle impossible, and that kinds stand in an order that can work.
func (t *Template) orderFaults(f *faultList) {
	index := map[string]int{}
	for i := range t.Steps {
		for _, name := range t.Steps[i].After {
			_, earlier := index[name]
			f.check(earlier, "steps.%s.after: %q is not an earlier step", t.Steps[i].Name, name)
		}
		index[t.Steps[i].Name] = i
	}
	if len(*f) > 0 {
		return
	}
	g := newGraph(t)
	for i := range t.Steps {
		pivotBefore := false
		for j := range i {
			pivotBefore = pivotBefore || g.before[i][j] && t.Steps[j].Kind == Pivot
		}
		f.check(t.Steps[i].Kind != Retriable || pivotBefore, "steps.%s.kind: a retriable step needs a pivot before it", t.Steps[i].Name)
		f.check(t.Steps[i].Kind != Pivot || !pivotBefore, "steps.%s.kind: a second pivot after a pivot", t.Steps[i].Name)
		f.check(t.Steps[i].Kind != Pivot || t.Steps[i].OnExhausted != PolicyContinue, "steps.%s.onExhausted: a pivot cannot be passed over", t.Steps[i].Name)
		f.check(t.Steps[i].Kind != Pivot || t.Steps[i].OnRejected != PolicyContinue, "steps.%s.onRejected: a pivot cannot be passed over", t.Steps[i].Name)
	}
}

func (t *Template) compensationFaults(f *faultList, names map[string]bool) {
	undone, hooks := map[string]bool{}, 0
	isStep := map[string]bool{}
	for i := range t.Steps {
		isStep[t.Steps[i].Name] = true
	}
	for i := range t.Compensations {
		c := &t.Compensations[i]
		at := "compensationSteps." + c.Name
		f.check(stepName.MatchString(c.Name), "%s: name must match %s", at, stepName)
		f.check(!names[c.Name], "%s: name is used twice", at)
		names[c.Name] = true
		if c.Compensates == "" {
			hooks++
			f.check(hooks == 1, "%s: only one entry without compensates (the hook)", at)
			f.check(i == len(t.Compensations)-1, "%s: the hook (no compensates) must stand last", at)
		} else {
			f.check(isStep[c.Compensates], "%s.compensates: %q is not a step", at, c.Compensates)
			f.check(!undone[c.Compensates], "%s.compensates: %q has an undo already", at, c.Compensates)
			undone[c.Compensates] = true
		}
		commandFaults(f, at, c.Service, c.Action, c.Description, c.Timeout, c.RetryPolicy)
	}
}
