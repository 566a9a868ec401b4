package participant

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path"
	"strconv"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

const (
	headerKey         = "Idempotency-Key"
	headerTraceParent = "Traceparent"
	headerTraceState  = "Tracestate"
)

var _ http.Handler = (*Participant)(nil)

// ServeHTTP serves POST …/{action}, whatever stands before the action, and GET
// …/healthz.
func (p *Participant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	switch {
	case r.Method == http.MethodGet && name == "healthz":
		p.serveHealth(w, r)
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		p.write(w, Refused{Status: http.StatusMethodNotAllowed, Code: CodeInvalidCommand, Message: "a command is sent by POST"}, nil)
	default:
		c, refusal := p.receive(w, r, name)
		if refusal != nil {
			p.write(w, *refusal, nil)
			return
		}
		p.write(w, p.Do(r.Context(), c), c)
	}
}

func (p *Participant) serveHealth(w http.ResponseWriter, r *http.Request) {
	if p.cfg.Healthy != nil && p.cfg.Healthy(r.Context()) != nil {
		writeJSON(w, http.StatusServiceUnavailable, []byte(`{"status":"DOWN"}`))
		return
	}
	writeJSON(w, http.StatusOK, []byte(`{"status":"UP"}`))
}

// receive reads and checks a request up to the command that it carries.
func (p *Participant) receive(w http.ResponseWriter, r *http.Request, action string) (*Command, *Refused) {
	if _, known := p.actions[action]; !known {
		return nil, &Refused{Status: http.StatusNotFound, Code: CodeUnknownAction, Message: p.service + " has no such action"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxCommandBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &Refused{Status: http.StatusRequestEntityTooLarge, Code: CodeCommandTooLarge,
			Message: "a command has at most " + strconv.Itoa(MaxCommandBytes) + " bytes"}
	case err != nil:
		return nil, &Refused{Code: CodeInvalidCommand, Message: "the body ended early"}
	}
	// Before the body is looked at: it may come from anybody.
	if err := p.verify(r.Header, body); err != nil {
		return nil, &Refused{Status: http.StatusUnauthorized, Code: CodeInvalidSignature, Message: err.Error()}
	}
	c, err := decode(body)
	if err != nil {
		return nil, &Refused{Code: CodeInvalidCommand, Message: err.Error()}
	}
	if key := r.Header.Get(headerKey); key != "" && key != c.CommandID {
		return nil, &Refused{Code: CodeKeyMismatch, Message: headerKey + " and commandId differ"}
	}
	if c.Action != "" && c.Action != action {
		return nil, &Refused{Code: CodeInvalidCommand, Message: "path and action differ"}
	}
	c.Action = action
	c.TraceParent, c.TraceState = r.Header.Get(headerTraceParent), r.Header.Get(headerTraceState)
	return c, nil
}

func (p *Participant) verify(h http.Header, body []byte) error {
	if len(p.cfg.Secrets) == 0 {
		return nil
	}
	return webhook.Verify(h, body, p.cfg.Now(), p.cfg.Secrets...)
}

// write answers over HTTP.
func (p *Participant) write(w http.ResponseWriter, o Outcome, c *Command) {
	if c == nil {
		c = &Command{}
	}
	a := p.answerOf(c, o)
	status := statuses[a.Outcome]
	if refused, ok := o.(Refused); ok { // without an outcome, so that the status decides
		a.Outcome = ""
		if status = refused.Status; status == 0 {
			status = http.StatusBadRequest
		}
	}
	if a.Outcome == coordination.OutcomeRetry {
		w.Header().Set("Retry-After", seconds(time.Duration(a.RetryAfter)))
	}
	body, err := json.Marshal(a)
	if err != nil { // a stored answer that is not JSON
		status, body = http.StatusInternalServerError, []byte(`{"outcome":"UNKNOWN"}`)
	}
	writeJSON(w, status, body)
}

// seconds rounds up to what the header can say.
func seconds(d time.Duration) string {
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // who hung up asks again
}
