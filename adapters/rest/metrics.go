package rest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// How many of the most frequent values are named.
const (
	maxCommonFailures = 5
	maxCommonReasons  = 10
)

// MetricsInput says which figures are wanted.
type MetricsInput struct {
	Period            string `query:"period" doc:"Calendar period in UTC; a week starts on Monday" enum:"TODAY,WEEK,MONTH" default:"TODAY"`
	Type              string `query:"type" doc:"Filter by workflow type" example:"ORDER_FULFILLMENT" pattern:"^[A-Za-z0-9_]{1,128}$"`
	IncludeHistorical bool   `query:"includeHistorical" doc:"Add the figures by day and by hour"`
}

// MetricsOutput are the figures of a period.
type MetricsOutput struct {
	Body *coordination.Metrics
}

func (s *service) getMetrics(ctx context.Context, in *MetricsInput) (*MetricsOutput, error) {
	from, to, description := period(coordination.Period(in.Period), s.Clock.Now().UTC())
	counts, err := s.Queries.Metrics(ctx, from, to, in.Type)
	if err != nil {
		return nil, err
	}
	m := assembleMetrics(counts, s.Queries.Templates(ctx))
	m.Period = coordination.MetricsPeriod{Start: coordination.At(from), End: coordination.At(to.Add(-time.Second)), Description: description}
	if in.IncludeHistorical {
		m.Trends = trends(counts)
	}
	return &MetricsOutput{m}, nil
}

// period is the calendar period that now is in, [from, to).
func period(p coordination.Period, now time.Time) (from, to time.Time, description string) {
	const day = "2 January 2006"
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	switch p {
	case coordination.PeriodWeek:
		from = today.AddDate(0, 0, -(int(now.Weekday())+6)%7)
		return from, from.AddDate(0, 0, 7), "Week of " + from.Format(day)
	case coordination.PeriodMonth:
		from = today.AddDate(0, 0, 1-now.Day())
		return from, from.AddDate(0, 1, 0), from.Format("January 2006")
	}
	return today, today.AddDate(0, 0, 1), today.Format(day)
}

// totals are the figures of workflows that are counted together.
type totals struct {
	started, completed, failed, cancelled int64
	duration                              time.Duration // of those that ended
}

func (t *totals) add(c *ports.Count) {
	switch c.Name {
	case ports.CountStarted:
		t.started += c.N
	case ports.CountCompleted:
		t.completed += c.N
		t.duration += c.Total
	case ports.CountFailed:
		t.failed += c.N
		t.duration += c.Total
	case ports.CountCancelled:
		t.cancelled += c.N
		t.duration += c.Total
	}
}

func (t *totals) merge(other *totals) {
	t.started += other.started
	t.completed += other.completed
	t.failed += other.failed
	t.cancelled += other.cancelled
	t.duration += other.duration
}

func (t *totals) ended() int64 { return t.completed + t.failed + t.cancelled }

func (t *totals) rate() coordination.Percent { return coordination.PercentOf(t.completed, t.ended()) }

func (t *totals) average() coordination.Duration { return average(t.duration, t.ended()) }

func average(total time.Duration, n int64) coordination.Duration {
	if n == 0 {
		return 0
	}
	return coordination.Duration((total / time.Duration(n)).Round(time.Millisecond))
}

// tally are the totals by some key.
type tally[K comparable] map[K]*totals

func (t tally[K]) at(key K) *totals {
	if t[key] == nil {
		t[key] = &totals{}
	}
	return t[key]
}

func assembleMetrics(counts []ports.Count, templates []*domain.Template) *coordination.Metrics {
	byType := tally[string]{}
	for i := range counts {
		byType.at(counts[i].Type).add(&counts[i])
	}
	var all totals
	m := &coordination.Metrics{WorkflowTypes: make(map[string]coordination.TypeTotals, len(byType))}
	for name, t := range byType {
		all.merge(t)
		m.WorkflowTypes[name] = coordination.TypeTotals{Total: t.started, Completed: t.completed, Failed: t.failed, Cancelled: t.cancelled,
			SuccessRate: t.rate(), AverageExecutionTime: t.average()}
	}
	m.Overview = coordination.MetricsOverview{TotalWorkflows: all.started, Completed: all.completed, Failed: all.failed, Cancelled: all.cancelled,
		SuccessRate: all.rate(), AverageExecutionTime: all.average()}
	m.StepPerformance = stepPerformance(counts, templates)
	m.Compensation = compensationMetrics(counts)
	return m
}

