package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/firstviscount/platform-coordination/adapters/internal/sqlrow"
	"github.com/firstviscount/platform-coordination/ports"
)

// A param is one array parameter: a name in the statement and how an element
// of type E is written into it.
type param[E any] struct {
	name string
	kind string
	put  func(*column, *E)
}

// rowParams are the columns of workflows that a change writes, the key first.
var rowParams = []param[ports.Change]{
	{"workflow_id", "text", func(c *column, ch *ports.Change) { c.text(ch.Row.WorkflowID) }},
	{"saga_id", "text", func(c *column, ch *ports.Change) { c.text(ch.Row.SagaID) }},
	{"type", "text", func(c *column, ch *ports.Change) { c.text(ch.Row.Type) }},
	{"template_hash", "text", func(c *column, ch *ports.Change) { c.text(ch.Row.TemplateHash) }},
	{"business_key", "text", func(c *column, ch *ports.Change) { c.text(ch.Row.BusinessKey) }},
	{"customer_id", "text", func(c *column, ch *ports.Change) { c.text(ch.Row.CustomerID) }},
	{"priority", "text", func(c *column, ch *ports.Change) { c.text(ch.Row.Priority) }},
	{"status", "text", func(c *column, ch *ports.Change) { c.text(string(ch.Row.Status)) }},
	{"saga", "text", func(c *column, ch *ports.Change) { c.text(string(ch.Row.Saga)) }},
	{"current_step", "text", func(c *column, ch *ports.Change) { c.text(ch.Row.CurrentStep) }},
	{"settled_steps", "integer", func(c *column, ch *ports.Change) { c.int4(ch.Row.SettledSteps) }},
	{"total_steps", "integer", func(c *column, ch *ports.Change) { c.int4(ch.Row.TotalSteps) }},
	{"error_code", "text", func(c *column, ch *ports.Change) { c.text(ch.Row.ErrorCode) }},
	{"metadata", "bytea", func(c *column, ch *ports.Change) { c.optionalBytes(ch.Row.Metadata) }},
	{"version", "integer", func(c *column, ch *ports.Change) { c.int4(ch.Row.Version) }},
	{"run", "integer", func(c *column, ch *ports.Change) { c.int4(ch.Row.Run) }},
	{"started_at", "timestamptz", func(c *column, ch *ports.Change) { c.time(ch.Row.StartedAt) }},
	{"updated_at", "timestamptz", func(c *column, ch *ports.Change) { c.time(ch.Row.UpdatedAt) }},
	{"ended_at", "timestamptz", func(c *column, ch *ports.Change) { c.optionalTime(ch.Row.EndedAt) }},
	{"owner", "text", func(c *column, ch *ports.Change) { c.text(ch.Row.Owner) }},
	{"due_at", "timestamptz", func(c *column, ch *ports.Change) { c.optionalTime(ch.Row.DueAt) }},
	{"wake_at", "timestamptz", func(c *column, ch *ports.Change) { c.optionalTime(ch.Row.WakeAt) }},
	{"active", "boolean", func(c *column, ch *ports.Change) { c.flag(!ch.Row.Status.Terminal()) }},
	{"published", "integer", func(c *column, ch *ports.Change) { c.int4(ch.Row.Published) }},
	{"blocks", "boolean", func(c *column, ch *ports.Change) { c.flag(sqlrow.Blocks(&ch.Row)) }},
}

// changeParams are what a change carries beside its row.
var changeParams = []param[ports.Change]{
	{"expected", "integer", func(c *column, ch *ports.Change) { c.int4(ch.Expected) }},
	{"holder", "text", func(c *column, ch *ports.Change) { c.text(ch.Holder) }},
	{"events", "bytea", func(c *column, ch *ports.Change) { c.bytes(ch.Events) }},
	{"owes", "boolean", func(c *column, ch *ports.Change) { c.flag(ch.Owes) }},
	{"keeper", "text", func(c *column, ch *ports.Change) { c.text(ch.Keeper) }},
}

// keyParams are idempotency records; ord is the place of their change.
var keyParams = []param[sqlrow.Key]{
	{"ord", "bigint", func(c *column, k *sqlrow.Key) { c.int8(k.Ord) }},
	{"scope", "text", func(c *column, k *sqlrow.Key) { c.text(k.Scope) }},
	{"fingerprint", "text", func(c *column, k *sqlrow.Key) { c.text(k.Fingerprint) }},
	{"workflow_id", "text", func(c *column, k *sqlrow.Key) { c.text(k.WorkflowID) }},
	{"version", "integer", func(c *column, k *sqlrow.Key) { c.int4(k.Version) }},
	{"created_at", "timestamptz", func(c *column, k *sqlrow.Key) { c.time(k.CreatedAt) }},
}

