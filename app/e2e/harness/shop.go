package harness

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/examples/participants/ledger"
)

// Services are the services of the built-in templates, in the order of the
// example participants' ports.
var Services = []string{"inventory-service", "payment-service", "order-service", "delivery-service", "notification-service"}

// shopSecret signs the commands to the shop.
const shopSecret = "whsec_ZW5kLXRvLWVuZC1zZWNyZXQtMDEyMzQ1Njc4OWFiY2RlZg=="

// Shop is the five example participants in one process, with durable ledgers.
// It keeps its addresses and its memory over restarts.
type Shop struct {
	*Process
	// File is the participants file for coordinators.
	File    string
	dir     string
	program Program
}

// OpenShop starts the participants and returns when they listen.
func OpenShop(tb testing.TB) *Shop {
	tb.Helper()
	return open(tb, "--listen", Addresses(tb, len(Services))[0])
}

// OpenShopOn starts the participants on a message bus and returns when they
// have subscribed.
func OpenShopOn(tb testing.TB, bus string) *Shop {
	tb.Helper()
	return open(tb, "--transport", "bus", "--bus", bus)
}

func open(tb testing.TB, args ...string) *Shop {
	tb.Helper()
	s := &Shop{dir: filepath.Join(tb.TempDir(), "ledgers")}
	args = append([]string{"--all"}, args...)
	s.program = Program{
		Path: participantsPath(tb),
		Args: append(args, "--ledger-dir", s.dir),
		Env:  []string{"PARTICIPANTS_SECRET=" + shopSecret},
	}
	configuration := s.program
	configuration.Args = append(args, "--config")
	code, text, errs := Output(tb, configuration, StartTimeout)
	if code != 0 {
		tb.Fatalf("the participants' configuration: exit code %d: %s", code, errs)
	}
	s.File = WriteFile(tb, "participants.yaml", text)
	s.Restart(tb)
	return s
}

// Restart starts the participants, again if they have run before and are gone.
func (s *Shop) Restart(tb testing.TB) {
	tb.Helper()
	s.Process = Start(tb, s.program)
	Eventually(tb, StartTimeout, "the participants to listen", func() (string, bool) {
		select {
		case <-s.Ended():
			tb.Fatalf("%s have ended instead of listening:\n%s", s.Process, s.Log())
		default:
		}
		return s.Stdout(), strings.HasSuffix(s.Stdout(), "ready\n")
	})
}

// Ledger returns the entries of all services.
func (s *Shop) Ledger(tb testing.TB) Ledger {
	tb.Helper()
	var all Ledger
	for _, name := range Services {
		entries, err := ledger.Read(filepath.Join(s.dir, name+".jsonl"))
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, entries...)
	}
	return all
}

// Ledger is what the participants have done.
type Ledger []ledger.Entry

// Faults are the promises that the ledger shows to be broken, whatever became
// of the workflows.
func (l Ledger) Faults() []string { return ledger.Check(l) }

// forward is the direction of a step; a hook after a compensation has the other
// one, and undoes nothing.
const forward = "EXECUTE"

// Effects returns, of one workflow, the steps whose effect stands, and the
// steps whose effect was undone, each as often as it happened.
func (l Ledger) Effects(workflowID string) (standing, undone map[string]int) {
	standing, undone = map[string]int{}, map[string]int{}
	steps := map[string]string{} // commandId → step, of what stands
	for _, e := range l {
		if e.WorkflowID == workflowID && e.Kind == ledger.Effect && e.Direction == forward {
			steps[e.CommandID] = e.Step
			standing[e.Step]++
		}
	}
	for _, e := range l {
		if step, stands := steps[e.Forward]; stands && e.Kind == ledger.Effect {
			undone[step]++
			if standing[step]--; standing[step] == 0 {
				delete(standing, step)
			}
		}
	}
	return standing, undone
}

// undoable are the steps of an order that leave nothing behind when it is undone.
var undoable = []string{"INVENTORY_RESERVATION", "PAYMENT_PROCESSING", "SHIPPING_LABEL_CREATION"}

// orderSteps are the steps of an order, each of which has one effect.
var orderSteps = []string{"INVENTORY_RESERVATION", "PAYMENT_PROCESSING", "ORDER_CONFIRMATION",
	"FULFILLMENT_PREPARATION", "SHIPPING_LABEL_CREATION", "CUSTOMER_NOTIFICATION"}

// OrderFault tells how the effects of an order differ from what its end
// promises; "" if they do not. Completed: every step has its effect once and
// nothing was undone. Otherwise: nothing that can be undone stands.
func (l Ledger) OrderFault(workflowID string, completed bool) string {
	standing, undone := l.Effects(workflowID)
	if completed {
		for _, step := range orderSteps {
			if standing[step] != 1 {
				return fmt.Sprintf("%s has its effect %d times (standing %v, undone %v)", step, standing[step], standing, undone)
			}
		}
		if len(undone) > 0 {
			return fmt.Sprintf("it is completed and yet undone: %v", undone)
		}
		return ""
	}
	for _, step := range undoable {
		if standing[step] != 0 {
			return fmt.Sprintf("the effect of %s stands although the order was undone (undone %v)", step, undone)
		}
	}
	return ""
}

// Dir is where the ledgers are.
func (s *Shop) Dir() string { return s.dir }
