package simulated

import (
	"bytes"
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
)

// Triggers in a command's parameters.
const (
	TokenDeclined  = "tok_chargeDeclined" // REJECTED with PAYMENT_DECLINED
	TokenFlaky     = "tok_flaky"          // RETRY once, then SUCCEEDED
	TokenTimeout   = "tok_timeout"        // never answered
	TokenSlow      = "tok_slow_202"       // ACCEPTED, answered after LaterDelay
	TokenVoidFails = "tok_void_fails"     // the payment succeeds, its void is REJECTED for ever
	// ProductOutOfStock starts the productId of what cannot be reserved:
	// REJECTED with INSUFFICIENT_STOCK.
	ProductOutOfStock = "prod-test-out-of-stock"
)

const (
	// LaterDelay is how long after ACCEPTED a callback comes.
	LaterDelay = time.Second
	// DefaultSlowness is what SLOW without a duration means.
	DefaultSlowness = 2 * time.Second
	// CodeSimulated is the error code of a simulated failure that names none.
	CodeSimulated = "SIMULATED_FAILURE"
	// CodeTestFailure is that of a COMPENSATION_TEST.
	CodeTestFailure = "TEST_FAILURE"
	// CodeMisused answers a metadata.simulate that cannot be read.
	CodeMisused = "INVALID_SIMULATION"
)

// kind is how a participant treats a command.
type kind uint8

const (
	usual      kind = iota
	rejecting       // no, with code
	retrying        // RETRY the first times
	unanswered      // the effect happens, its answer is lost
	slow            // the answer takes wait
	accepting       // ACCEPTED, the effect and its answer come after wait
	never           // no effect and no answer
	misused         // the trigger cannot be read
)

// trigger is a kind with what it needs.
type trigger struct {
	kind          kind
	times         int
	wait          time.Duration
	code, message string
}

// outcome is what a command that the trigger prevented is answered.
func (t trigger) outcome() domain.Outcome {
	switch t.kind {
	case retrying:
		return domain.Retry
	case misused:
		return domain.ContractError
	}
	return domain.Rejected
}

var errorCode = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

// triggerOf finds what a command triggers: what metadata.simulate says of its
// step, else what its parameters or its action do.
func triggerOf(cmd *domain.Dispatch) trigger {
	if wanted := text(cmd.Simulate, cmd.Step); wanted != "" {
		return parseTrigger(wanted)
	}
	if cmd.Undo {
		return undoTrigger(cmd)
	}
	switch {
	case cmd.Service == "test-service":
		return testTrigger(cmd)
	case cmd.Action == "receive_item" || cmd.Action == "receive_goods":
		return trigger{kind: accepting, wait: LaterDelay}
	case cmd.Action == "reserve_inventory" && bytes.Contains(cmd.Parameters, []byte(ProductOutOfStock)):
		return stockTrigger(cmd)
	}
	switch text(cmd.Parameters, "token") {
	case TokenDeclined:
		return trigger{kind: rejecting, code: "PAYMENT_DECLINED", message: "Payment was declined by the issuing bank"}
	case TokenFlaky:
		return trigger{kind: retrying, times: 1, code: "PROVIDER_TIMEOUT", message: "The payment provider did not answer"}
	case TokenTimeout:
		return trigger{kind: never}
	case TokenSlow:
		return trigger{kind: accepting, wait: LaterDelay}
	}
	return trigger{}
}

// parseTrigger reads a value of metadata.simulate: REJECTED:CODE, RETRY:n,
// UNKNOWN, SLOW:PT2S or ACCEPTED:PT1S. The part after the colon has a default.
func parseTrigger(wanted string) trigger {
	name, argument, given := strings.Cut(wanted, ":")
	switch name {
	case "REJECTED":
		if !given {
			argument = CodeSimulated
		}
		if errorCode.MatchString(argument) {
			return trigger{kind: rejecting, code: argument, message: "Simulated rejection"}
		}
	case "RETRY":
		if !given {
			argument = "1"
		}
		if n, err := strconv.ParseUint(argument, 10, 31); err == nil {
			return trigger{kind: retrying, times: int(n), code: CodeSimulated, message: "Simulated failure for now"}
		}
	case "UNKNOWN":
		if !given {
			return trigger{kind: unanswered}
		}
	case "SLOW":
		if d, ok := waitOf(argument, given, DefaultSlowness); ok {
			return trigger{kind: slow, wait: d}
		}
	case "ACCEPTED":
		if d, ok := waitOf(argument, given, LaterDelay); ok {
			return trigger{kind: accepting, wait: d}
		}
	}
	return trigger{kind: misused, code: CodeMisused,
		message: "metadata.simulate knows REJECTED:CODE, RETRY:n, UNKNOWN, SLOW:PT2S and ACCEPTED:PT1S"}
}

func waitOf(argument string, given bool, otherwise time.Duration) (time.Duration, bool) {
	if !given {
		return otherwise, true
	}
	d, err := domain.ParseDuration(argument)
	return d, err == nil
}

// undoTrigger finds the mark that a payment with TokenVoidFails left in its result.
func undoTrigger(cmd *domain.Dispatch) trigger {
	if cmd.Action == "void_payment" && cmd.Forward != nil && strings.HasPrefix(text(cmd.Forward.Result, "paymentIntent"), unvoidable) {
		return trigger{kind: rejecting, code: "VOID_FAILED", message: "The payment provider refuses to void this payment"}
	}
	return trigger{}
}

// testTrigger reads what a COMPENSATION_TEST asks for.
func testTrigger(cmd *domain.Dispatch) trigger {
	if step := asked(cmd, "failStep"); step == "" || step != cmd.Step {
		return trigger{}
	}
	code := asked(cmd, "code")
	if !errorCode.MatchString(code) {
		code = CodeTestFailure
	}
	const message = "The test asked for this failure"
	switch domain.Outcome(asked(cmd, "outcome")) {
	case domain.Retry:
		return trigger{kind: retrying, times: math.MaxInt, code: code, message: message}
	case domain.Unknown:
		return trigger{kind: unanswered}
	}
	return trigger{kind: rejecting, code: code, message: message}
}

// asked is a member of the test's input, which comes as parameter or in the context.
func asked(cmd *domain.Dispatch, name string) string {
	if value := text(cmd.Parameters, name); value != "" {
		return value
	}
	return text(cmd.Context, name)
}

func stockTrigger(cmd *domain.Dispatch) trigger {
	for _, i := range itemsOf(cmd) {
		if strings.HasPrefix(i.ProductID, ProductOutOfStock) {
			return trigger{kind: rejecting, code: "INSUFFICIENT_STOCK", message: "Not enough stock for all items"}
		}
	}
	return trigger{}
}

// text is a member that is a string, or empty.
func text(object json.RawMessage, name string) string {
	if len(object) == 0 {
		return ""
	}
	raw, found := domain.LookupPath(object, []string{name})
	var value string
	if !found || json.Unmarshal(raw, &value) != nil {
		return ""
	}
	return value
}
