package webhook

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// Limits of what is told of a step's result.
const (
	maxResultMembers = 32
	maxResultList    = 32
)

// The rule for results. A participant may put anything into one: webhooks leave
// the house, so that only what is told here does. Whoever needs more asks for
// the status of the workflow, with a token.
//
// A member is told if its name is that of an identifier, a state, an amount or
// a count, and does not speak of something secret or personal, and its value
// looks like one: a number, true or false, a short text without spaces, or a
// short list of such texts. What the order itself says is secret or personal has
// been taken out before, so that a token is not told as an identifier.
var (
	toldNames = []string{"id", "status", "state", "amount", "currency", "provider", "channel", "quantity", "count", "total",
		"confirmationNumber", "trackingNumber", "undone"}
	toldEndings   = []string{"Id", "Ids", "Status", "State", "Amount", "Currency", "Provider", "Quantity", "Count", "Condition"}
	toldBeginning = regexp.MustCompile(`^(items|warehouses)[A-Z]`)
	// untoldWords make a name one of something secret or personal, whatever its ending.
	untoldWords = []string{"token", "secret", "password", "credential", "session", "card", "iban", "account", "name", "street", "address",
		"zip", "phone", "mail", "birth", "customer", "user"}

	toldText   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$`)
	toldNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,6})?$`)
)

// shareable is what may be told of a result, as an object with its members in
// the order of their names.
func shareable(result json.RawMessage) json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(result, &members) != nil {
		members = nil
	}
	told := map[string]json.RawMessage{}
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if value := toldValue(members[name]); value != nil && isTold(name) && len(told) < maxResultMembers {
			told[name] = value
		}
	}
	out, err := json.Marshal(told)
	if err != nil { // of valid values
		return json.RawMessage("{}")
	}
	return out
}

func isTold(name string) bool {
	lower := strings.ToLower(name)
	if !toldText.MatchString(name) || slices.ContainsFunc(untoldWords, func(word string) bool { return strings.Contains(lower, word) }) {
		return false
	}
	return slices.Contains(toldNames, name) || toldBeginning.MatchString(name) ||
		slices.ContainsFunc(toldEndings, func(end string) bool { return len(name) > len(end) && strings.HasSuffix(name, end) })
}

// toldValue is a value in its compact form, nil if it is none that is told.
func toldValue(raw json.RawMessage) json.RawMessage {
	text := strings.TrimSpace(string(raw))
	if text == "true" || text == "false" || toldNumber.MatchString(text) {
		return json.RawMessage(text)
	}
	if isText(raw) {
		return raw
	}
	var list []json.RawMessage
	if !strings.HasPrefix(text, "[") || json.Unmarshal(raw, &list) != nil || len(list) > maxResultList || !allTexts(list) {
		return nil
	}
	out, err := json.Marshal(list)
	if err != nil {
		return nil
	}
	return out
}

func allTexts(list []json.RawMessage) bool {
	return !slices.ContainsFunc(list, func(raw json.RawMessage) bool { return !isText(raw) })
}

func isText(raw json.RawMessage) bool {
	var text string
	return len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &text) == nil && toldText.MatchString(text)
}
