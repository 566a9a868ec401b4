package domain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Limits of a condition.
const (
	MaxConditionBytes = 1024 // of its text
	MaxConditionDepth = 32   // of nested parentheses and negations
)

// ErrCondition is wrapped by every error about a condition's text.
var ErrCondition = errors.New("invalid condition")

// Truth is a value of Kleene's three-valued logic. Its order is that of truth:
// "and" is the least, "or" the greatest of its operands, "not" turns it round.
type Truth int8

// The truth values. What cannot be decided, because a look-up found nothing or
// the types do not fit, is Undecided, the zero value
// (not to be mixed up with the Outcome Unknown).
const (
	False     Truth = -1
	Undecided Truth = 0
	True      Truth = 1
)

// Holds reports whether a condition of this value counts as met: unknown does,
// because an undo too many is harmless and one too few is not.
func (t Truth) Holds() bool { return t != False }

// String is "false", "unknown" or "true".
func (t Truth) String() string {
	switch {
	case t < Undecided:
		return "false"
	case t > Undecided:
		return "true"
	}
	return "unknown"
}

// Condition says whether a step or an undo applies. It is either a label
// (IF_INVENTORY_RESERVED), which means "the step this undoes may have had its
// effect" and is decided by the caller, or an expression:
//
//	context.total > 100 && (input.express == true || !has(context.trackingId))
//
// Operands are look-ups, JSON strings, numbers, true, false and null; operators
// are == != < <= > >= && || ! and has(). A Condition is immutable; the zero
// value is no condition and always true.
type Condition struct {
	text string
	root expression // nil: a label, or no condition
	refs []string
}

// IsLabel reports whether c is a name (IF_…) that the caller gives its meaning.
func (c Condition) IsLabel() bool { return c.root == nil && c.text != "" }

// IsZero reports whether c is no condition.
func (c Condition) IsZero() bool { return c.text == "" }

// Eval evaluates c. It is Undecided for a label, True for no condition.
// A look-up that finds nothing makes its comparison unknown, and has() of it
// false. Equality compares JSON scalars of any type, numbers by their exact
// value; the order operators compare two numbers, or two strings byte by byte;
// everything else is unknown. Eval is total: nothing a look-up returns is an error.
func (c Condition) Eval(lookup Lookup) Truth {
	switch {
	case c.root != nil:
		return c.root.eval(lookup)
	case c.IsLabel():
		return Undecided
	}
	return True
}

// References are the look-ups of c, sorted, each once.
func (c Condition) References() []string { return slices.Clone(c.refs) }

// String is the text c was parsed from; ParseCondition reads it back.
func (c Condition) String() string { return c.text }

// MarshalJSON writes String as a JSON string.
func (c Condition) MarshalJSON() ([]byte, error) { return json.Marshal(c.text) }

// UnmarshalJSON reads a JSON string as ParseCondition does; "" is no condition.
func (c *Condition) UnmarshalJSON(data []byte) error {
	text, ok := unquote(bytes.TrimSpace(data))
	if !ok {
		return fmt.Errorf("%w: not a string", ErrCondition)
	}
	parsed := Condition{}
	if text != "" {
		var err error
		if parsed, err = ParseCondition(text); err != nil {
			return err
		}
	}
	*c = parsed
	return nil
}

// expression is a node that has a truth value.
type expression interface {
	eval(Lookup) Truth
}

type (
	constant    Truth
	conjunction []expression // and
	disjunction []expression // or
	negation    struct{ of expression }
	presence    struct{ reference } // has(…)
	assertion   struct{ reference } // a look-up that should be true or false
	comparison  struct {
		operator    string
		left, right operand
	}
)

func (e constant) eval(Lookup) Truth { return Truth(e) }

// eval evaluates every operand at most once and stops when the rest cannot matter.
func (e conjunction) eval(lookup Lookup) Truth {
	result := True
	for _, operand := range e {
		if result = min(result, operand.eval(lookup)); result == False {
			break
		}
	}
	return result
}

func (e disjunction) eval(lookup Lookup) Truth {
	result := False
	for _, operand := range e {
		if result = max(result, operand.eval(lookup)); result == True {
			break
		}
	}
	return result
}

func (e negation) eval(lookup Lookup) Truth { return -e.of.eval(lookup) }

func (e presence) eval(lookup Lookup) Truth {
	_, found := lookup(e.root, e.path)
	return truthOf(found)
}

func (e assertion) eval(lookup Lookup) Truth {
	value, _ := lookup(e.root, e.path)
	switch string(bytes.TrimSpace(value)) {
	case "true":
		return True
	case "false":
		return False
	}
	return Undecided
}

func (e comparison) eval(lookup Lookup) Truth {
	left, right := e.left.value(lookup), e.right.value(lookup)
	if left.kind == kindMissing || right.kind == kindMissing {
		return Undecided
	}
	switch e.operator {
	case "==":
		return left.equals(right)
	case "!=":
		return -left.equals(right)
	}
	order, ok := left.compare(right)
	if !ok {
		return Undecided
	}
	switch e.operator {
	case "<":
		return truthOf(order < 0)
	case "<=":
		return truthOf(order <= 0)
	case ">":
		return truthOf(order > 0)
	default: // ">=": the parser lets no other through
		return truthOf(order >= 0)
	}
}

func truthOf(b bool) Truth {
	if b {
		return True
	}
	return False
}

// operand is one side of a comparison: a look-up, or a literal where its root is empty.
type operand struct {
	reference
	literal scalar
}

func (o operand) value(lookup Lookup) scalar {
	if o.root == "" {
		return o.literal
	}
	raw, found := lookup(o.root, o.path)
	if !found {
		return scalar{}
	}
	return scalarOf(bytes.TrimSpace(raw))
}

// kind is the JSON type of a value.
type kind int8

const (
	kindMissing kind = iota // nothing there, or not JSON
	kindNull
	kindBoolean   // text is true or false
	kindNumber    // number
	kindString    // text, decoded
	kindComposite // an object or array: never compared
)

type scalar struct {
	kind   kind
	text   string
	number decimal
}

func scalarOf(raw []byte) scalar {
	if len(raw) == 0 {
		return scalar{}
	}
	switch raw[0] {
	case '{', '[':
		return scalar{kind: kindComposite}
	case '"':
		if text, ok := unquote(raw); ok {
			return scalar{kind: kindString, text: text}
		}
		return scalar{}
	}
	switch text := string(raw); text {
	case "null":
		return scalar{kind: kindNull}
	case "true", "false":
		return scalar{kind: kindBoolean, text: text}
	default:
		if number, ok := scanDecimal(text); ok {
			return scalar{kind: kindNumber, number: number}
		}
	}
	return scalar{}
}

func (s scalar) equals(other scalar) Truth {
	switch {
	case s.kind != other.kind:
		return False
	case s.kind == kindComposite:
		return Undecided
	case s.kind == kindNumber:
		order, ok := s.number.compare(other.number)
		if !ok {
			return Undecided
		}
		return truthOf(order == 0)
	}
	return truthOf(s.text == other.text)
}

// compare orders two numbers or two strings; false for anything else.
func (s scalar) compare(other scalar) (int, bool) {
	switch {
	case s.kind != other.kind:
		return 0, false
	case s.kind == kindNumber:
		return s.number.compare(other.number)
	case s.kind == kindString:
		return strings.Compare(s.text, other.text), true
	}
	return 0, false
}