// entryParams are audit entries; ord is the place of their change.
var entryParams = []param[sqlrow.Entry]{
	{"ord", "bigint", func(c *column, e *sqlrow.Entry) { c.int8(e.Ord) }},
	{"at", "timestamptz", func(c *column, e *sqlrow.Entry) { c.time(e.At) }},
	{"id", "text", func(c *column, e *sqlrow.Entry) { c.text(e.ID) }},
	{"subject", "text", func(c *column, e *sqlrow.Entry) { c.text(e.Subject) }},
	{"role", "text", func(c *column, e *sqlrow.Entry) { c.text(e.Role) }},
	{"action", "text", func(c *column, e *sqlrow.Entry) { c.text(e.Action) }},
	{"target", "text", func(c *column, e *sqlrow.Entry) { c.text(e.Target) }},
	{"reason", "text", func(c *column, e *sqlrow.Entry) { c.text(e.Reason) }},
	{"request_id", "text", func(c *column, e *sqlrow.Entry) { c.text(e.RequestID) }},
	{"trace_id", "text", func(c *column, e *sqlrow.Entry) { c.text(e.TraceID) }},
	{"before", "bytea", func(c *column, e *sqlrow.Entry) { c.optionalBytes(e.Before) }},
	{"after", "bytea", func(c *column, e *sqlrow.Entry) { c.optionalBytes(e.After) }},
}

// noticeParams are notices; ord is the place of their change.
var noticeParams = []param[sqlrow.Notice]{
	{"ord", "bigint", func(c *column, n *sqlrow.Notice) { c.int8(n.Ord) }},
	{"workflow_id", "text", func(c *column, n *sqlrow.Notice) { c.text(n.WorkflowID) }},
	{"sequence", "integer", func(c *column, n *sqlrow.Notice) { c.int4(n.Sequence) }},
	{"event", "text", func(c *column, n *sqlrow.Notice) { c.text(n.Event) }},
	{"at", "timestamptz", func(c *column, n *sqlrow.Notice) { c.time(n.At) }},
}

// increments say what a change adds to which counter; counters are the
// distinct ones, so that their texts are sent and found once per batch.
var (
	incrementParams = []param[sqlrow.Increment]{
		{"ord", "bigint", func(c *column, i *sqlrow.Increment) { c.int8(i.Ord) }},
		{"counter", "bigint", func(c *column, i *sqlrow.Increment) { c.int8(i.Counter) }},
		{"n", "bigint", func(c *column, i *sqlrow.Increment) { c.int8(i.N) }},
		{"total_us", "bigint", func(c *column, i *sqlrow.Increment) { c.int8(i.Total.Microseconds()) }},
	}
	counterParams = []param[sqlrow.Counter]{
		{"bucket", "timestamptz", func(c *column, k *sqlrow.Counter) { c.time(k.Bucket) }},
		{"type", "text", func(c *column, k *sqlrow.Counter) { c.text(k.Type) }},
		{"name", "text", func(c *column, k *sqlrow.Counter) { c.text(string(k.Name)) }},
		{"label", "text", func(c *column, k *sqlrow.Counter) { c.text(k.Label) }},
	}
)

// endedColumns repeat, once a workflow has ended, what lists find it by.
const (
	endedColumns = "ended_status, ended_updated, ended_step, ended_error"
	endedValues  = `CASE WHEN NOT u.active THEN u.status END, CASE WHEN NOT u.active THEN u.updated_at END,
		CASE WHEN NOT u.active THEN nullif(u.current_step, '') END, CASE WHEN NOT u.active THEN nullif(u.error_code, '') END`
)

// Names of the prepared statements.
const (
	transitionsStatement = "commit_transitions"
	startsStatement      = "commit_starts"
)

