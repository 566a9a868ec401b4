package rest_test

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

func (e *engine) templateOf(workflowType string) *domain.Template {
	for _, t := range e.templates {
		if t.Type == workflowType {
			return t
		}
	}
	return nil
}

// exampleRows are the two workflows of the reference's list.
func exampleRows(e *engine) []ports.Row {
	return []ports.Row{{
		WorkflowID: "wf-660e8400-e29b-41d4-a716-446655440000", Type: "ORDER_FULFILLMENT", TemplateHash: e.templateOf("ORDER_FULFILLMENT").Hash(),
		Status: domain.InProgress, CurrentStep: "PAYMENT_PROCESSING", SettledSteps: 1, TotalSteps: 6, StartedAt: e.now,
		Metadata: json.RawMessage(`{"orderId":"ord-550e8400-e29b-41d4-a716-446655440000","customerId":"cust-123e4567-e89b-12d3-a456-426614174000","totalAmount":1499.97,"priority":"NORMAL"}`),
	}, {
		WorkflowID: "wf-770e8400-e29b-41d4-a716-446655440000", Type: "RETURN_PROCESSING", TemplateHash: e.templateOf("RETURN_PROCESSING").Hash(),
		Status: domain.InProgress, CurrentStep: "REFUND_PROCESSING", SettledSteps: 3, TotalSteps: 4, StartedAt: e.now.Add(-30 * time.Minute),
		Metadata: json.RawMessage(`{"returnId":"ret-880e8400-e29b-41d4-a716-446655440000","originalOrderId":"ord-990e8400-e29b-41d4-a716-446655440000","refundAmount":299.99}`),
	}}
}

func TestActiveListAnswersAsTheReferenceShows(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.page = ports.ListPage{Rows: exampleRows(s.engine), Total: 45, AverageAge: 3*time.Minute + 15*time.Second,
		ByType:   map[string]int{"ORDER_FULFILLMENT": 40, "RETURN_PROCESSING": 3, "INVENTORY_REPLENISHMENT": 2},
		ByStatus: map[string]int{"IN_PROGRESS": 43, "RETRYING": 2}}
	got := s.get(t, "/workflows/active").is(200)
	var estimate time.Duration
	for _, step := range s.templateOf("RETURN_PROCESSING").Steps {
		estimate += time.Duration(step.EstimatedDuration)
	}
	returned := coordination.At(s.now.Add(-30 * time.Minute).Add(estimate)).String() // the example's return takes another time
	want := strings.Replace(readFile(t, "examples/active-list.json"), `"estimatedCompletion": "2024-01-15T10:00:00Z"`, `"estimatedCompletion": "`+returned+`"`, 1)
	sameJSON(t, got.body, []byte(want))
}

func TestListsAskWhatTheyWereAsked(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.page = ports.ListPage{Rows: exampleRows(s.engine)[:1], Total: 3, NextCursor: "next", ByStatus: map[string]int{"FAILED": 2, "PARKED": 1}}
	got := into[coordination.WorkflowList](s.get(t, "/workflows?type=T&status=FAILED&customerId=c&priority=HIGH&businessKey=b&step=S&errorCode=E"+
		"&startedAfter=2024-01-01T00:00:00Z&startedBefore=2024-02-01T00:00:00%2B01:00&page=1&size=2&sort=updatedAt,asc").is(200))
	want := ports.ListQuery{Type: "T", Status: "FAILED", CustomerID: "c", Priority: "HIGH", BusinessKey: "b", Step: "S", ErrorCode: "E",
		StartedAfter: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), StartedBefore: s.asked.StartedBefore, Sort: "updatedAt", Ascending: true,
		Offset: 2, Limit: 2, Now: s.now}
	if !reflect.DeepEqual(s.asked, want) || !s.asked.StartedBefore.Equal(time.Date(2024, 1, 31, 23, 0, 0, 0, time.UTC)) {
		t.Errorf("asked\n%+v, want\n%+v", s.asked, want)
	}
	if p := got.Pagination; p.Page != 1 || p.Size != 2 || p.TotalElements != 3 || p.TotalPages != 2 || p.NextCursor != "next" || got.Summary.TotalActive != 1 {
		t.Errorf("pagination %+v, summary %+v", p, got.Summary)
	}
	s.get(t, "/workflows?orderId=ord-1&sort=type").is(200)
	if s.asked.BusinessKey != "ord-1" || s.asked.Limit != 20 || s.asked.Ascending || s.asked.Sort != "type" || s.asked.ActiveOnly {
		t.Errorf("asked %+v", s.asked)
	}
	s.get(t, "/workflows/active?cursor=abc").is(200)
	if s.asked.Cursor != "abc" || !s.asked.ActiveOnly || s.asked.Sort != ports.SortStartedAt || s.asked.Offset != 0 {
		t.Errorf("asked %+v", s.asked)
	}
}

