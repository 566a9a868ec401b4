package rest_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/rest"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

const parkedOnes = `{"action":"RETRY","filter":{"status":"PARKED"},"reason":"R"}`

// batch makes a batch.
func (s *server) batch(t testing.TB, body string, headers ...string) *coordination.Batch {
	t.Helper()
	return into[coordination.Batch](s.admin(t, "POST", "/batches", body, headers...).is(202))
}

func TestABatchIsAsked(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	got := s.admin(t, "POST", "/batches", `{"action":"CANCEL","reason":"RECALL","perSecond":50,
		"filter":{"type":"ORDER_FULFILLMENT","status":"PARKED","customerId":"c-1","priority":"HIGH","orderId":"o-1","step":"SHIP","errorCode":"E 1",
			"startedAfter":"2024-01-15T10:00:00Z","startedBefore":"2024-01-15T11:00:00+01:00","updatedBefore":"2024-01-15T12:00:00Z","stuck":true,"parked":true},
		"request":{"force":true,"initiatedBy":"OPS","reasonDetails":"canary","metadata":{"note":"canary"}}}`).is(202)
	made := into[coordination.Batch](got)
	if location := got.header.Get("Location"); location != "/api/v1/batches/"+made.BatchID {
		t.Errorf("Location is %q", location)
	}
	asked := s.jobs.asked[0]
	want := ports.ListQuery{ActiveOnly: true, Type: "ORDER_FULFILLMENT", Status: domain.Parked, CustomerID: "c-1", Priority: "HIGH", BusinessKey: "o-1", Step: "SHIP",
		ErrorCode: "E 1", Stuck: 30 * time.Second, StartedAfter: time.Date(2024, 1, 15, 10, 0, 0, 0, time.UTC),
		StartedBefore: time.Date(2024, 1, 15, 10, 0, 0, 0, time.UTC), UpdatedBefore: time.Date(2024, 1, 15, 12, 0, 0, 0, time.UTC)}
	if asked.Query != want || asked.PerSecond != 50 || asked.Reason != "RECALL" || asked.Action != ports.BatchCancel || asked.WorkflowIDs != nil {
		t.Errorf("asked for %+v\nwant      %+v", asked, want)
	}
	if request := string(asked.Request); request != `{"force":true,"reasonDetails":"canary","initiatedBy":"OPS","metadata":{"note":"canary"}}` {
		t.Errorf("each is asked %s", request)
	}
	if made.Total != 3 || made.Pending != 2 || made.Succeeded != 1 || made.CreatedBy != "tester" || !made.Filter.Stuck || made.Filter.OrderID != "o-1" || !made.Request.Force {
		t.Errorf("made is %+v", made)
	}
	for _, path := range []string{"/batches", "/batches/" + made.BatchID, "/batches/" + strings.TrimPrefix(made.BatchID, "bat-")} {
		if shown := s.admin(t, "GET", path, "").is(200); strings.Contains(string(shown.body), "canary") || !strings.Contains(string(shown.body), made.BatchID) {
			t.Errorf("%s shows %s", path, shown.body)
		}
	}
}

func TestABatchOfNamedWorkflows(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	made := s.batch(t, `{"action":"COMPENSATE","workflowIds":["`+absentID+`","wf-018D0EA9-0000-7000-8000-00000000FFFE"],"reason":"R","request":{"fromStep":"SHIP"}}`)
	want := []string{"wf-" + absentID, "wf-018d0ea9-0000-7000-8000-00000000fffe"}
	if asked := s.jobs.asked[0]; !reflect.DeepEqual(asked.WorkflowIDs, want) || asked.PerSecond != coordination.DefaultBatchRate || asked.Filter != nil {
		t.Errorf("asked for %+v", asked)
	}
	if made.Filter != nil || made.Request.FromStep != "SHIP" {
		t.Errorf("made is %+v", made)
	}
}

