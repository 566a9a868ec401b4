package coordination

// Metrics is the answer of GET /workflows/metrics.
type Metrics struct {
	Period          MetricsPeriod             `json:"period" doc:"Period the figures are about"`
	Overview        MetricsOverview           `json:"overview" doc:"Sums over all workflow types"`
	WorkflowTypes   Table[string, TypeTotals] `json:"workflowTypes" doc:"Figures by workflow type"`
	StepPerformance List[StepPerformance]     `json:"stepPerformance" doc:"Figures by step"`
	Compensation    CompensationMetrics       `json:"compensation" doc:"Figures of compensations"`
	Trends          *Trends                   `json:"trends,omitempty" doc:"Figures by day and by hour; only with includeHistorical=true"`
}

// Period names a calendar period in UTC that metrics are about.
type Period string

// The periods. A week starts on Monday.
const (
	PeriodToday Period = "TODAY"
	PeriodWeek  Period = "WEEK"
	PeriodMonth Period = "MONTH"
)

// MetricsPeriod is a calendar period in UTC.
type MetricsPeriod struct {
	Start       Time   `json:"start" doc:"First instant" example:"2024-01-01T00:00:00Z"`
	End         Time   `json:"end" doc:"Last second" example:"2024-01-31T23:59:59Z"`
	Description string `json:"description" doc:"Name of the period" example:"January 2024"`
}

// MetricsOverview sums over all workflow types.
type MetricsOverview struct {
	TotalWorkflows       int64    `json:"totalWorkflows" doc:"Workflows started" example:"12543"`
	Completed            int64    `json:"completed" doc:"Workflows completed" example:"11234"`
	Failed               int64    `json:"failed" doc:"Workflows failed" example:"211"`
	Cancelled            int64    `json:"cancelled" doc:"Workflows cancelled" example:"1098"`
	SuccessRate          Percent  `json:"successRate" doc:"completed of completed, failed and cancelled in percent" example:"89.56"`
	AverageExecutionTime Duration `json:"averageExecutionTime" doc:"Average execution time" example:"PT2M30S"`
}

// TypeTotals are the figures of one workflow type.
type TypeTotals struct {
	Total                int64    `json:"total" doc:"Workflows started" example:"10234"`
	Completed            int64    `json:"completed" doc:"Workflows completed" example:"9567"`
	Failed               int64    `json:"failed" doc:"Workflows failed" example:"123"`
	Cancelled            int64    `json:"cancelled" doc:"Workflows cancelled" example:"544"`
	SuccessRate          Percent  `json:"successRate" doc:"completed of completed, failed and cancelled in percent" example:"93.48"`
	AverageExecutionTime Duration `json:"averageExecutionTime" doc:"Average execution time" example:"PT2M15S"`
}

// StepPerformance are the figures of one step.
type StepPerformance struct {
	Step                 string       `json:"step" doc:"Name of the step" example:"INVENTORY_RESERVATION"`
	AverageExecutionTime Duration     `json:"averageExecutionTime" doc:"Average execution time" example:"PT5S"`
	SuccessRate          Percent      `json:"successRate" doc:"Successes in percent" example:"99.2"`
	CommonFailures       List[string] `json:"commonFailures" doc:"Most frequent error codes of the participant" example:"INSUFFICIENT_STOCK,SYSTEM_TIMEOUT"`
}

// CompensationMetrics are the figures of compensations. One with nothing to
// undo is not counted.
type CompensationMetrics struct {
	TotalCompensations      int64             `json:"totalCompensations" doc:"Compensations started" example:"1309"`
	Successful              int64             `json:"successful" doc:"Compensations that undid everything" example:"1287"`
	Failed                  int64             `json:"failed" doc:"Compensations that could not be finished" example:"22"`
	AverageCompensationTime Duration          `json:"averageCompensationTime" doc:"Average time of a compensation" example:"PT1M45S"`
	MostCommonReasons       List[ReasonCount] `json:"mostCommonReasons" doc:"Most frequent reasons"`
}

// ReasonCount says how often compensation had a reason.
type ReasonCount struct {
	Reason string `json:"reason" doc:"Reason" example:"PAYMENT_FAILED"`
	Count  int64  `json:"count" doc:"How often" example:"423"`
}

// Trends are figures over time.
type Trends struct {
	Daily  List[DailyTrend]  `json:"daily" doc:"Figures by UTC day"`
	Hourly List[HourlyTrend] `json:"hourly" doc:"Figures by UTC hour of the day"`
}

// DailyTrend are the figures of one UTC day.
type DailyTrend struct {
	Date        string   `json:"date" doc:"Day in UTC" example:"2024-01-01" format:"date"`
	Workflows   int64    `json:"workflows" doc:"Workflows started" example:"423"`
	SuccessRate Percent  `json:"successRate" doc:"Successes in percent" example:"92.1"`
	AverageTime Duration `json:"averageTime" doc:"Average execution time" example:"PT2M45S"`
}

// HourlyTrend are the figures of one hour of the day, over all days of the period.
type HourlyTrend struct {
	Hour        int      `json:"hour" doc:"Hour of the day in UTC" example:"9" minimum:"0" maximum:"23"`
	Workflows   int64    `json:"workflows" doc:"Workflows started" example:"156"`
	SuccessRate Percent  `json:"successRate" doc:"Successes in percent" example:"94.2"`
	AverageTime Duration `json:"averageTime" doc:"Average execution time" example:"PT2M15S"`
}