func TestEmptyListIsAnEmptyList(t *testing.T) {
	t.Parallel()
	got := newServer(t).get(t, "/workflows").is(200)
	for _, want := range []string{`"workflows":[]`, `"byType":{}`, `"byStatus":{}`, `"totalPages":0`, `"averageExecutionTime":"PT0S"`} {
		if !strings.Contains(string(got.body), want) {
			t.Errorf("%s is not in %s", want, got.body)
		}
	}
}

func TestHistoryIsPagedByNumberAndByCursor(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := s.post(t, "/workflows/order/start", order("", "")).is(201).tree()["workflowId"].(string)
	completes(t, s, id)
	total := s.state(id).Version
	var all []coordination.RecordedEvent
	for path := "?size=5"; path != ""; {
		page := into[coordination.EventHistory](s.get(t, "/workflows/"+id+"/events"+path).is(200))
		all = append(all, page.Events...)
		if page.Pagination.TotalElements != int64(total) {
			t.Fatalf("pagination is %+v of %d", page.Pagination, total)
		}
		path = ""
		if page.Pagination.NextCursor != "" {
			path = "?size=5&cursor=" + page.Pagination.NextCursor
		}
	}
	for i, e := range all {
		if e.Sequence != int64(i+1) || e.WorkflowID != id {
			t.Errorf("event %d is %+v", i+1, e)
		}
	}
	if len(all) != total || all[0].Event != "WORKFLOW_STARTED" || all[total-1].Event != "WORKFLOW_COMPLETED" {
		t.Errorf("%d of %d events", len(all), total)
	}
	second := into[coordination.EventHistory](s.get(t, "/workflows/"+id+"/events?size=5&page=1").is(200))
	if !reflect.DeepEqual([]coordination.RecordedEvent(second.Events), all[5:10]) {
		t.Errorf("page 1 is %+v", second.Events)
	}
	beyond := into[coordination.EventHistory](s.get(t, "/workflows/"+id+"/events?page=99").is(200))
	if len(beyond.Events) != 0 || beyond.Pagination.NextCursor != "" {
		t.Errorf("beyond the end: %+v", beyond)
	}
}

