package shop

import (
	"github.com/firstviscount/platform-coordination/examples/participants/service"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Notification tells customers. What was told cannot be untold: neither action
// has an undo, and the cancellation notice may be part of a compensation.
func Notification() service.Definition {
	return service.Definition{Name: "notification-service", Actions: map[string]service.Action{
		"notify_customer":          {Do: notify("notify")},
		"send_cancellation_notice": {Do: notify("notify_cancellation"), Hook: true},
	}}
}

func notify(effect string) func(*coordination.Command) (service.Decision, error) {
	return func(c *coordination.Command) (service.Decision, error) {
		return service.Succeed(effect, struct {
			NotificationID     string `json:"notificationId"`
			Channel            string `json:"channel"`
			NotificationStatus string `json:"notificationStatus"`
		}{service.ID("ntf-", c.CommandID), "EMAIL", "SENT"})
	}
}
