package rest

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// taken are the members of a batch's request that each action takes, as the
// request for one workflow does.
var taken = map[coordination.BatchAction][]string{
	coordination.BatchRetry:      {"fromStep", "resetState", "metadata"},
	coordination.BatchCancel:     {"reason", "reasonDetails", "initiatedBy", "force", "metadata"},
	coordination.BatchCompensate: {"reason", "fromStep", "forceCompensation", "metadata"},
}

// batchFaults are the faults of a batch that its schema cannot express.
func batchFaults(b *coordination.BatchRequest, raw []byte) []error {
	errs := selectionFaults(b)
	var members struct {
		Request map[string]json.RawMessage `json:"request"`
	}
	if b.Request == nil || json.Unmarshal(raw, &members) != nil { // the schema has said so
		return errs
	}
	for _, name := range slices.Sorted(maps.Keys(members.Request)) {
		for _, names := range taken { // an unknown one is the schema's business
			if slices.Contains(names, name) && !slices.Contains(taken[b.Action], name) && taken[b.Action] != nil {
				errs = append(errs, violation("body.request."+name, "action "+string(b.Action)+" does not take it"))
				break
			}
		}
	}
	return append(errs, metadataFaults(b.Request.Metadata, "body.request.metadata")...)
}

// selectionFaults are those of what a batch is for.
func selectionFaults(b *coordination.BatchRequest) []error {
	switch {
	case b.Filter != nil && b.WorkflowIDs != nil:
		return []error{violation("body.workflowIds", "not together with filter")}
	case b.WorkflowIDs != nil:
		return nameFaults(b.WorkflowIDs)
	case b.Filter == nil:
		return []error{violation("body.filter", "either filter or workflowIds is required")}
	}
	var errs []error
	if batchQuery(b.Filter) == (ports.ListQuery{}) {
		errs = append(errs, violation("body.filter", "expected at least one condition: a batch of all workflows is not made by mistake"))
	}
	if b.Filter.Parked && b.Filter.Status != "" && b.Filter.Status != coordination.StatusParked {
		errs = append(errs, violation("body.filter.parked", "not together with another status"))
	}
	if b.Filter.BusinessKey != "" && b.Filter.OrderID != "" && b.Filter.BusinessKey != b.Filter.OrderID {
		errs = append(errs, violation("body.filter.orderId", "differs from businessKey"))
	}
	return errs
}

// nameFaults are those of workflows that are named one by one.
func nameFaults(ids []string) []error {
	var errs []error
	seen := make(map[string]bool, len(ids))
	for i, text := range ids {
		path := "body.workflowIds[" + strconv.Itoa(i) + "]"
		id, err := workflowID(text)
		switch {
		case err != nil:
			errs = append(errs, violation(path, "expected a workflow identifier"))
		case seen[id]:
			errs = append(errs, violation(path, msgDuplicate))
		}
		seen[id] = true
	}
	return errs
}

// batchQuery is a filter as a list takes it.
func batchQuery(f *coordination.BatchFilter) ports.ListQuery {
	key := f.BusinessKey
	if key == "" {
		key = f.OrderID
	}
	q := ports.ListQuery{Type: f.Type, Status: domain.Status(f.Status), CustomerID: f.CustomerID, Priority: string(f.Priority),
		BusinessKey: key, Step: f.Step, ErrorCode: f.ErrorCode, StartedAfter: f.StartedAfter.Time, StartedBefore: f.StartedBefore.Time}
	waiting := Waiting{Stuck: f.Stuck, Parked: f.Parked, UpdatedBefore: f.UpdatedBefore.Time}
	waiting.apply(&q)
	return q
}

func batchID(text string) (string, error) {
	return canonicalID(text, batchPrefix, coordination.ErrBatchNotFound, "batch")
}
