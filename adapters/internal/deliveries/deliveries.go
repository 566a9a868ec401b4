// Package deliveries is what all stores share about deliveries: which calls
// break the rules of ports.DeliveryStore, what an attempt makes of a delivery,
// and the cursors of lists.
package deliveries

import (
	"fmt"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// maxLimit is the largest page.
const maxLimit = 100

// CheckAttempts reports whether attempts break the rules of SettleDeliveries.
func CheckAttempts(attempts []ports.Attempt) error {
	if len(attempts) > ports.MaxBatch {
		return fmt.Errorf("%d attempts are more than %d", len(attempts), ports.MaxBatch)
	}
	for i := range attempts {
		switch a := &attempts[i]; a.Status {
		case ports.DeliveryDelivered, ports.DeliveryFailed:
		case ports.DeliveryRetrying:
			if a.NextAttemptAt.IsZero() {
				return fmt.Errorf("attempt %d is %s without a next one", i, a.Status)
			}
		default:
			return fmt.Errorf("an attempt cannot end %q", a.Status)
		}
	}
	return nil
}

// Settle records an attempt. Asked is whether the delivery was asked for again
// while the attempt was under way: then it stays as that made it.
//
// A delivery that was given up meanwhile, with its subscription, has no next
// attempt. Only what did arrive changes that.
func Settle(d *ports.Delivery, asked bool, a *ports.Attempt) {
	givenUp := d.NextAttemptAt.IsZero()
	d.Attempts++
	d.LastAttemptAt, d.ResponseStatus, d.Error = a.At, a.ResponseStatus, a.Error
	if asked || givenUp && a.Status != ports.DeliveryDelivered {
		return
	}
	d.Status, d.NextAttemptAt = a.Status, time.Time{}
	if a.Status == ports.DeliveryRetrying {
		d.NextAttemptAt = a.NextAttemptAt
	}
}
