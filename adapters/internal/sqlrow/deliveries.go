package sqlrow

import (
	"github.com/firstviscount/platform-coordination/adapters/internal/deliveries"
	"github.com/firstviscount/platform-coordination/ports"
)

// DeliveryColumns are those of a delivery d of a subscription w.
const DeliveryColumns = `w.webhook_id, d.workflow_id, d.sequence, d.event, d.status, d.attempts, d.created_at, d.last_at, d.next_at, d.response, d.error`

// DeliveryList is a list of deliveries being made: of a page query, and of a
// query that counts, for each subscription that it is about.
//
// Deliveries are reached through an index that begins with subscription and
// status, so that a page is the merge of a few short scans, however many there
// are.
type DeliveryList struct {
	query   ports.DeliveryQuery
	dialect Dialect
	place   *deliveries.Place // nil: from the start
	found   []ports.Delivery
	total   int
}

// NewDeliveryList checks a query; ports.ErrBadCursor if its cursor is not one of this list.
func NewDeliveryList(q ports.DeliveryQuery, d Dialect) (*DeliveryList, error) {
	place, err := deliveries.CheckQuery(&q)
	return &DeliveryList{query: q, dialect: d, place: place}, err
}

// Webhook is the only subscription that the list is about; "" if it is about all.
func (l *DeliveryList) Webhook() string { return l.query.WebhookID }

// statuses are those that the filter selects.
func (l *DeliveryList) statuses() []ports.DeliveryStatus {
	if l.query.Status != "" {
		return []ports.DeliveryStatus{l.query.Status}
	}
	return []ports.DeliveryStatus{ports.DeliveryPending, ports.DeliveryRetrying, ports.DeliveryDelivered, ports.DeliveryFailed}
}

// selected is what a subscription has with a status.
func (l *DeliveryList) selected(b *statement, webhookID string, status ports.DeliveryStatus) {
	b.printf(" FROM deliveries d WHERE d.webhook = (SELECT nr FROM webhooks WHERE webhook_id = %s) AND d.status = %s",
		b.param(webhookID), b.param(string(status)))
}

// PageQuery selects the DeliveryColumns of those of a subscription that may
// come on the page.
func (l *DeliveryList) PageQuery(webhookID string) (string, []any) {
	b := &statement{dialect: l.dialect}
	b.WriteString("SELECT " + DeliveryColumns + " FROM (")
	for i, status := range l.statuses() {
		if i > 0 {
			b.WriteString(" UNION ALL ")
		}
		b.WriteString("SELECT * FROM (SELECT d.*")
		l.selected(b, webhookID, status)
		if p := l.place; p != nil {
			than := "<"
			if webhookID < p.WebhookID { // its delivery of the same event comes later
				than = "<="
			}
			at := b.param(p.CreatedAt)
			b.printf(" AND d.created_at <= %s AND (d.created_at, d.workflow_id, d.sequence) %s (%s, %s, %s)",
				at, than, at, b.param(p.WorkflowID), b.param(p.Sequence))
		}
		b.printf(" ORDER BY d.created_at DESC, d.workflow_id DESC, d.sequence DESC LIMIT %s) AS branch_%d",
			b.param(l.query.Offset+l.query.Limit+1), i)
	}
	b.WriteString(") AS d JOIN webhooks w ON w.nr = d.webhook")
	return b.String(), b.args
}

// TotalQuery counts those of a subscription, up to ports.MaxCount.
func (l *DeliveryList) TotalQuery(webhookID string) (string, []any) {
	b := &statement{dialect: l.dialect}
	b.WriteString("SELECT count(*) FROM (")
	for i, status := range l.statuses() {
		if i > 0 {
			b.WriteString(" UNION ALL ")
		}
		b.WriteString("SELECT 1 AS one")
		l.selected(b, webhookID, status)
	}
	b.printf(" LIMIT %s) AS selected", b.param(ports.MaxCount))
	return b.String(), b.args
}

// Add adds the results of the queries for a subscription.
func (l *DeliveryList) Add(found []ports.Delivery, total int) {
	l.found, l.total = append(l.found, found...), l.total+total
}

// Page makes the page.
func (l *DeliveryList) Page() ports.DeliveryPage {
	return deliveries.Page(&l.query, l.found, l.total)
}
