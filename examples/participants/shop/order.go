package shop

import (
	"github.com/firstviscount/platform-coordination/examples/participants/service"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Order confirms orders, authorises returns and orders from suppliers.
func Order() service.Definition {
	return service.Definition{Name: "order-service", Actions: map[string]service.Action{
		"confirm_order":               {Do: confirmOrder},
		"validate_return":             {Do: validateReturn},
		"cancel_return_authorization": {Undo: cancelReturn, Undoes: "validate_return"},
		"place_supplier_order":        {Do: placeSupplierOrder},
		"cancel_supplier_order":       {Undo: cancelSupplierOrder, Undoes: "place_supplier_order"},
	}}
}

func confirmOrder(c *coordination.Command) (service.Decision, error) {
	return service.Succeed("confirm", struct {
		ConfirmationID string `json:"confirmationId"`
		OrderStatus    string `json:"orderStatus"`
	}{service.ID("conf-", c.CommandID), "CONFIRMED"})
}

type authorization struct {
	ID            string `json:"returnAuthorizationId"`
	ItemsApproved int    `json:"itemsApproved"`
	ReturnStatus  string `json:"returnStatus"`
}

func validateReturn(c *coordination.Command) (service.Decision, error) {
	total, err := pieces(c)
	if err != nil {
		return service.Decision{}, err
	}
	return service.Succeed("authorize_return", authorization{service.ID("rma-", c.CommandID), total, "APPROVED"})
}

func cancelReturn(_ *coordination.Command, done service.Done) (service.Decision, error) {
	a, err := recall[authorization](done.Result)
	if err != nil {
		return service.Decision{}, err
	}
	a.ReturnStatus = "CANCELLED"
	return service.Succeed("cancel_return", a)
}

type supplierOrder struct {
	ID           string `json:"supplierOrderId"`
	ItemsOrdered int    `json:"itemsOrdered"`
	Status       string `json:"supplierOrderStatus"`
}

func placeSupplierOrder(c *coordination.Command) (service.Decision, error) {
	total, err := pieces(c)
	if err != nil {
		return service.Decision{}, err
	}
	return service.Succeed("place_supplier_order", supplierOrder{service.ID("sup-", c.CommandID), total, "PLACED"})
}

func cancelSupplierOrder(_ *coordination.Command, done service.Done) (service.Decision, error) {
	o, err := recall[supplierOrder](done.Result)
	if err != nil {
		return service.Decision{}, err
	}
	o.Status = "CANCELLED"
	return service.Succeed("cancel_supplier_order", o)
}
