package sqlrow

import (
	"fmt"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// columns are the names of what a list filters and sorts by. Ended workflows
// have it twice, the second time in columns that only they have: these may be
// indexed, since they do not change on every transition.
type columns struct{ status, updated, step, failure string }

var (
	live  = columns{"status", "updated_at", "current_step", "error_code"}
	ended = columns{"ended_status", "ended_updated", "ended_step", "ended_error"}
)

// sortedBy is the expression of a sort field; "" if there is no such field.
func (c columns) sortedBy(f ports.SortField) string {
	switch f {
	case ports.SortStartedAt:
		return "started_at"
	case ports.SortUpdatedAt:
		return c.updated
	case ports.SortStatus:
		return c.status
	case ports.SortType:
		return "type"
	case ports.SortPriority:
		return priorityRank
	default:
		return ""
	}
}

// statement is SQL text with its parameters.
type statement struct {
	strings.Builder
	dialect Dialect
	args    []any
}

// param adds a parameter and gives its place-holder.
func (b *statement) param(value any) string {
	switch v := value.(type) {
	case time.Time:
		value = b.dialect.Time(v)
	case string:
		value = b.dialect.Text(v)
	}
	b.args = append(b.args, value)
	return b.dialect.Param(len(b.args))
}

func (b *statement) printf(format string, args ...any) { fmt.Fprintf(b, format, args...) }

// A branch selects a part of a list's rows.
type branch struct {
	columns columns
	where   func(*statement) // the condition that makes the part
	kind    *Total           // what all its rows have in common, if anything
}

// branches are the parts that together are the list from the cursor on.
func (l *List) branches(totals []Total) []branch {
	var list []branch
	q := &l.query
	if q.Status == "" || !q.Status.Terminal() {
		list = append(list, branch{columns: live, where: l.selected("active", live)})
	}
	switch {
	case l.activeOnly():
	case l.particular():
		list = append(list, branch{columns: ended, where: l.selected("NOT active", ended)})
	default:
		for _, t := range totals {
			if domain.Status(t.Status).Terminal() && l.reaches(t) {
				list = append(list, l.combination(t))
			}
		}
	}
	if len(list) == 0 { // a filter that nothing can meet
		list = append(list, branch{columns: live, where: func(b *statement) { b.WriteString("1 = 0") }})
	}
	return list
}

// combination selects the ended workflows of one kind.
func (l *List) combination(t Total) branch {
	return branch{columns: ended, kind: &t, where: func(b *statement) {
		b.printf("NOT active AND type = %s AND ended_status = %s AND priority = %s", b.param(t.Type), b.param(t.Status), b.param(t.Priority))
		l.inPeriod(b, ended)
	}}
}

// selected is a condition and all filters of the list.
func (l *List) selected(condition string, c columns) func(*statement) {
	q := &l.query
	return func(b *statement) {
		b.WriteString(condition)
		for _, f := range []struct{ column, value string }{
			{"type", q.Type}, {c.status, string(q.Status)}, {"priority", q.Priority},
			{"customer_id", q.CustomerID}, {"business_key", q.BusinessKey}, {c.step, q.Step}, {c.failure, q.ErrorCode},
		} {
			if f.value != "" {
				b.printf(" AND %s = %s", f.column, b.param(f.value))
			}
		}
		if q.BusinessKey != "" {
			b.WriteString(" AND business_key <> ''") // the partial index wants to hear it
		}
		if q.Stuck > 0 {
			l.isStuck(b)
		}
		l.inPeriod(b, c)
	}
}

// isStuck adds the condition that an active workflow waits for a person, or for
// nothing at all: what it waits for is missing or late.
func (l *List) isStuck(b *statement) {
	b.printf(" AND (status = 'PARKED' OR (CASE WHEN owner = '' THEN due_at ELSE wake_at END < %s) IS NOT FALSE)",
		l.dialect.Late(l.query.Stuck, b.param))
}

// inPeriod adds the conditions on the start and the last change.
func (l *List) inPeriod(b *statement, c columns) {
	if from := l.query.StartedAfter; !from.IsZero() {
		b.printf(" AND started_at >= %s", b.param(from))
	}
	if to := l.query.StartedBefore; !to.IsZero() {
		b.printf(" AND started_at < %s", b.param(to))
	}
	if to := l.query.UpdatedBefore; !to.IsZero() {
		// Nothing is updated before it is started: so the indexes by start end there too.
		b.printf(" AND %s < %s AND started_at < %s", c.updated, b.param(to), b.param(to))
	}
}

// alike reports whether all rows of a branch are equal in what the list is
// ordered by, so that only the workflow ID orders them.
func (l *List) alike(br branch) bool {
	return br.kind != nil && l.query.Sort != ports.SortStartedAt && l.query.Sort != ports.SortUpdatedAt
}

// beyond adds the condition that a row of a branch comes after the cursor.
func (l *List) beyond(b *statement, br branch) {
	than := "<"
	if l.query.Ascending {
		than = ">"
	}
	switch {
	case l.place == nil:
	case !l.alike(br):
		b.printf(" AND %[1]s %[2]s= %[3]s AND (%[1]s %[2]s %[3]s OR workflow_id %[2]s %[4]s)",
			br.columns.sortedBy(l.query.Sort), than, b.param(l.place.value), b.param(l.place.id))
	case l.constant(*br.kind) == 0:
		b.printf(" AND workflow_id %s %s", than, b.param(l.place.id))
	}
}

// order is the ORDER BY clause of a branch.
func (l *List) order(br branch) string {
	direction := "DESC"
	if l.query.Ascending {
		direction = "ASC"
	}
	if l.alike(br) {
		return " ORDER BY workflow_id " + direction
	}
	return fmt.Sprintf(" ORDER BY %s %s, workflow_id %s", br.columns.sortedBy(l.query.Sort), direction, direction)
}

// PageQuery selects limit+1 rows in order, for the totals that Totals kept.
func (l *List) PageQuery(totals []Total) (string, []any) {
	b := &statement{dialect: l.dialect}
	b.printf("SELECT %s FROM (", l.dialect.Columns)
	for i, br := range l.branches(totals) {
		if i > 0 {
			b.WriteString(" UNION ALL ")
		}
		b.printf("SELECT * FROM (SELECT %s FROM workflows WHERE ", l.dialect.Columns)
		br.where(b)
		l.beyond(b, br)
		b.printf("%s LIMIT %s) AS branch_%d", l.order(br), b.param(l.query.Offset+l.query.Limit+1), i)
	}
	b.printf(") AS page%s LIMIT %s OFFSET %s", l.order(branch{columns: live}), b.param(l.query.Limit+1), b.param(l.query.Offset))
	return b.String(), b.args
}

// SummaryQuery selects type, status, number and mean age of what the filters
// select: of active workflows all, of ended ones up to ports.MaxCount.
func (l *List) SummaryQuery(totals []Total) (string, []any) {
	whole := *l
	whole.place = nil
	b := &statement{dialect: l.dialect}
	b.printf("SELECT type, status, count(*), %s FROM (", l.dialect.MeanAge(b.param(l.query.Now)))
	for i, br := range whole.branches(totals) {
		if i > 0 {
			b.WriteString(" UNION ALL ")
		}
		b.WriteString("SELECT * FROM (SELECT type, status, started_at, ended_at FROM workflows WHERE ")
		br.where(b)
		if br.kind != nil {
			b.WriteString(" ORDER BY started_at") // names the index that finds the period
		}
		if br.columns == ended {
			b.printf(" LIMIT %s", b.param(ports.MaxCount))
		}
		b.printf(") AS branch_%d", i)
	}
	b.WriteString(") AS selected GROUP BY type, status")
	return b.String(), b.args
}
