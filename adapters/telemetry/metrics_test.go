package telemetry

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// exposed are the metrics that a scrape tells of, by their type, without those
// of the process, which differ between systems.
func exposed(t *testing.T, tel *Telemetry) (types map[string]string, text string) {
	t.Helper()
	response := httptest.NewRecorder()
	tel.Handler().ServeHTTP(response, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if response.Code != http.StatusOK {
		t.Fatalf("%d: %s", response.Code, response.Body)
	}
	types = map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(response.Body.String(), -1) {
		if !strings.HasPrefix(m[1], "process_") {
			types[m[1]] = m[2]
		}
	}
	return types, response.Body.String()
}

// documented are the metrics of docs/observability.md by their type. It is read
// through a link in testdata, as all that is not in this module: go test keeps a
// result until a file within the module changes.
func documented(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "docs", "observability.md"))
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (counter|gauge|histogram) \\|").FindAllStringSubmatch(string(text), -1) {
		types[m[1]] = m[2]
	}
	return types
}

// measuring is telemetry with metrics and nothing else, until the test ends.
func measuring(t *testing.T) *Telemetry {
	t.Helper()
	tel, err := Open(t.Context(), Config{Metrics: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	return tel
}

func TestEveryMetricIsDocumentedAndNoOther(t *testing.T) {
	t.Parallel()
	tel := measuring(t)
	measureAll(t, tel)
	got, _ := exposed(t, tel)
	want := documented(t)
	for name, kind := range got {
		if want[name] != kind {
			t.Errorf("%s, a %s, is a %q in the document", name, kind, want[name])
		}
	}
	for name := range want {
		if got[name] == "" {
			t.Errorf("the document's %s does not exist", name)
		}
	}
}

// template is one step with an undo.
func template() *domain.Template {
	return &domain.Template{Type: "ONE", Steps: []domain.Step{{Name: "PAY", Service: "payment-service"}},
		Compensations: []domain.Compensation{{Name: "VOID", Service: "payment-service", Compensates: "PAY"}}}
}

// measureAll has everything happen at least once.
func measureAll(t *testing.T, tel *Telemetry) {
	t.Helper()
	ctx := t.Context()
	failing := errors.New("no")
	_, end := tel.Request(httptest.NewRequest(http.MethodPost, "/", nil))
	end(Response{Method: http.MethodPost, Route: "/api/v1/workflows/{workflowId}/cancel", Status: 202})
	_, end = tel.Request(httptest.NewRequest(http.MethodPost, "/", nil))
	end(Response{Method: http.MethodPost, Status: 503, Overload: true})
	tel.Participant(Link{Service: "payment-service"}, answering(domain.Retry)).Send(ctx, domain.Dispatch{Step: "PAY"})
	tel.Quarantined("coordination.replies", "coordinator")
	tel.Delivered("workflow.completed", ports.DeliveryPending, time.Second)
	tel.Removed("workflows", "FAILED", 3)
	tel.Removed("audit", "", 5)
	b := tel.Bus("memory", &line{})
	if err := b.Publish(ctx, "some.topic.of.a.caller", ports.Message{}); err != nil {
		t.Fatal(err)
	}
	if err := tel.Bus("memory", &cut{}).Publish(ctx, "coordination.replies", ports.Message{}); err == nil {
		t.Fatal("published")
	}
	if err := b.Subscribe(ctx, ports.Subscription{Topic: "coordination.replies", Group: "g", Handle: func(context.Context, ports.Message) error { return failing }}); !errors.Is(err, failing) {
		t.Fatal(err)
	}
	if _, err := tel.Workflows(refusing{}).Start(ctx, ports.StartRequest{}); !errors.Is(err, ports.ErrOverloaded) {
		t.Fatal(err)
	}
	o := tel.Observer()
	o.Wrote([]error{nil, ports.ErrConflict, failing}, time.Millisecond)
	o.Committed(ports.Transition{Before: &domain.State{}, After: finished(), Events: everyEvent()})
	err := tel.Watch(Watched{
		Load: func() ports.Load {
			return ports.Load{Services: []ports.ServiceLoad{{Service: "payment-service", Shut: true}}}
		},
		Standing:    func(context.Context) (int, int, int, error) { return 3, 2, 1, nil },
		Connections: func() (int, int, int) { return 1, 2, 3 },
		Webhooks:    func(context.Context) (int, time.Duration, int, error) { return 3, time.Minute, 1, nil },
		Unswept:     func() time.Duration { return 90 * time.Second },
	})
	if err != nil {
		t.Fatal(err)
	}
}

// finished is a workflow that has failed.
func finished() *domain.State {
	s := domain.New(workflowID, template())
	s.SagaID, s.Status, s.Saga, s.Run = "saga-1", domain.Failed, domain.SagaCompensated, 1
	s.Steps, s.Undos = []domain.StepState{{Status: domain.StepCompleted}}, []domain.StepState{{Status: domain.StepFailed}}
	s.Compensation = &domain.CompensationState{}
	return &s
}

func everyEvent() []domain.Event {
	return []domain.Event{{Type: domain.WorkflowStarted}, {Type: domain.StepAccepted, Step: "PAY"}, {Type: domain.StepSucceeded, Step: "PAY"},
		{Type: domain.UndoGaveUp, Step: "VOID", Outcome: domain.Rejected}, {Type: domain.Compensated}, {Type: domain.WorkflowFailed}}
}

func TestMetricsAreKeptApartByFewLabels(t *testing.T) {
	t.Parallel()
	tel := measuring(t)
	measureAll(t, tel)
	_, text := exposed(t, tel)
	for _, line := range []string{
		`coordination_workflow_started_total{coordination_workflow_type="ONE"} 1`,
		`coordination_workflow_ended_total{coordination_workflow_status="FAILED",coordination_workflow_type="ONE"} 1`,
		`coordination_step_attempts_total{coordination_outcome="REJECTED",coordination_service="payment-service",coordination_step="VOID",coordination_workflow_type="ONE"} 1`,
		`coordination_command_duration_seconds_count{coordination_direction="execute",coordination_outcome="RETRY",coordination_service="payment-service",coordination_step="PAY"} 1`,
		`coordination_compensation_duration_seconds_count{coordination_saga_state="COMPENSATED",coordination_workflow_type="ONE"} 1`,
		`coordination_commit_changes_total{coordination_result="refused"} 1`,
		`coordination_overload_refusals_total{coordination_operation="start"} 1`,
		`coordination_overload_refusals_total{coordination_operation="request"} 1`,
		`coordination_webhook_attempt_duration_seconds_count{coordination_event="workflow.completed",coordination_webhook_status="PENDING"} 1`,
		`coordination_webhook_late_seconds 60`,
		`coordination_participant_breaker_open{coordination_service="payment-service"} 1`,
		`coordination_workflow_parked 2`,
		`coordination_retention_removed_total{coordination_retention_kind="workflows",coordination_workflow_status="FAILED"} 3`,
		`coordination_retention_removed_total{coordination_retention_kind="audit"} 5`,
		`coordination_retention_behind_seconds 90`,
		`db_client_connection_count{db_client_connection_pool_name="store",db_client_connection_state="idle"} 2`,
		`messaging_client_sent_messages_total{messaging_destination_name="_OTHER",messaging_operation_name="send",messaging_system="memory"} 1`,
		`messaging_client_consumed_messages_total{error_type="_OTHER",messaging_consumer_group_name="g",messaging_destination_name="coordination.replies",messaging_operation_name="process",messaging_system="memory"} 1`,
		`coordination_bus_quarantined_total{messaging_consumer_group_name="coordinator",messaging_destination_name="coordination.replies"} 1`,
		`http_server_request_duration_seconds_count{http_request_method="POST",http_response_status_code="202",http_route="/api/v1/workflows/{workflowId}/cancel",url_scheme="http"} 1`,
	} {
		if !slices.Contains(strings.Split(text, "\n"), line) {
			t.Errorf("no line %s", line)
		}
	}
	if strings.Contains(text, "660e8400") || strings.Contains(text, "some.topic") {
		t.Error("an ID or a caller's text is a label")
	}
}

func TestAStoreThatIsDownGivesNoNumbers(t *testing.T) {
	t.Parallel()
	tel := measuring(t)
	asked := 0
	err := tel.Watch(Watched{Standing: func(context.Context) (int, int, int, error) { asked++; return 0, 0, 0, ports.ErrUnavailable }})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got, _ := exposed(t, tel); got["coordination_workflow_active"] != "" {
			t.Error("a store that is down counts")
		}
	}
	if asked != 1 {
		t.Errorf("the store was asked %d times", asked)
	}
}

// line is a bus that handles a message as soon as somebody subscribes.
type line struct{ ports.Bus }

func (*line) Publish(context.Context, string, ports.Message) error { return nil }
func (*line) Subscribe(ctx context.Context, s ports.Subscription) error {
	return s.Handle(ctx, ports.Message{})
}

// cut is a bus that nothing gets to.
type cut struct{ ports.Bus }

func (*cut) Publish(context.Context, string, ports.Message) error { return errors.New("cut") }

// refusing has too much in hand.
type refusing struct{ ports.Workflows }

func (refusing) Start(context.Context, ports.StartRequest) (ports.Receipt, error) {
	return ports.Receipt{}, ports.ErrOverloaded
}

func BenchmarkCommitted(b *testing.B) {
	tel, err := Open(b.Context(), Config{Metrics: true})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = tel.Shutdown(context.Background()) }()
	s := domain.New(workflowID, template())
	s.Steps = make([]domain.StepState, 1)
	t := ports.Transition{Before: &s, After: &s, Events: []domain.Event{{Type: domain.StepSucceeded, Step: "PAY"}, {Type: domain.StepStarted, Step: "PAY"}}}
	o := tel.Observer()
	b.ReportAllocs()
	for b.Loop() {
		o.Committed(t)
	}
}