func TestBatchRequestsAreChecked(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	many := strings.Repeat(`"`+absentID+`",`, coordination.MaxBatchWorkflowIDs)
	of := func(rest string) string { return `{"action":"RETRY","reason":"R",` + rest + `}` }
	for body, path := range map[string]string{
		`{"reason":"R","filter":{"parked":true}}`:                                                            "body", // without an action
		`{"action":"RETRY","filter":{"parked":true}}`:                                                        "body",
		`{"action":"DELETE","reason":"R","filter":{"parked":true}}`:                                          "body.action",
		`{"action":"RETRY","reason":"","filter":{"parked":true}}`:                                            "body.reason",
		`{"action":"RETRY","reason":"R"}`:                                                                    "body.filter",
		of(`"filter":{}`):                                                                                    "body.filter",
		of(`"filter":{"stuck":false,"status":""}`):                                                           "body.filter.status",
		of(`"filter":{"parked":false}`):                                                                      "body.filter",
		of(`"filter":{"state":"PARKED"}`):                                                                    "body.filter.state",
		of(`"filter":{"page":1}`):                                                                            "body.filter.page",
		of(`"filter":{"status":"parked"}`):                                                                   "body.filter.status",
		of(`"filter":{"status":"FAILED","parked":true}`):                                                     "body.filter.parked",
		of(`"filter":{"orderId":"a","businessKey":"b"}`):                                                     "body.filter.orderId",
		of(`"filter":{"startedAfter":"yesterday"}`):                                                          "body.filter.startedAfter",
		of(`"filter":{"parked":true},"workflowIds":["wf-1"]`):                                                "body.workflowIds",
		of(`"workflowIds":[]`):                                                                               "body.workflowIds",
		of(`"workflowIds":["` + absentID + `","wf-1"]`):                                                      "body.workflowIds[1]",
		of(`"workflowIds":["` + absentID + `","wf-` + absentID + `"]`):                                       "body.workflowIds[1]",
		of(`"workflowIds":[` + many + `"wf-1"]`):                                                             "body.workflowIds",
		of(`"filter":{"parked":true},"perSecond":0`):                                                         "body.perSecond",
		of(`"filter":{"parked":true},"perSecond":1001`):                                                      "body.perSecond",
		of(`"filter":{"parked":true},"request":{"force":false}`):                                             "body.request.force",
		of(`"filter":{"parked":true},"request":{"reason":"X"}`):                                              "body.request.reason",
		of(`"filter":{"parked":true},"request":{"wait":1}`):                                                  "body.request.wait",
		of(`"filter":{"parked":true},"request":{"metadata":{"card":"4242 4242 4242 4242"}}`):                 "body.request.metadata.card",
		`{"action":"CANCEL","reason":"R","filter":{"parked":true},"request":{"fromStep":"SHIP"}}`:            "body.request.fromStep",
		`{"action":"CANCEL","reason":"R","filter":{"parked":true},"request":{"forceCompensation":true}}`:     "body.request.forceCompensation",
		`{"action":"COMPENSATE","reason":"R","filter":{"parked":true},"request":{"resetState":true}}`:        "body.request.resetState",
		`{"action":"COMPENSATE","reason":"R","filter":{"parked":true},"request":{"initiatedBy":"CUSTOMER"}}`: "body.request.initiatedBy",
	} {
		got := s.admin(t, "POST", "/batches", body).is(400).violations()
		if got[path] == "" {
			t.Errorf("%.90s: violations are %v, want one of %s", body, got, path)
		}
	}
	if len(s.jobs.asked) != 0 {
		t.Errorf("what was refused was asked: %+v", s.jobs.asked)
	}
}

// TestTheLimitsOfBatchesAgree: callers and stores are told the same.
func TestTheLimitsOfBatchesAgree(t *testing.T) {
	t.Parallel()
	if coordination.MaxBatchItems != ports.MaxBatchItems || coordination.MaxBatchWorkflowIDs > ports.MaxBatchItems {
		t.Errorf("%d and %d, but a batch is for %d", coordination.MaxBatchItems, coordination.MaxBatchWorkflowIDs, ports.MaxBatchItems)
	}
	ids := strings.Repeat(`"wf-`+absentID+`",`, coordination.MaxBatchWorkflowIDs)
	if len(ids) > rest.MaxBodyBytes-1<<10 {
		t.Errorf("%d workflows take %d bytes; a body has %d", coordination.MaxBatchWorkflowIDs, len(ids), rest.MaxBodyBytes)
	}
}

func TestABatchThatIsTooLargeOrTooMany(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for err, limit := range map[error]string{ports.ErrBatchTooLarge: "10000", ports.ErrTooManyBatches: "20 batches"} {
		s.jobs.refuse = err
		for _, dry := range []string{"true", "false"} {
			e := s.admin(t, "POST", "/batches", `{"action":"RETRY","filter":{"status":"PARKED"},"reason":"R","dryRun":`+dry+`}`).is(422).code(coordination.ErrBusinessRuleViolation)
			if !strings.Contains(e.Message, limit) {
				t.Errorf("the limit is not named: %s", e.Message)
			}
		}
	}
}