// transitionsSQL moves workflows on. The update takes the rows in the order of
// the arrays, which is by workflow ID, so that commits cannot deadlock on them.
//
// A row that comes back to life must find its business key free. Where that
// check is overtaken by another commit, the unique index fails the statement,
// and the batch is done again.
//
// prior_status and prior_ended keep what the totals must be relieved of: the
// row that RETURNING sees is the new one.
var transitionsSQL = fmt.Sprintf(`
WITH u AS MATERIALIZED (SELECT * FROM %s WITH ORDINALITY AS u(%s, ord)),
k AS MATERIALIZED (SELECT * FROM %s AS k(%s)),
taken AS MATERIALIZED (SELECT k.ord FROM k JOIN idempotency i ON i.scope = k.scope),
done AS (
	UPDATE workflows w SET %s, (%s) = ROW(%s), prior_status = w.status, prior_ended = w.ended_at
	FROM u
	WHERE w.workflow_id = u.workflow_id AND w.version = u.expected AND w.owner = u.holder
	AND NOT (u.ord IN (SELECT ord FROM taken))
	AND (w.blocks OR NOT u.blocks OR NOT EXISTS (SELECT FROM workflows x
		WHERE x.business_key = u.business_key AND x.type = u.type AND x.blocks AND x.workflow_id <> u.workflow_id))
	RETURNING u.ord, w.nr, w.workflow_id, u.expected, w.version, u.events, u.owes, u.keeper, w.type, w.priority,
		w.status, w.prior_status, w.started_at, w.ended_at, w.prior_ended
)%s`,
	unnest(1, kinds(rowParams), kinds(changeParams)), join("%s", names(rowParams), names(changeParams)),
	unnest(1+len(rowParams)+len(changeParams), kinds(keyParams)), join("%s", names(keyParams)),
	join("%[1]s = u.%[1]s", names(rowParams[1:])), endedColumns, endedValues, tailSQL)

// startsSQL writes new workflows. Whatever stands in a start's way - its
// workflow ID, its business key - leaves it out; done are those that were let in.
var startsSQL = fmt.Sprintf(`
WITH u AS MATERIALIZED (SELECT nextval('workflow_nr') AS nr, u.* FROM %s WITH ORDINALITY AS u(%s, ord)),
k AS MATERIALIZED (SELECT * FROM %s AS k(%s)),
taken AS MATERIALIZED (SELECT k.ord FROM k JOIN idempotency i ON i.scope = k.scope),
new AS (
	INSERT INTO workflows (nr, %[5]s, %[6]s)
	SELECT nr, %[5]s, %[7]s FROM u WHERE NOT (u.ord IN (SELECT ord FROM taken))
	ON CONFLICT DO NOTHING RETURNING nr
),
done AS MATERIALIZED (
	SELECT u.*, NULL AS prior_status, NULL::timestamptz AS prior_ended
	FROM u WHERE (u.nr IN (SELECT nr FROM new)) IS TRUE
)%[8]s`,
	unnest(1, kinds(rowParams), kinds(changeParams)), join("%s", names(rowParams), names(changeParams)),
	unnest(1+len(rowParams)+len(changeParams), kinds(keyParams)), join("%s", names(keyParams)),
	join("%s", names(rowParams)), endedColumns, endedValues, tailSQL)