// exampleCounts lead to the figures of the reference's metrics.
func exampleCounts() []ports.Count {
	at := time.Date(2024, 1, 1, 9, 0, 0, 0, time.UTC)
	count := func(workflowType string, name ports.CountName, label string, n int64, each time.Duration) ports.Count {
		return ports.Count{Bucket: at, Type: workflowType, Name: name, Label: label, N: n, Total: time.Duration(n) * each}
	}
	order, ret, rep := "ORDER_FULFILLMENT", "RETURN_PROCESSING", "INVENTORY_REPLENISHMENT"
	return []ports.Count{
		count(order, ports.CountStarted, "", 10234, 0), count(order, ports.CountCompleted, "", 9567, 135*time.Second),
		count(order, ports.CountFailed, "", 123, 135*time.Second), count(order, ports.CountCancelled, "", 544, 135*time.Second),
		count(ret, ports.CountStarted, "", 1456, 0), count(ret, ports.CountCompleted, "", 1389, 270*time.Second),
		count(ret, ports.CountFailed, "", 34, 270*time.Second), count(ret, ports.CountCancelled, "", 33, 270*time.Second),
		count(rep, ports.CountStarted, "", 853, 0), count(rep, ports.CountCompleted, "", 801, 15*time.Minute), count(rep, ports.CountFailed, "", 52, 15*time.Minute),
		count(order, ports.CountStepCompleted, "INVENTORY_RESERVATION", 992, 5*time.Second), count(order, ports.CountStepFailed, "INVENTORY_RESERVATION", 8, 0),
		count(order, ports.CountStepFailure, "INVENTORY_RESERVATION|INSUFFICIENT_STOCK", 6, 0), count(order, ports.CountStepFailure, "INVENTORY_RESERVATION|SYSTEM_TIMEOUT", 2, 0),
		count(order, ports.CountStepCompleted, "PAYMENT_PROCESSING", 958, 30*time.Second), count(order, ports.CountStepFailed, "PAYMENT_PROCESSING", 42, 0),
		count(order, ports.CountStepFailure, "PAYMENT_PROCESSING|PAYMENT_DECLINED", 40, 0), count(order, ports.CountStepFailure, "PAYMENT_PROCESSING|PROVIDER_TIMEOUT", 2, 0),
		count(order, ports.CountCompensated, "PAYMENT_FAILED", 401, 105*time.Second), count(order, ports.CountCompensationFailed, "PAYMENT_FAILED", 22, 0),
		count(order, ports.CountCompensated, "INVENTORY_UNAVAILABLE", 234, 105*time.Second), count(order, ports.CountCompensated, "CUSTOMER_CANCELLED", 652, 105*time.Second),
	}
}

func TestMetricsAnswerAsTheReferenceShows(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.counts = exampleCounts()
	got := into[coordination.Metrics](s.get(t, "/workflows/metrics?period=MONTH").is(200))
	var want coordination.Metrics
	if err := json.Unmarshal([]byte(readFile(t, "examples/metrics.json")), &want); err != nil {
		t.Fatal(err)
	}
	if got.Period != want.Period || got.Trends != nil {
		t.Errorf("period %+v, trends %+v", got.Period, got.Trends)
	}
	types := coordination.Table[string, coordination.TypeTotals]{}
	for name, totals := range want.WorkflowTypes {
		// Of the example's figures, those that follow from the others are computed anew.
		ended := totals.Completed + totals.Failed + totals.Cancelled
		totals.SuccessRate = coordination.PercentOf(totals.Completed, ended)
		types[name] = totals
	}
	if !reflect.DeepEqual(got.WorkflowTypes, types) {
		t.Errorf("types are\n%+v, want\n%+v", got.WorkflowTypes, types)
	}
	o := got.Overview // the sum of the types, which the example's is not
	if o.TotalWorkflows != 12543 || o.Completed != 11757 || o.Failed != 209 || o.Cancelled != 577 || o.SuccessRate.String() != "93.73" ||
		o.AverageExecutionTime.String() != "PT3M22.696S" {
		t.Errorf("overview is %+v", o)
	}
	if !reflect.DeepEqual(got.StepPerformance, want.StepPerformance) {
		t.Errorf("steps are\n%+v, want\n%+v", got.StepPerformance, want.StepPerformance)
	}
	c := got.Compensation
	if c.TotalCompensations != 1309 || c.Successful != 1287 || c.Failed != 22 || c.AverageCompensationTime.String() != "PT1M45S" ||
		len(c.MostCommonReasons) != 3 || c.MostCommonReasons[0].Reason != "CUSTOMER_CANCELLED" || c.MostCommonReasons[1].Count != 423 {
		t.Errorf("compensation is %+v", c)
	}
}

