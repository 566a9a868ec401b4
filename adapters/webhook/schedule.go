package webhook

import (
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// schedule is how long to wait before each attempt, from when the one before
// failed: about three days in all. A delivery that is asked for again goes on
// where it was, or begins once more if it had been given up.
var schedule = [...]time.Duration{
	0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
	5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// Limits of the schedule.
const (
	// MaxRetryAfter is how long a receiver can put off the next attempt.
	MaxRetryAfter = 24 * time.Hour
	// DisableAfter is how long a subscription may fail without one delivery
	// before it is disabled.
	DisableAfter = 5 * 24 * time.Hour
	// jitterShare of each wait is added to it at most, so that what failed
	// together is not attempted together.
	jitterShare = 5 // a fifth
	jitterSteps = 1_000
)

// verdict is what an attempt makes of a delivery; any random number is legal.
func verdict(d *ports.Delivery, o outcome, began, ended time.Time, random uint64) ports.Attempt {
	a := ports.Attempt{DeliveryKey: d.DeliveryKey, At: began, Status: ports.DeliveryRetrying, ResponseStatus: o.status, Error: o.fault}
	place := (d.Attempts + 1) % len(schedule)
	switch {
	case o.delivered():
		a.Status = ports.DeliveryDelivered
	case o.final, place == 0:
		a.Status = ports.DeliveryFailed
	default:
		wait := max(schedule[place], o.retryAfter)
		wait += wait / jitterShare / jitterSteps * time.Duration(random%(jitterSteps+1))
		a.NextAttemptAt = ended.Add(wait)
	}
	return a
}