// tailSQL writes what belongs to the changes in done, and only to those: their
// events, idempotency records, audit entries, deliveries, counts and totals.
// "IN … IS TRUE" makes Postgres hash the list once instead of joining it row by row.
var tailSQL = fmt.Sprintf(`,
new_events AS (
	INSERT INTO events (nr, first_seq, last_seq, data)
	SELECT nr, expected + 1, version, events FROM done WHERE octet_length(events) > 0
),
new_owed AS (
	INSERT INTO outbox (workflow_id, version, keeper) SELECT workflow_id, version, keeper FROM done WHERE owes
	ON CONFLICT (workflow_id) DO UPDATE SET version = excluded.version, keeper = excluded.keeper, created_at = excluded.created_at
),
new_keys AS (
	INSERT INTO idempotency (%[1]s)
	SELECT %[1]s FROM k WHERE (k.ord IN (SELECT ord FROM done)) IS TRUE
),
new_entries AS (
	INSERT INTO audit (%[7]s)
	SELECT %[7]s FROM %[8]s AS a(ord, %[7]s) WHERE (a.ord IN (SELECT ord FROM done)) IS TRUE
),
new_deliveries AS (
	INSERT INTO deliveries (webhook, workflow_id, sequence, event, created_at, next_at)
	SELECT w.nr, n.workflow_id, n.sequence, n.event, n.at, clock_timestamp()
	FROM webhooks w CROSS JOIN LATERAL (
		SELECT * FROM %[9]s AS n(%[10]s) WHERE n.event = ANY (w.events) AND (n.ord IN (SELECT ord FROM done)) IS TRUE
		OFFSET 0 -- so that it is nothing where there are no subscriptions
	) n
	WHERE w.active AND w.events && ARRAY(SELECT DISTINCT unnest($%[11]d::text[])) ON CONFLICT DO NOTHING
),
new_counts AS (
	INSERT INTO counts (%[2]s, slot, n, total_us)
	SELECT %[2]s, %[3]s, s.n, s.total_us
	FROM %[4]s WITH ORDINALITY AS c(%[2]s, counter)
	JOIN (
		SELECT counter, sum(n)::bigint AS n, sum(total_us)::bigint AS total_us
		FROM %[5]s AS i(%[6]s) WHERE (i.ord IN (SELECT ord FROM done)) IS TRUE GROUP BY counter
	) s USING (counter)
	ON CONFLICT (bucket, type, name, label, slot)
	DO UPDATE SET n = counts.n + excluded.n, total_us = counts.total_us + excluded.total_us
),
new_totals AS (
	INSERT INTO totals (type, status, priority, slot, n, seconds)
	SELECT type, status, priority, %[3]s, sum(n), sum(n * extract(epoch FROM CASE
		WHEN ended_at IS NULL THEN started_at - timestamptz 'epoch' ELSE ended_at - started_at END))
	FROM (
		SELECT type, status, priority, started_at, ended_at, 1 AS n FROM done
		WHERE (status, ended_at) IS DISTINCT FROM (prior_status, prior_ended)
		UNION ALL
		SELECT type, prior_status, priority, started_at, prior_ended, -1 FROM done
		WHERE prior_status IS NOT NULL AND (status, ended_at) IS DISTINCT FROM (prior_status, prior_ended)
	) d
	GROUP BY type, status, priority ORDER BY type, status, priority
	ON CONFLICT (type, status, priority, slot)
	DO UPDATE SET n = totals.n + excluded.n, seconds = totals.seconds + excluded.seconds
)
SELECT ord FROM done`,
	join("%s", names(keyParams[1:])), join("%s", names(counterParams)),
	fmt.Sprintf("$%d::integer", slotParam),
	unnest(slotParam-len(counterParams), kinds(counterParams)),
	unnest(slotParam-len(counterParams)-len(incrementParams), kinds(incrementParams)), join("%s", names(incrementParams)),
	join("%s", names(entryParams[1:])), unnest(slotParam-len(counterParams)-len(incrementParams)-len(noticeParams)-len(entryParams), kinds(entryParams)),
	unnest(noticeParam, kinds(noticeParams)), join("%s", names(noticeParams)), noticeParam+noticeEvent)

// noticeParam is the number of the first parameter of notices; noticeEvent is
// the place of their events among them.
var noticeParam = slotParam - len(counterParams) - len(incrementParams) - len(noticeParams)

const noticeEvent = 3

// slotParam is the number of the last parameter, the slot of the connection.
var slotParam = len(rowParams) + len(changeParams) + len(keyParams) + len(entryParams) + len(noticeParams) + len(incrementParams) + len(counterParams) + 1

// prepareCommit readies a connection for Commit.
func prepareCommit(ctx context.Context, conn *pgx.Conn) error {
	for name, sql := range map[string]string{transitionsStatement: transitionsSQL, startsStatement: startsSQL} {
		if _, err := conn.Prepare(ctx, name, sql); err != nil {
			return fmt.Errorf("prepare %s: %w", name, err)
		}
	}
	return takeSlot(ctx, conn)
}

func names[E any](params []param[E]) []string {
	list := make([]string, len(params))
	for i, p := range params {
		list[i] = p.name
	}
	return list
}

func kinds[E any](params []param[E]) []string {
	list := make([]string, len(params))
	for i, p := range params {
		list[i] = p.kind
	}
	return list
}

// unnest is the table function over the parameters from $first on.
func unnest(first int, lists ...[]string) string {
	var args []string
	for _, list := range lists {
		for _, kind := range list {
			args = append(args, fmt.Sprintf("$%d::%s[]", first+len(args), kind))
		}
	}
	return "unnest(" + strings.Join(args, ", ") + ")"
}

// join formats names and joins them with commas.
func join(format string, lists ...[]string) string {
	var parts []string
	for _, list := range lists {
		for _, name := range list {
			parts = append(parts, fmt.Sprintf(format, name))
		}
	}
	return strings.Join(parts, ", ")
}