func TestMetricsOfPeriodsTypesAndTrends(t *testing.T) {
	t.Parallel()
	s := newServer(t) // Monday, 15 January
	started := func(at string, n int64) ports.Count {
		bucket, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		return ports.Count{Bucket: bucket, Type: "ORDER_FULFILLMENT", Name: ports.CountStarted, N: n}
	}
	s.counts = []ports.Count{started("2024-01-01T00:00:00Z", 1), started("2024-01-14T23:00:00Z", 10), started("2024-01-15T00:00:00Z", 100),
		started("2024-01-15T23:00:00Z", 1000), started("2024-01-21T23:00:00Z", 10000), started("2024-02-01T00:00:00Z", 100000)}
	for query, want := range map[string]struct {
		total       int64
		start, name string
	}{
		"":                         {1100, "2024-01-15T00:00:00Z", "15 January 2024"},
		"?period=TODAY":            {1100, "2024-01-15T00:00:00Z", "15 January 2024"},
		"?period=WEEK":             {11100, "2024-01-15T00:00:00Z", "Week of 15 January 2024"},
		"?period=MONTH":            {11111, "2024-01-01T00:00:00Z", "January 2024"},
		"?period=MONTH&type=OTHER": {0, "2024-01-01T00:00:00Z", "January 2024"},
	} {
		got := into[coordination.Metrics](s.get(t, "/workflows/metrics"+query).is(200))
		if got.Overview.TotalWorkflows != want.total || got.Period.Start.String() != want.start || got.Period.Description != want.name {
			t.Errorf("%q: %d in %+v", query, got.Overview.TotalWorkflows, got.Period)
		}
	}
	trends := into[coordination.Metrics](s.get(t, "/workflows/metrics?period=MONTH&includeHistorical=true").is(200)).Trends
	if trends == nil || len(trends.Daily) != 4 || trends.Daily[2].Date != "2024-01-15" || trends.Daily[2].Workflows != 1100 ||
		len(trends.Hourly) != 2 || trends.Hourly[0].Hour != 0 || trends.Hourly[0].Workflows != 101 || trends.Hourly[1].Workflows != 11010 {
		t.Errorf("trends are %+v", trends)
	}
}

func TestTemplatesAreServedAsTheyCanBeLoaded(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.counts = []ports.Count{
		{Bucket: s.now.Add(-29 * 24 * time.Hour).Truncate(time.Hour), Type: "ORDER_FULFILLMENT", Name: ports.CountStarted, N: 4},
		{Bucket: s.now.Add(-29 * 24 * time.Hour).Truncate(time.Hour), Type: "ORDER_FULFILLMENT", Name: ports.CountCompleted, N: 2},
		{Bucket: s.now.Truncate(time.Hour), Type: "ORDER_FULFILLMENT", Name: ports.CountFailed, N: 1},
		{Bucket: s.now.Add(-31 * 24 * time.Hour), Type: "ORDER_FULFILLMENT", Name: ports.CountStarted, N: 1000},
	}
	list := into[coordination.TemplateList](s.get(t, "/workflow-templates").is(200))
	if len(list.Templates) != 4 {
		t.Fatalf("%d templates", len(list.Templates))
	}
	for _, shown := range list.Templates {
		got := s.get(t, "/workflow-templates/"+shown.TemplateID).is(200)
		one := into[coordination.Template](got)
		if !reflect.DeepEqual(*one, shown) {
			t.Errorf("%s reads otherwise by itself", shown.TemplateID)
		}
		if shown.Type == "ORDER_FULFILLMENT" && (shown.Usage.LastMonth != 4 || shown.Usage.SuccessRate.String() != "66.67") {
			t.Errorf("usage is %+v", shown.Usage)
		}
		tree := got.tree()
		delete(tree, "usage")
		if loaded := parseTemplate(t, string(marshal(t, tree))); loaded.Hash() != s.templateOf(shown.Type).Hash() {
			t.Errorf("%s loads as another template", shown.TemplateID)
		}
	}
	s.counts = nil // served from what was computed a moment ago, then anew
	if again := into[coordination.TemplateList](s.get(t, "/workflow-templates").is(200)); again.Templates[0].Usage == nil {
		t.Error("usage is missing")
	}
	s.after(time.Minute)
	for _, shown := range into[coordination.TemplateList](s.get(t, "/workflow-templates").is(200)).Templates {
		if shown.Usage.LastMonth != 0 {
			t.Errorf("usage of %s was kept too long: %+v", shown.TemplateID, shown.Usage)
		}
	}
}