func TestADryRunOfABatch(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.jobs.preview = ports.BatchPreview{Total: 7, First: []ports.PlannedItem{
		{WorkflowID: "wf-1", Type: "ORDER_FULFILLMENT", Status: domain.Parked, Step: "PAYMENT_PROCESSING"},
		{WorkflowID: "wf-2", Code: "WORKFLOW_NOT_FOUND", Message: "there is no such workflow"}}}
	got := s.admin(t, "POST", "/batches", `{"action":"RETRY","filter":{"status":"PARKED"},"reason":"R","dryRun":true}`, "X-Idempotency-Key", "k").is(200)
	p := into[coordination.BatchPreview](got)
	if !p.DryRun || p.Total != 7 || len(p.First) != 2 || p.First[0].CurrentStep != "PAYMENT_PROCESSING" || p.First[1].Code != coordination.ErrWorkflowNotFound {
		t.Errorf("%+v", p)
	}
	if got.header.Get("Location") != "" || len(s.jobs.kept) != 0 {
		t.Error("a dry run made a batch")
	}
	// Its key is still free.
	s.batch(t, parkedOnes, "X-Idempotency-Key", "k")
}

func TestABatchIsMadeOnceByKey(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	first := s.admin(t, "POST", "/batches", parkedOnes, "X-Idempotency-Key", "k").is(202)
	again := s.admin(t, "POST", "/batches", " "+parkedOnes, "Idempotency-Key", "k").is(202)
	if string(first.body) != string(again.body) || again.header.Get("Idempotency-Replayed") != "true" || first.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("first %s, then %s", first.body, again.body)
	}
	s.admin(t, "POST", "/batches", strings.Replace(parkedOnes, "RETRY", "CANCEL", 1), "X-Idempotency-Key", "k").is(409).code(coordination.ErrWorkflowAlreadyExists)
	s.admin(t, "POST", "/batches", parkedOnes, "X-Idempotency-Key", "k", "Authorization", "Bearer admin/other").is(202)
	if n := len(s.jobs.kept); n != 2 {
		t.Errorf("%d batches were made", n)
	}
}

func TestBatchesAndTheirItemsAreListed(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for range 3 {
		s.batch(t, parkedOnes)
	}
	list := into[coordination.BatchList](s.admin(t, "GET", "/batches?page=1&size=2", "").is(200))
	if len(list.Batches) != 1 || list.Pagination.TotalElements != 3 || list.Pagination.TotalPages != 2 {
		t.Errorf("%+v", list)
	}
	at := time.Date(2024, 1, 15, 13, 0, 2, 0, time.UTC)
	s.jobs.items = []ports.BatchItem{{WorkflowID: "wf-1", Done: true, Succeeded: true, At: at},
		{WorkflowID: "wf-2", Done: true, Code: "INVALID_WORKFLOW_STATE", Message: "m", At: at}, {WorkflowID: "wf-3"}}
	items := into[coordination.BatchItemList](s.admin(t, "GET", "/batches/"+list.Batches[0].BatchID+"/items", "").is(200))
	var told []string
	for _, item := range items.Items {
		told = append(told, fmt.Sprint(item.WorkflowID, item.Status, item.Code, item.SettledAt.IsZero()))
	}
	if got := strings.Join(told, " "); got != "wf-1SUCCEEDEDfalse wf-2FAILEDINVALID_WORKFLOW_STATEfalse wf-3PENDINGtrue" {
		t.Errorf("%s", got)
	}
	for _, query := range []string{"?size=101", "?page=-1", "?page=10000&size=2", "?cursor=x", "?status=FAILED"} {
		s.admin(t, "GET", "/batches"+query, "").is(400)
	}
}

func TestABatchIsCancelled(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := s.batch(t, parkedOnes).BatchID
	if got := into[coordination.Batch](s.admin(t, "POST", "/batches/"+id+"/cancel", "").is(202)); got.Status != coordination.BatchCancelled || got.EndedAt.IsZero() {
		t.Errorf("%+v", got)
	}
	for _, bad := range []string{absentID, "bat-1", "wf-" + absentID} {
		for route := range map[string]bool{"GET ": true, "GET /items": true, "POST /cancel": true} {
			method, rest, _ := strings.Cut(route, " ")
			s.admin(t, method, "/batches/"+bad+rest, "").is(404).code(coordination.ErrBatchNotFound)
		}
	}
}
