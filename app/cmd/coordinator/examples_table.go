package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// row is a line of an example's table.
type row struct {
	name, status, duration, note string
}

// printExample shows how an order went: its steps, then what undid them.
func printExample(out io.Writer, title, orderID string, status *coordination.WorkflowStatus) {
	fmt.Fprintf(out, "\n%s (%s)\n", title, orderID)
	var lines strings.Builder
	table := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', 0)
	for _, r := range append(stepRows(status.Steps), undoRows(status.Events)...) {
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", r.name, r.status, r.duration, r.note)
	}
	_ = table.Flush() // into memory
	for line := range strings.Lines(lines.String()) {
		fmt.Fprintln(out, strings.TrimRight(line, " \n"))
	}
	fmt.Fprintf(out, "  = %s, saga %s, after %s\n", status.Status, status.Saga.State, milliseconds(took(status)))
}

// stepRows are the steps in the order of the template.
func stepRows(steps []coordination.Step) []row {
	rows := make([]row, 0, len(steps))
	for _, step := range steps {
		r := row{name: step.Name, status: string(step.Status)}
		if !step.CompletedAt.IsZero() {
			r.duration = milliseconds(step.CompletedAt.Sub(step.StartedAt.Time))
		}
		switch {
		case step.Error != nil:
			r.note = step.Error.Code
		case step.Status == coordination.StepPending:
			r.status, r.note = "-", "never sent"
		}
		rows = append(rows, r)
	}
	return rows
}

// undoRows are the compensations in the order in which they ended.
func undoRows(events []coordination.Event) []row {
	var rows []row
	begun := map[string]time.Time{}
	for _, e := range events {
		switch e.Event {
		case coordination.EventCompensationStepStarted:
			begun[e.Step] = e.Timestamp.Time
		case coordination.EventCompensationStepCompleted, coordination.EventCompensationStepFailed:
			r := row{name: e.Step, status: "COMPLETED", note: "compensation"}
			if e.Event == coordination.EventCompensationStepFailed {
				r.status = "FAILED"
			}
			if at, ok := begun[e.Step]; ok {
				r.duration = milliseconds(e.Timestamp.Sub(at))
			}
			rows = append(rows, r)
		}
	}
	return rows
}

// took is how long a workflow ran.
func took(status *coordination.WorkflowStatus) time.Duration {
	return status.UpdatedAt.Sub(status.CreatedAt.Time)
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%d ms", d.Milliseconds())
}