func TestTemplatesAnswerAsTheReferenceShows(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	got := s.get(t, "/workflow-templates/tmpl-order-fulfillment-v2").is(200).tree()
	var list map[string][]map[string]any
	if err := json.Unmarshal([]byte(readFile(t, "examples/template-list.json")), &list); err != nil {
		t.Fatal(err)
	}
	want := list["templates"][0]
	delete(want, "usage")
	for _, difference := range contained("", got, want) {
		t.Error(difference)
	}
}

// contained lists what of want is not in got; got may say more, and lists may go on.
func contained(path string, got, want any) []string {
	var list []string
	switch w := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		for name := range w {
			list = append(list, contained(path+"."+name, g[name], w[name])...)
		}
	case []any:
		g, _ := got.([]any)
		for i := range w {
			if i >= len(g) {
				return append(list, path+" is too short")
			}
			list = append(list, contained(path+"["+strconv.Itoa(i)+"]", g[i], w[i])...)
		}
	default:
		if !reflect.DeepEqual(got, want) {
			list = append(list, path+" differs")
		}
	}
	return list
}

func TestHealthAnswersAsTheReferenceShows(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.after(15 * time.Minute)
	dependency := func(ms int) ports.DependencyHealth {
		return ports.DependencyHealth{Up: true, ResponseTime: time.Duration(ms) * time.Millisecond}
	}
	s.health = ports.Health{StoreUp: true, Pool: "8/20 active", Active: 45, QueueDepth: 12, BusUp: true, Dependencies: map[string]ports.DependencyHealth{
		"inventory-service": dependency(150), "order-service": dependency(120), "payment-service": dependency(450),
		"delivery-service": dependency(230), "notification-service": dependency(180)}}
	sameAsExample(t, s.get(t, "/health").is(200).body, "health")
}

func TestHealthIsDegradedByADependencyAndDownWithoutTheStore(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.health.Dependencies = map[string]ports.DependencyHealth{"payment-service": {Detail: "connection refused by 10.1.2.3"}}
	got := s.get(t, "/health").is(200)
	h := into[coordination.Health](got)
	if h.Status != "DEGRADED" || h.Details.Dependencies["payment-service"].Status != "DOWN" || h.Details.Coordination.Status != "UP" {
		t.Errorf("health is %+v", h)
	}
	if strings.Contains(string(got.body), "10.1.2.3") {
		t.Errorf("health tells addresses: %s", got.body)
	}
	s.health.Stuck, s.health.StoreUp = 3, false
	h = into[coordination.Health](s.get(t, "/health").is(503))
	if h.Status != "DOWN" || h.Details.Infrastructure.Database.Status != "DOWN" || h.Details.Coordination.StuckWorkflows != 3 ||
		h.Details.Coordination.Database != "Unreachable" {
		t.Errorf("health is %+v", h)
	}
	s.health.StoreReadOnly = true
	if h = into[coordination.Health](s.get(t, "/health").is(503)); h.Status != "DOWN" || h.Details.Coordination.Database != "Takes no writes" {
		t.Errorf("health is %+v", h)
	}
}
