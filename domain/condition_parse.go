package domain

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// labelPrefix begins the name of every label.
const labelPrefix = "IF_"

// comparisonOperators are the operators between two operands.
var comparisonOperators = []string{"==", "!=", "<", "<=", ">", ">="}

// ParseCondition reads a condition: a label (IF_ and capital letters, digits or
// underscores) that stands alone, or an expression. From the weakest the
// operators bind as || && ! and comparison; a comparison is not chained, and
// negated only in parentheses. A look-up that stands alone must be true to
// hold. Errors wrap ErrCondition and name the column, counted in bytes from 1.
func ParseCondition(s string) (Condition, error) {
	text := strings.Trim(s, " \t\r\n")
	switch {
	case len(text) > MaxConditionBytes:
		return Condition{}, fmt.Errorf("%w: more than %d bytes", ErrCondition, MaxConditionBytes)
	case !utf8.ValidString(text):
		return Condition{}, fmt.Errorf("%w: not UTF-8", ErrCondition)
	case isConditionLabel(text):
		return Condition{text: text}, nil
	}
	p := &conditionParser{text: text}
	p.advance()
	root := p.disjunction()
	if p.token.kind != tokenEnd {
		p.fail("unexpected " + p.token.describe())
	}
	if p.err != nil {
		return Condition{}, p.err
	}
	return Condition{text: text, root: root, refs: p.refs}, nil
}

func isConditionLabel(text string) bool {
	name, found := strings.CutPrefix(text, labelPrefix)
	return found && name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

// conditionParser is a recursive-descent parser. The first fault is kept; from
// then on there are only end tokens, so every method returns soon, with a value
// nobody uses.
type conditionParser struct {
	text  string
	at    int // where the next token begins
	token conditionToken
	depth int
	refs  []string
	err   error
}

type tokenKind int8

const (
	tokenEnd      tokenKind = iota
	tokenOperator           // an operator or parenthesis
	tokenWord               // a name or a dotted path
	tokenString
	tokenNumber
)

type conditionToken struct {
	kind  tokenKind
	text  string
	start int
}

func (t conditionToken) describe() string {
	if t.kind == tokenEnd {
		return "end"
	}
	return fmt.Sprintf("%q", t.text)
}

func (t conditionToken) is(operator string) bool {
	return t.kind == tokenOperator && t.text == operator
}

func (t conditionToken) isComparison() bool {
	return t.kind == tokenOperator && slices.Contains(comparisonOperators, t.text)
}

// fail keeps the first fault, at the current token, and ends the input.
func (p *conditionParser) fail(message string) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: column %d: %s", ErrCondition, p.token.start+1, message)
	}
	p.at = len(p.text)
	p.token = conditionToken{start: p.token.start}
}

// advance reads the next token.
func (p *conditionParser) advance() {
	rest := strings.TrimLeft(p.text[p.at:], " \t\r\n")
	start := len(p.text) - len(rest)
	p.token = conditionToken{start: start}
	if rest == "" {
		p.at = start
		return
	}
	kind, length := scanToken(rest)
	if length == 0 {
		p.fail("unexpected character")
		return
	}
	p.token.kind, p.token.text = kind, rest[:length]
	p.at = start + length
}

// scanToken measures the token that rest begins with; 0 if there is none.
func scanToken(rest string) (tokenKind, int) {
	for _, operator := range []string{"==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "(", ")"} {
		if strings.HasPrefix(rest, operator) {
			return tokenOperator, len(operator)
		}
	}
	c := rest[0]
	switch {
	case c == '"':
		end := skipString([]byte(rest), 0)
		if end < 2 || rest[end-1] != '"' {
			return tokenEnd, 0
		}
		return tokenString, end
	case c == '-' || '0' <= c && c <= '9':
		return tokenNumber, spanLength(rest, func(c byte) bool { return isWordByte(c) || c == '.' || c == '+' || c == '-' })
	case isWordByte(c):
		return tokenWord, spanLength(rest, func(c byte) bool { return isWordByte(c) || c == '.' })
	}
	return tokenEnd, 0
}

func spanLength(text string, belongs func(byte) bool) int {
	n := 0
	for n < len(text) && belongs(text[n]) {
		n++
	}
	return n
}

