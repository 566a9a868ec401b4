package coordination

import (
	"encoding/json"
	"log/slog"
)

// OrderRequest is the body of POST /workflows/order/start.
type OrderRequest struct {
	OrderID         string          `json:"orderId" doc:"Order identifier; at most one active or completed workflow per order" example:"ord-550e8400-e29b-41d4-a716-446655440000" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"`
	CustomerID      string          `json:"customerId" doc:"Customer identifier" example:"cust-123e4567-e89b-12d3-a456-426614174000" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"`
	Items           []OrderItem     `json:"items" doc:"Order items" minItems:"1" maxItems:"500"`
	Charges         []Charge        `json:"charges,omitempty" doc:"Charges beside the items; a DISCOUNT is subtracted" maxItems:"100"`
	PaymentMethod   PaymentMethod   `json:"paymentMethod" doc:"Payment information"`
	ShippingAddress ShippingAddress `json:"shippingAddress" doc:"Delivery address"`
	ShippingMethod  string          `json:"shippingMethod" doc:"Shipping method" example:"STANDARD" minLength:"1" maxLength:"1024"`
	Options         *OrderOptions   `json:"options,omitempty" doc:"Additional options"`
	Metadata        json.RawMessage `json:"metadata,omitempty" doc:"Free JSON object of the caller, at most 16 KiB and 8 levels deep"`
}

// String says who ordered and how it is paid, nothing personal or secret.
func (o OrderRequest) String() string {
	return "order " + o.OrderID + " of customer " + o.CustomerID + ", " + o.PaymentMethod.String() + ", " + o.ShippingAddress.String()
}

// GoString is String, so that %#v does not show more either.
func (o OrderRequest) GoString() string { return o.String() }

// LogValue logs who ordered and how much, nothing personal or secret.
func (o OrderRequest) LogValue() slog.Value {
	return slog.GroupValue(slog.String("orderId", o.OrderID), slog.String("customerId", o.CustomerID),
		slog.Int("items", len(o.Items)), slog.Any("paymentMethod", o.PaymentMethod), slog.Any("shippingAddress", o.ShippingAddress))
}

// OrderItem is one position of an order.
type OrderItem struct {
	ProductID   string `json:"productId" doc:"Product identifier" example:"550e8400-e29b-41d4-a716-446655440000" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"`
	Quantity    int64  `json:"quantity" doc:"Number of pieces" example:"2" minimum:"1" maximum:"1000000000"`
	UnitPrice   Amount `json:"unitPrice" doc:"Price of one piece in the currency of the payment, with at most its fraction digits" example:"599.99" minimum:"0"`
	WarehouseID string `json:"warehouseId,omitempty" doc:"Warehouse to take the pieces from" example:"wh-001" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"`
}

// Charge is an amount beside the items of an order.
type Charge struct {
	Type   ChargeType `json:"type" doc:"Kind of charge; a DISCOUNT is subtracted" example:"SHIPPING" enum:"TAX,SHIPPING,DISCOUNT,OTHER"`
	Amount Amount     `json:"amount" doc:"Amount in the currency of the payment" example:"4.99" minimum:"0"`
}

// ChargeType is the kind of a [Charge].
type ChargeType string

// The kinds of charges. A DISCOUNT is subtracted, all others are added.
const (
	ChargeTax      ChargeType = "TAX"
	ChargeShipping ChargeType = "SHIPPING"
	ChargeDiscount ChargeType = "DISCOUNT"
	ChargeOther    ChargeType = "OTHER"
)

// PaymentMethod says how an order is paid. Printing or logging it shows the kind only.
type PaymentMethod struct {
	Type     string    `json:"type" doc:"Kind of payment" example:"CREDIT_CARD" minLength:"1" maxLength:"1024"`
	Token    Sensitive `json:"token" doc:"Token of the payment provider; never shown again" example:"tok_visa_4242" minLength:"1" maxLength:"1024"`
	Amount   Amount    `json:"amount,omitempty" doc:"Total to be paid; by default the total of items and charges, which it must equal" example:"1499.97" minimum:"0"`
	Currency string    `json:"currency,omitempty" doc:"ISO 4217 code; USD by default" example:"USD" pattern:"^[A-Z]{3}$"`
}

// String names the kind of payment only.
func (p PaymentMethod) String() string { return "payment by " + p.Type }

// GoString is String, so that %#v does not show the token either.
func (p PaymentMethod) GoString() string { return p.String() }

// LogValue logs the kind of payment only.
func (p PaymentMethod) LogValue() slog.Value { return slog.StringValue(p.String()) }

// ShippingAddress is where an order is sent. It is personal data: printing or
// logging it shows the country only.
type ShippingAddress struct {
	Name    Sensitive `json:"name" doc:"Name of the recipient" example:"John Doe" minLength:"1" maxLength:"1024"`
	Street  Sensitive `json:"street" doc:"Street and number" example:"123 Main St" minLength:"1" maxLength:"1024"`
	City    Sensitive `json:"city" doc:"City" example:"New York" minLength:"1" maxLength:"1024"`
	State   Sensitive `json:"state,omitempty" doc:"State or province" example:"NY" maxLength:"1024"`
	ZipCode Sensitive `json:"zipCode" doc:"Postal code" example:"10001" minLength:"1" maxLength:"1024"`
	Country string    `json:"country" doc:"Country code" example:"US" minLength:"1" maxLength:"1024"`
	Phone   Sensitive `json:"phone,omitempty" doc:"Phone number" example:"+1234567890" maxLength:"1024"`
}

// String names the country only.
func (a ShippingAddress) String() string { return "address in " + a.Country }

// GoString is String, so that %#v does not show the address either.
func (a ShippingAddress) GoString() string { return a.String() }

// LogValue logs the country only.
func (a ShippingAddress) LogValue() slog.Value { return slog.StringValue(a.String()) }

// OrderOptions are the options of an order; every member has its zero value as
// default, priority NORMAL.
type OrderOptions struct {
	Priority          Priority `json:"priority,omitempty" doc:"Priority; NORMAL by default" example:"NORMAL" enum:"LOW,NORMAL,HIGH"`
	RequireSignature  bool     `json:"requireSignature" required:"false" doc:"Deliver against signature only" example:"true"`
	GiftWrap          bool     `json:"giftWrap" required:"false" doc:"Wrap as a gift" example:"false"`
	ExpressProcessing bool     `json:"expressProcessing" required:"false" doc:"Process before other orders" example:"false"`
}
