package simulated

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/firstviscount/platform-coordination/domain"
)

const (
	provider         = "stripe"
	carrier          = "Example Post"
	defaultWarehouse = "wh-001"
	intentPrefix     = "pi_stripe_"
	// unvoidable starts the intent of a payment whose void fails: the mark is
	// part of the result, so that it outlives the process.
	unvoidable   = intentPrefix + "void_fails_"
	intentDigits = 24
	trackDigits  = 16
)

// fields are the members of a result; equal fields give equal bytes.
type fields map[string]any

// results give the result of each action that is known, derived from the
// command alone. Other actions have an empty one.
var results = map[string]func(*domain.Dispatch) fields{
	"reserve_inventory": func(c *domain.Dispatch) fields {
		items := itemsOf(c)
		return fields{"reservationId": newID("res-", c.CommandID), "itemsReserved": pieces(items), "warehousesUsed": warehouses(items)}
	},
	"process_payment": func(c *domain.Dispatch) fields {
		return paid(c, fields{"paymentId": newID("pay-", c.CommandID), "paymentIntent": intentOf(c), "status": "CAPTURED"})
	},
	"refund_payment": func(c *domain.Dispatch) fields {
		return paid(c, fields{"refundId": newID("ref-", c.CommandID), "status": "REFUNDED"})
	},
	"confirm_order": func(c *domain.Dispatch) fields {
		return fields{"confirmationNumber": "CONF-" + digits("confirmation", c.CommandID, trackDigits), "orderStatus": "CONFIRMED"}
	},
	"prepare_fulfillment": func(c *domain.Dispatch) fields {
		return fields{"fulfillmentId": newID("ful-", c.CommandID), "fulfillmentStatus": "READY"}
	},
	"create_shipping_label": func(c *domain.Dispatch) fields {
		shipment := newID("shp-", c.CommandID)
		return fields{"shipmentId": shipment, "trackingNumber": "TRK" + digits("tracking", c.CommandID, trackDigits),
			"carrier": carrier, "labelUrl": "https://labels.example.com/" + shipment + ".pdf"}
	},
	"notify_customer":          notified,
	"send_cancellation_notice": notified,
	"validate_return": func(c *domain.Dispatch) fields {
		return fields{"returnAuthorizationId": newID("rma-", c.CommandID), "itemsApproved": pieces(itemsOf(c))}
	},
	"receive_item":  received,
	"receive_goods": received,
	"restock_items": func(c *domain.Dispatch) fields {
		return fields{"restockId": newID("rst-", c.CommandID), "itemsRestocked": pieces(itemsOf(c))}
	},
	"assess_stock": func(c *domain.Dispatch) fields {
		return fields{"assessmentId": newID("asm-", c.CommandID), "itemsToOrder": pieces(itemsOf(c))}
	},
	"place_supplier_order": func(c *domain.Dispatch) fields {
		return fields{"supplierOrderId": newID("sup-", c.CommandID), "itemsOrdered": pieces(itemsOf(c))}
	},
	"update_stock": func(c *domain.Dispatch) fields {
		return fields{"stockUpdateId": newID("stk-", c.CommandID), "itemsAdded": pieces(itemsOf(c))}
	},
	"prepare": tested, "execute": tested, "finish": tested,

	// Undos name the effect by the command that made it, whose result they may
	// never have seen.
	"release_reservation":         undone("reservationId", "res-"),
	"void_payment":                undone("paymentId", "pay-"),
	"cancel_shipment":             undone("shipmentId", "shp-"),
	"cancel_return_authorization": undone("returnAuthorizationId", "rma-"),
	"remove_restocked_items":      undone("restockId", "rst-"),
	"cancel_supplier_order":       undone("supplierOrderId", "sup-"),
	"undo_prepare":                undone("testId", "tst-"),
	"undo_execute":                undone("testId", "tst-"),
}

func resultOf(cmd *domain.Dispatch) json.RawMessage {
	result := results[cmd.Action]
	if result == nil {
		return json.RawMessage("{}")
	}
	encoded, err := json.Marshal(result(cmd))
	if err != nil { // texts, numbers, and amounts that were parsed from JSON
		panic("simulated: result does not marshal: " + err.Error())
	}
	return encoded
}

func notified(c *domain.Dispatch) fields {
	return fields{"notificationId": newID("ntf-", c.CommandID), "channel": "EMAIL", "notificationStatus": "SENT"}
}

func received(c *domain.Dispatch) fields {
	return fields{"receiptId": newID("rec-", c.CommandID), "itemsReceived": pieces(itemsOf(c)), "itemCondition": "GOOD"}
}

func tested(c *domain.Dispatch) fields {
	return fields{"testId": newID("tst-", c.CommandID)}
}

func undone(member, prefix string) func(*domain.Dispatch) fields {
	return func(c *domain.Dispatch) fields {
		if c.Forward == nil {
			return fields{}
		}
		return fields{member: newID(prefix, c.Forward.CommandID), "undone": true}
	}
}

// paid adds the money to a result. The amount stays the text that came.
func paid(c *domain.Dispatch, f fields) fields {
	f["provider"] = provider
	for _, name := range []string{"amount", "currency"} {
		if value, found := domain.LookupPath(c.Parameters, []string{name}); found {
			f[name] = value
		}
	}
	return f
}

func intentOf(c *domain.Dispatch) string {
	prefix := intentPrefix
	if text(c.Parameters, "token") == TokenVoidFails {
		prefix = unvoidable
	}
	return prefix + strings.ToLower(digits("intent", c.CommandID, intentDigits))
}

// item is a line of an order, a return or a delivery.
type item struct {
	ProductID   string `json:"productId"`
	Quantity    int64  `json:"quantity"`
	WarehouseID string `json:"warehouseId"`
}

// itemsOf reads parameters.items; none if there are no readable ones.
func itemsOf(c *domain.Dispatch) []item {
	raw, found := domain.LookupPath(c.Parameters, []string{"items"})
	var items []item
	if !found || json.Unmarshal(raw, &items) != nil {
		return nil
	}
	return items
}

func pieces(items []item) int64 {
	total := int64(0)
	for _, i := range items {
		total += i.Quantity
	}
	return total
}

// warehouses lists where items come from, sorted, each once.
func warehouses(items []item) []string {
	used := []string{}
	for _, i := range items {
		if i.WarehouseID == "" {
			i.WarehouseID = defaultWarehouse
		}
		used = append(used, i.WarehouseID)
	}
	slices.Sort(used)
	return slices.Compact(used)
}

// newID is a prefix and a UUID (version 8) derived from a key: the same for the
// same command in every attempt and every process.
func newID(prefix, key string) string {
	sum := sha256.Sum256([]byte(prefix + key))
	u := sum[:16]
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	b := hex.AppendEncode([]byte(prefix), u[:4])
	for _, part := range [][]byte{u[4:6], u[6:8], u[8:10], u[10:]} {
		b = hex.AppendEncode(append(b, '-'), part)
	}
	return string(b)
}

// digits are n hexadecimal digits derived from a key for a purpose.
func digits(purpose, key string, n int) string {
	sum := sha256.Sum256([]byte(purpose + " " + key))
	return strings.ToUpper(hex.EncodeToString(sum[:])[:n])
}
