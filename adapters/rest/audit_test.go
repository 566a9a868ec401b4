package rest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

func TestTheAuditIsForAdmins(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	at := time.Date(2026, 1, 15, 10, 5, 0, 0, time.UTC)
	s.engine.audit = ports.AuditPage{Total: 1, Entries: []ports.AuditEntry{{ID: "aud-1", At: at, Subject: "ada", Role: "admin",
		Action: "cancelWorkflow", Target: "wf-1", Reason: "CUSTOMER_REQUESTED", Before: []byte(`{"status":"IN_PROGRESS"}`)}}}
	s.get(t, "/audit").is(http.StatusForbidden)
	list := into[coordination.AuditList](s.get(t, "/audit?subject=ada&action=cancelWorkflow&target=wf-1&from=2026-01-15T00:00:00Z&to=2026-01-16T00:00:00Z&size=5",
		"Authorization", "Bearer admin").is(http.StatusOK))
	if len(list.Entries) != 1 || list.Entries[0].Subject != "ada" || list.Entries[0].After != nil || list.Pagination.TotalElements != 1 {
		t.Errorf("%+v", list)
	}
	want := ports.AuditQuery{Subject: "ada", Action: "cancelWorkflow", Target: "wf-1", From: at.Truncate(24 * time.Hour), To: at.Truncate(24 * time.Hour).Add(24 * time.Hour), Limit: 5}
	if got := s.engine.audited; got.Subject != want.Subject || got.Action != want.Action || got.Target != want.Target ||
		!got.From.Equal(want.From) || !got.To.Equal(want.To) || got.Limit != want.Limit {
		t.Errorf("asked for %+v", got)
	}
	s.get(t, "/audit?size=101", "Authorization", "Bearer admin").is(http.StatusBadRequest)
}

func TestFiltersForTheNight(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.get(t, "/workflows?stuck=true&updatedBefore=2026-01-15T10:00:00Z").is(http.StatusOK)
	if q := s.engine.asked; q.Stuck == 0 || !q.ActiveOnly || q.UpdatedBefore.IsZero() {
		t.Errorf("asked for %+v", q)
	}
	s.get(t, "/workflows/active?parked=true").is(http.StatusOK)
	if q := s.engine.asked; q.Status != domain.Parked {
		t.Errorf("asked for %+v", q)
	}
	s.get(t, "/workflows?parked=true&status=FAILED").is(http.StatusBadRequest)
}

func TestHealthNamesWhatIsStuck(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	since := time.Date(2026, 1, 15, 10, 5, 0, 0, time.UTC)
	s.engine.health = ports.Health{StoreUp: true, BusUp: true, Stuck: 1, StuckFirst: []ports.StuckWorkflow{{WorkflowID: "wf-1", Type: "ORDER_FULFILLMENT",
		Status: domain.Parked, Step: "VOID_PAYMENT", Reason: "COMPENSATION_EXHAUSTED", ErrorCode: "VOID_FAILED", Since: since, Actions: []string{"RETRY"}}}}
	h := into[coordination.Health](s.get(t, "/health").is(http.StatusOK))
	stuck := h.Details.Coordination.Stuck
	if len(stuck) != 1 || stuck[0].Reason != "COMPENSATION_EXHAUSTED" || stuck[0].Step != "VOID_PAYMENT" || !stuck[0].Until.IsZero() || len(stuck[0].AllowedActions) != 1 {
		t.Errorf("%+v", stuck)
	}
}
