package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/firstviscount/platform-coordination/domain"
)

// Limits of an answer.
const (
	MaxAnswerBytes  = 256 << 10
	MaxAnswerDepth  = 16        // of nested objects and arrays, the outermost counted
	MaxErrorMessage = 512       // bytes of error.message that are kept
	MaxRetryAfter   = time.Hour // of what a participant may ask to wait; more counts as this
)

// CodeUnnamed is the error code where the participant gave none that is usable.
const CodeUnnamed = "PARTICIPANT_ERROR"

// messageUnnamed is the error message where the participant gave none.
const messageUnnamed = "The participant gave no reason"

// ErrInvalid is wrapped by every error about an answer that cannot be trusted:
// what it answers may have happened. None of them quotes the answer.
var ErrInvalid = errors.New("invalid answer")

// What can be wrong with an answer.
var (
	ErrTooLarge   = fmt.Errorf("%w: larger than %d bytes", ErrInvalid, MaxAnswerBytes)
	ErrTooDeep    = fmt.Errorf("%w: nested more than %d levels deep", ErrInvalid, MaxAnswerDepth)
	ErrNotObject  = fmt.Errorf("%w: not a JSON object", ErrInvalid)
	ErrDuplicate  = fmt.Errorf("%w: a member is given twice", ErrInvalid)
	ErrOutcome    = fmt.Errorf("%w: unknown outcome", ErrInvalid)
	ErrResultType = fmt.Errorf("%w: result is not an object", ErrInvalid)
)

var errorCode = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

// outcomes are those that a participant may say.
var outcomes = map[string]domain.Outcome{
	`"SUCCEEDED"`: domain.Succeeded,
	`"ACCEPTED"`:  domain.Accepted,
	`"REJECTED"`:  domain.Rejected,
	`"RETRY"`:     domain.Retry,
	`"UNKNOWN"`:   domain.Unknown,
}

// Answer reads an answer: an HTTP response's body, a callback's or the data of
// a reply event. Outcome is empty if the answer does not say it; otherwise
// Result is set with SUCCEEDED only, Error with REJECTED, RETRY and UNKNOWN
// always, its code and message made safe to show. Without an outcome, Result
// and Error are what the answer has, for the caller to use as its transport's
// status demands. Members that are null count as absent, unknown ones are
// ignored. The answer does not share memory with body.
func Answer(body []byte) (domain.Answer, error) {
	if err := check(body); err != nil {
		return domain.Answer{}, err
	}
	var a domain.Answer
	if text := member(body, "outcome"); text != nil {
		known := false
		if a.Outcome, known = outcomes[string(text)]; !known {
			return domain.Answer{}, ErrOutcome
		}
	}
	if result := member(body, "result"); result != nil {
		if result[0] != '{' {
			return domain.Answer{}, ErrResultType
		}
		a.Result = bytes.Clone(result)
	}
	if reason := member(body, "error"); reason != nil {
		a.Error = readError(reason)
	}
	a.RetryAfter = readRetryAfter(member(body, "retryAfter"))
	if a.Outcome != "" {
		a = As(a, a.Outcome)
	}
	return a, nil
}

// ErrNoCommand: a reply does not say what it answers.
var ErrNoCommand = fmt.Errorf("%w: commandId is missing", ErrInvalid)

// Reply reads the data of a reply event: an answer with the ID of its command,
// and its attempt, 0 if it does not say. Without an outcome it is ErrOutcome:
// no status could decide instead.
func Reply(data []byte) (commandID string, a domain.Answer, err error) {
	a, err = Answer(data)
	if err != nil {
		return "", domain.Answer{}, err
	}
	if a.Outcome == "" {
		return "", domain.Answer{}, ErrOutcome
	}
	if commandID = readText(member(data, "commandId")); commandID == "" {
		return "", domain.Answer{}, ErrNoCommand
	}
	if n, err := strconv.Atoi(string(member(data, "attempt"))); err == nil && n > 0 {
		a.Attempt = n
	}
	return commandID, a, nil
}

// As is answer a with an outcome: what the outcome has no use for is dropped,
// the error that it needs is made up.
func As(a domain.Answer, outcome domain.Outcome) domain.Answer {
	a.Outcome = outcome
	if outcome != domain.Succeeded {
		a.Result = nil
	}
	if outcome == domain.Succeeded || outcome == domain.Accepted {
		a.Error, a.RetryAfter = nil, 0
	} else if a.Error == nil {
		a.Error = &domain.StepError{Code: CodeUnnamed, Message: messageUnnamed}
	}
	return a
}

// member is the value of a member, nil if it is absent or null.
func member(object []byte, name string) json.RawMessage {
	value, found := domain.LookupPath(object, []string{name})
	if !found || string(value) == "null" {
		return nil
	}
	return value
}

func readError(raw json.RawMessage) *domain.StepError {
	if raw[0] != '{' {
		return SafeError("", "")
	}
	return SafeError(readText(member(raw, "code")), readText(member(raw, "message")))
}

// SafeError is what a participant says of an error, made safe to show: a code
// that does not look like one is CodeUnnamed, and the message is SafeText.
func SafeError(code, message string) *domain.StepError {
	e := domain.StepError{Code: CodeUnnamed, Message: messageUnnamed}
	if errorCode.MatchString(code) {
		e.Code = code
	}
	if message = SafeText(message); message != "" {
		e.Message = message
	}
	return &e
}

func readRetryAfter(raw json.RawMessage) time.Duration {
	d, err := domain.ParseDuration(readText(raw))
	if err != nil {
		return 0
	}
	return min(d, MaxRetryAfter)
}

func readText(raw json.RawMessage) string {
	var text string
	if raw == nil || json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return text
}

// SafeText is text without control characters and marks that turn the direction
// of writing, cut to MaxErrorMessage bytes.
func SafeText(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, text)
	if len(text) <= MaxErrorMessage {
		return text
	}
	end := MaxErrorMessage
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
