package shop

import (
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/examples/participants/service"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

const (
	carrier = "Example Post"
	// trackingDigits of an identifier make a tracking number.
	trackingDigits = 16
)

// Delivery packs, ships and receives. Receiving takes its time: these actions
// answer ACCEPTED and call back when the parcel is there.
func Delivery(delays Delays) service.Definition {
	return service.Definition{Name: "delivery-service", Actions: map[string]service.Action{
		"prepare_fulfillment":   {Do: prepareFulfillment},
		"create_shipping_label": {Do: createLabel},
		"cancel_shipment":       {Undo: cancelShipment, Undoes: "create_shipping_label"},
		"receive_item":          {Do: receive("receive_item", delays.Receipt)},
		"receive_goods":         {Do: receive("receive_goods", delays.Receipt)},
	}}
}

func prepareFulfillment(c *coordination.Command) (service.Decision, error) {
	return service.Succeed("prepare", struct {
		FulfillmentID     string `json:"fulfillmentId"`
		FulfillmentStatus string `json:"fulfillmentStatus"`
	}{service.ID("ful-", c.CommandID), "READY"})
}

// shipment holds nothing of the address: results are shown to many.
type shipment struct {
	ShipmentID     string `json:"shipmentId"`
	TrackingNumber string `json:"trackingNumber"`
	Carrier        string `json:"carrier"`
	ShipmentStatus string `json:"shipmentStatus"`
}

func createLabel(c *coordination.Command) (service.Decision, error) {
	return service.Succeed("create_label", shipment{
		ShipmentID:     service.ID("shp-", c.CommandID),
		TrackingNumber: trackingNumber(c.CommandID),
		Carrier:        carrier,
		ShipmentStatus: "LABEL_CREATED",
	})
}

func trackingNumber(key string) string {
	digits := strings.ReplaceAll(service.ID("", "tracking "+key), "-", "")
	return "TRK" + strings.ToUpper(digits[:trackingDigits])
}

func cancelShipment(_ *coordination.Command, done service.Done) (service.Decision, error) {
	s, err := recall[shipment](done.Result)
	if err != nil {
		return service.Decision{}, err
	}
	s.ShipmentStatus = "CANCELLED"
	return service.Succeed("cancel_shipment", s)
}

// receive decides for a parcel that is on its way.
func receive(effect string, delay time.Duration) func(*coordination.Command) (service.Decision, error) {
	return func(c *coordination.Command) (service.Decision, error) {
		total, err := pieces(c)
		if err != nil {
			return service.Decision{}, err
		}
		d, err := service.Succeed(effect, struct {
			ReceiptID     string `json:"receiptId"`
			ItemsReceived int    `json:"itemsReceived"`
			Condition     string `json:"itemCondition"`
		}{service.ID("rec-", c.CommandID), total, "GOOD"})
		return d.After(delay), err
	}
}
