package shop

import (
	"slices"
	"strings"

	"github.com/firstviscount/platform-coordination/examples/participants/service"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// defaultWarehouse serves items that name none.
const defaultWarehouse = "wh-001"

// Inventory reserves, takes back and counts goods.
func Inventory() service.Definition {
	return service.Definition{Name: "inventory-service", Actions: map[string]service.Action{
		"reserve_inventory":      {Do: reserve},
		"release_reservation":    {Undo: release, Undoes: "reserve_inventory"},
		"restock_items":          {Do: restock},
		"remove_restocked_items": {Undo: removeRestocked, Undoes: "restock_items"},
		"assess_stock":           {Do: assessStock},
		"update_stock":           {Do: updateStock},
	}}
}

type goods struct {
	WarehouseID string `json:"warehouseId"`
	Items       []item `json:"items"`
}

type reservation struct {
	ReservationID  string   `json:"reservationId"`
	ItemsReserved  int      `json:"itemsReserved"`
	WarehousesUsed []string `json:"warehousesUsed"`
}

func reserve(c *coordination.Command) (service.Decision, error) {
	p, err := read[goods](c)
	if err != nil {
		return service.Decision{}, err
	}
	total, err := quantity(p.Items)
	if err != nil {
		return service.Decision{}, err
	}
	if slices.ContainsFunc(p.Items, func(i item) bool { return strings.HasPrefix(i.ProductID, ProductOutOfStock) }) {
		return service.Reject("INSUFFICIENT_STOCK", "Not enough stock for all items"), nil
	}
	return service.Succeed("reserve", reservation{
		ReservationID:  service.ID("res-", c.CommandID),
		ItemsReserved:  total,
		WarehousesUsed: p.warehouses(),
	})
}

// warehouses lists where the items come from, sorted, each once.
func (g goods) warehouses() []string {
	var used []string
	for _, i := range g.Items {
		switch {
		case i.WarehouseID != "":
			used = append(used, i.WarehouseID)
		case g.WarehouseID != "":
			used = append(used, g.WarehouseID)
		default:
			used = append(used, defaultWarehouse)
		}
	}
	slices.Sort(used)
	return slices.Compact(used)
}

func release(_ *coordination.Command, done service.Done) (service.Decision, error) {
	r, err := recall[reservation](done.Result)
	if err != nil {
		return service.Decision{}, err
	}
	return service.Succeed("release", struct {
		ReservationID string `json:"reservationId"`
		ItemsReleased int    `json:"itemsReleased"`
	}{r.ReservationID, r.ItemsReserved})
}

type restocking struct {
	RestockID      string `json:"restockId"`
	ItemsRestocked int    `json:"itemsRestocked"`
}

func restock(c *coordination.Command) (service.Decision, error) {
	total, err := pieces(c)
	if err != nil {
		return service.Decision{}, err
	}
	return service.Succeed("restock", restocking{service.ID("rst-", c.CommandID), total})
}

func removeRestocked(_ *coordination.Command, done service.Done) (service.Decision, error) {
	r, err := recall[restocking](done.Result)
	if err != nil {
		return service.Decision{}, err
	}
	return service.Succeed("remove", struct {
		RestockID    string `json:"restockId"`
		ItemsRemoved int    `json:"itemsRemoved"`
	}{r.RestockID, r.ItemsRestocked})
}

func assessStock(c *coordination.Command) (service.Decision, error) {
	total, err := pieces(c)
	if err != nil {
		return service.Decision{}, err
	}
	return service.Succeed("assess", struct {
		AssessmentID string `json:"assessmentId"`
		ItemsToOrder int    `json:"itemsToOrder"`
	}{service.ID("asm-", c.CommandID), total})
}

func updateStock(c *coordination.Command) (service.Decision, error) {
	total, err := pieces(c)
	if err != nil {
		return service.Decision{}, err
	}
	return service.Succeed("update_stock", struct {
		StockUpdateID string `json:"stockUpdateId"`
		ItemsAdded    int    `json:"itemsAdded"`
	}{service.ID("stk-", c.CommandID), total})
}

// pieces counts the items of a command.
func pieces(c *coordination.Command) (int, error) {
	p, err := read[goods](c)
	if err != nil {
		return 0, err
	}
	return quantity(p.Items)
}