// stepTotals are the figures of one step.
type stepTotals struct {
	completed, failed int64
	duration          time.Duration
	failures          map[string]int64
}

// stepPerformance are the figures by step, in the order of the templates.
func stepPerformance(counts []ports.Count, templates []*domain.Template) []coordination.StepPerformance {
	steps := map[string]*stepTotals{}
	at := func(name string) *stepTotals {
		if steps[name] == nil {
			steps[name] = &stepTotals{failures: map[string]int64{}}
		}
		return steps[name]
	}
	for i := range counts {
		switch c := &counts[i]; c.Name {
		case ports.CountStepCompleted:
			at(c.Label).completed += c.N
			at(c.Label).duration += c.Total
		case ports.CountStepFailed:
			at(c.Label).failed += c.N
		case ports.CountStepFailure:
			step, code, _ := strings.Cut(c.Label, "|")
			at(step).failures[code] += c.N
		}
	}
	list := make([]coordination.StepPerformance, 0, len(steps))
	for _, name := range inTemplateOrder(slices.Collect(maps.Keys(steps)), templates) {
		t := steps[name]
		list = append(list, coordination.StepPerformance{Step: name, AverageExecutionTime: average(t.duration, t.completed),
			SuccessRate:    coordination.PercentOf(t.completed, t.completed+t.failed),
			CommonFailures: mostFrequent(t.failures, maxCommonFailures)})
	}
	return list
}

func inTemplateOrder(names []string, templates []*domain.Template) []string {
	place := map[string]int{}
	for _, t := range templates {
		for i := range t.Steps {
			if _, known := place[t.Steps[i].Name]; !known {
				place[t.Steps[i].Name] = len(place) - domain.MaxSteps*domain.MaxSteps // before those of templates that are gone
			}
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(place[a]-place[b], strings.Compare(a, b)) })
	return names
}

// mostFrequent are the keys with the highest counts, highest first.
func mostFrequent(counts map[string]int64, limit int) []string {
	keys := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
	return keys[:min(len(keys), limit)]
}

func compensationMetrics(counts []ports.Count) coordination.CompensationMetrics {
	var m coordination.CompensationMetrics
	var duration time.Duration
	reasons := map[string]int64{}
	for i := range counts {
		switch c := &counts[i]; c.Name {
		case ports.CountCompensated:
			m.Successful += c.N
			duration += c.Total
			reasons[c.Label] += c.N
		case ports.CountCompensationFailed:
			m.Failed += c.N
			reasons[c.Label] += c.N
		}
	}
	m.TotalCompensations = m.Successful + m.Failed
	m.AverageCompensationTime = average(duration, m.Successful)
	for _, reason := range mostFrequent(reasons, maxCommonReasons) {
		m.MostCommonReasons = append(m.MostCommonReasons, coordination.ReasonCount{Reason: reason, Count: reasons[reason]})
	}
	return m
}

// trends are the figures by day, and by hour of the day.
func trends(counts []ports.Count) *coordination.Trends {
	days, hours := tally[string]{}, tally[int]{}
	for i := range counts {
		bucket := counts[i].Bucket.UTC()
		days.at(bucket.Format(time.DateOnly)).add(&counts[i])
		hours.at(bucket.Hour()).add(&counts[i])
	}
	t := &coordination.Trends{}
	for _, day := range slices.Sorted(maps.Keys(days)) {
		d := days[day]
		t.Daily = append(t.Daily, coordination.DailyTrend{Date: day, Workflows: d.started, SuccessRate: d.rate(), AverageTime: d.average()})
	}
	for _, hour := range slices.Sorted(maps.Keys(hours)) {
		h := hours[hour]
		t.Hourly = append(t.Hourly, coordination.HourlyTrend{Hour: hour, Workflows: h.started, SuccessRate: h.rate(), AverageTime: h.average()})
	}
	return t
}