func (p *conditionParser) disjunction() expression {
	operands := p.joined("||", (*conditionParser).conjunction)
	if len(operands) == 1 {
		return operands[0]
	}
	return disjunction(operands)
}

func (p *conditionParser) conjunction() expression {
	operands := p.joined("&&", (*conditionParser).term)
	if len(operands) == 1 {
		return operands[0]
	}
	return conjunction(operands)
}

// joined reads one or more operands with the operator between them.
func (p *conditionParser) joined(operator string, operand func(*conditionParser) expression) []expression {
	operands := []expression{operand(p)}
	for p.token.is(operator) {
		p.advance()
		operands = append(operands, operand(p))
	}
	return operands
}

// term reads a negation, a parenthesis, has(), a comparison or a lone truth value.
func (p *conditionParser) term() expression {
	switch {
	case p.token.is("!"):
		return p.negation()
	case p.token.is("("):
		return p.parenthesis()
	case p.isPresence():
		return p.presence()
	}
	left := p.operand()
	if !p.token.isComparison() {
		return p.assertion(left)
	}
	operator := p.token.text
	p.advance()
	right := p.operand()
	if p.token.isComparison() {
		p.fail("comparisons cannot be chained")
	}
	return comparison{operator: operator, left: left, right: right}
}

// negation refuses !a == b, which two readers read in two ways.
func (p *conditionParser) negation() expression {
	p.enter()
	defer p.leave()
	p.advance()
	negated := p.negated()
	if p.token.isComparison() {
		p.fail("a negated comparison needs parentheses")
	}
	return negation{negated}
}

func (p *conditionParser) negated() expression {
	switch {
	case p.token.is("!"):
		return p.negation()
	case p.token.is("("):
		return p.parenthesis()
	case p.isPresence():
		return p.presence()
	}
	return p.assertion(p.operand())
}

func (p *conditionParser) parenthesis() expression {
	p.enter()
	defer p.leave()
	p.advance()
	inner := p.disjunction()
	p.expect(")")
	return inner
}

func (p *conditionParser) isPresence() bool {
	return p.token.kind == tokenWord && p.token.text == "has"
}

func (p *conditionParser) presence() expression {
	p.advance()
	p.expect("(")
	ref, ok := p.reference()
	if !ok {
		p.fail("has() takes a look-up")
	}
	p.expect(")")
	return presence{ref}
}

// assertion makes a truth value of an operand that is compared with nothing.
func (p *conditionParser) assertion(o operand) expression {
	switch {
	case o.root != "":
		return assertion{o.reference}
	case o.literal.kind == kindBoolean:
		return constant(truthOf(o.literal.text == "true"))
	}
	p.fail("expected a comparison")
	return nil
}

// operand reads a look-up or a literal.
func (p *conditionParser) operand() operand {
	if ref, ok := p.reference(); ok {
		return operand{reference: ref}
	}
	literal := scalarOf([]byte(p.token.text))
	switch {
	case p.token.kind == tokenEnd, p.token.kind == tokenOperator:
		p.fail("expected a look-up or a literal, found " + p.token.describe())
	case literal.kind == kindMissing:
		p.fail(p.token.describe() + " is neither a look-up (context.name, input.name) nor a literal")
	}
	p.advance()
	return operand{literal: literal}
}

// reference reads a look-up, if the current token is one.
func (p *conditionParser) reference() (reference, bool) {
	if p.token.kind != tokenWord {
		return reference{}, false
	}
	ref, ok := parseReference(p.token.text)
	if ok {
		p.refs = insertSorted(p.refs, ref.text)
		p.advance()
	}
	return ref, ok
}

func (p *conditionParser) expect(operator string) {
	if !p.token.is(operator) {
		p.fail(fmt.Sprintf("expected %q, found %s", operator, p.token.describe()))
		return
	}
	p.advance()
}

// enter and leave bound the recursion, which only ! and ( can deepen.
func (p *conditionParser) enter() {
	if p.depth++; p.depth > MaxConditionDepth {
		p.fail(fmt.Sprintf("nested more than %d levels deep", MaxConditionDepth))
	}
}

func (p *conditionParser) leave() { p.depth-- }
