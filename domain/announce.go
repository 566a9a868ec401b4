package domain

// Announcement is the name under which those who subscribed to it are told of
// an event.
type Announcement string

// The announcements, in the order in which a workflow can make them.
const (
	AnnounceStarted            Announcement = "workflow.started"
	AnnounceStepCompleted      Announcement = "workflow.step.completed"
	AnnounceStepFailed         Announcement = "workflow.step.failed"
	AnnounceParked             Announcement = "workflow.parked"
	AnnounceCompensating       Announcement = "saga.compensating"
	AnnounceCompensationFailed Announcement = "saga.compensation.failed"
	AnnounceCompensated        Announcement = "saga.compensated"
	AnnounceCompleted          Announcement = "workflow.completed"
	AnnounceFailed             Announcement = "workflow.failed"
	AnnounceCancelled          Announcement = "workflow.cancelled"
)

// announcements says which events are told, under which name, and which of
// them only to those who ask for them by name.
var announcements = []struct {
	event EventType
	name  Announcement
	optIn bool
}{
	{WorkflowStarted, AnnounceStarted, false},
	{StepSucceeded, AnnounceStepCompleted, false},
	{StepGaveUp, AnnounceStepFailed, true},
	{WorkflowParked, AnnounceParked, true},
	{CompensationStarted, AnnounceCompensating, false},
	{UndoGaveUp, AnnounceCompensationFailed, true},
	{Compensated, AnnounceCompensated, false},
	{WorkflowCompleted, AnnounceCompleted, false},
	{WorkflowFailed, AnnounceFailed, false},
	{WorkflowCancelled, AnnounceCancelled, false},
}

// Announcements are all there are; byDefault leaves out those that must be
// asked for by name.
func Announcements(byDefault bool) []Announcement {
	var names []Announcement
	for _, a := range announcements {
		if !byDefault || !a.optIn {
			names = append(names, a.name)
		}
	}
	return names
}

// Announced is the name under which an event of a workflow of template t is
// told; "" if it is not. An event has one name at most. A failed hook is not
// told: it changes nothing.
func (e *Event) Announced(t *Template) Announcement {
	for _, a := range announcements {
		if a.event != e.Type {
			continue
		}
		if c, known := t.graph.undos[e.Step]; e.Type == UndoGaveUp && known && t.graph.stepOf[c] < 0 {
			return ""
		}
		return a.name
	}
	return ""
}

// NextStep is the step that starts because of what happened last; "" if none
// does. Where several start, it is the first of them in the template.
func (s *State) NextStep() string {
	d := decider{s: s.clone(), moment: Moment{Now: s.UpdatedAt}}
	d.proceed()
	for i := range d.events {
		e := &d.events[i]
		if step, known := s.Template.graph.index[e.Step]; e.Type == StepStarted && known && s.Steps[step].Status == StepPending {
			return e.Step
		}
	}
	return ""
}
