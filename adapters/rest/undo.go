package rest

import (
	"bytes"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// paymentService is the participant whose undo gives money back.
const paymentService = "payment-service"

// compensationSteps is a plan in the order of its execution.
func compensationSteps(plan domain.UndoPlan, described bool) []coordination.CompensationStep {
	steps := make([]coordination.CompensationStep, 0, len(plan))
	for i := range plan {
		steps = append(steps, compensationStep(&plan[i], described))
	}
	return steps
}

func compensationStep(u *domain.PlannedUndo, described bool) coordination.CompensationStep {
	st := &u.State
	step := coordination.CompensationStep{Step: u.Definition.Name, Status: coordination.StepStatus(st.Status),
		StartedAt: coordination.At(st.StartedAt), CompletedAt: coordination.At(st.CompletedAt), Result: st.Result, Error: stepError(st.Error)}
	if described {
		step.Description = u.Definition.Description
	}
	if !st.CompletedAt.IsZero() && !st.StartedAt.IsZero() {
		step.Duration = coordination.Duration(step.CompletedAt.Sub(step.StartedAt.Time))
	}
	if st.Attempt > 1 {
		step.Attempts = st.Attempt
	}
	return step
}

// compensationTime is how long a plan should take.
func compensationTime(plan domain.UndoPlan) coordination.Duration {
	var sum time.Duration
	for i := range plan {
		if plan[i].State.Status != domain.StepNotApplicable {
			sum += time.Duration(plan[i].Definition.EstimatedDuration)
		}
	}
	return coordination.Duration(sum)
}

// refundOf says what the customer gets back; nil where no payment is involved.
func refundOf(s *domain.State, plan domain.UndoPlan) *coordination.Refund {
	raw, found := domain.LookupPath(s.Input, []string{"paymentMethod", "amount"})
	amount, err := coordination.ParseAmount(string(bytes.TrimSpace(raw)))
	if !found || err != nil {
		return nil
	}
	refund := &coordination.Refund{Amount: amount, Currency: DefaultCurrency, Method: "ORIGINAL_PAYMENT_METHOD"}
	if currency, found := domain.LookupPath(s.Input, []string{"paymentMethod", "currency"}); found {
		refund.Currency = string(bytes.Trim(currency, `"`))
	}
	for i := range plan {
		undoes := plan[i].Definition.Compensates != "" && plan[i].Definition.Service == paymentService
		if undoes && plan[i].State.Status != domain.StepNotApplicable {
			refund.Eligible = true
		}
	}
	return refund
}

// currentStep is the step that a workflow is at, or, while it is undone, the
// undo that it is at.
func currentStep(s *domain.State) string {
	if s.Saga != domain.SagaCompensating && s.Saga != domain.SagaCompensationFailed {
		return s.CurrentStep()
	}
	if s.Parked != nil {
		return s.Parked.Step
	}
	for _, u := range s.Plan() {
		if u.State.Status != domain.StepCompleted && u.State.Status != domain.StepNotApplicable {
			return u.Definition.Name
		}
	}
	return s.CurrentStep()
}
