package service

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/firstviscount/platform-coordination/examples/participants/protocol"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

const headerKey = "Idempotency-Key"

// Codes of requests that do not reach the book.
const (
	CodeBodyTooLarge     = "BODY_TOO_LARGE"
	CodeInvalidCommand   = "INVALID_COMMAND"
	CodeInvalidSignature = "INVALID_SIGNATURE"
	CodeKeyMismatch      = "KEY_MISMATCH"
	CodeUnknownAction    = "UNKNOWN_ACTION"
	CodeWrongService     = "WRONG_SERVICE"
	CodeLedgerFailed     = "LEDGER_FAILED"
)

// Handler serves POST /{action} and GET /healthz.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.serveHealth)
	mux.HandleFunc("POST /{action}", s.serveCommand)
	return mux
}

func (s *Service) serveHealth(w http.ResponseWriter, _ *http.Request) {
	if s.ledger.Err() != nil {
		writeJSON(w, http.StatusServiceUnavailable, []byte(`{"status":"DOWN"}`))
		return
	}
	writeJSON(w, http.StatusOK, []byte(`{"status":"UP"}`))
}

func (s *Service) serveCommand(w http.ResponseWriter, r *http.Request) {
	if s.ledger.Err() != nil {
		// Refused before anything was tried: known not done.
		answer, _ := replyOf(Retry(CodeLedgerFailed, "the service cannot remember anything", time.Second))
		answer.write(w)
		return
	}
	answer, err := s.receive(w, r)
	if err != nil {
		writeError(w, err)
		return
	}
	answer.write(w)
}

// receive reads and checks a request up to the command it carries.
func (s *Service) receive(w http.ResponseWriter, r *http.Request) (reply, error) {
	name := r.PathValue("action")
	action, ok := s.definition.Actions[name]
	if !ok {
		return reply{}, fault(http.StatusNotFound, CodeUnknownAction, "%s has no such action", s.definition.Name)
	}
	body, err := readBody(w, r)
	if err != nil {
		return reply{}, err
	}
	// Before the body is looked at: it may come from anybody.
	if err := s.verify(r.Header, body); err != nil {
		return reply{}, fault(http.StatusUnauthorized, CodeInvalidSignature, "%v", err)
	}
	c, err := protocol.Decode(body)
	if err != nil {
		return reply{}, fault(http.StatusBadRequest, CodeInvalidCommand, "%v", err)
	}
	if err := s.addressed(r, c, name); err != nil {
		return reply{}, err
	}
	return s.handle(r.Context(), name, action, c)
}

// verify checks that the coordinator sent exactly this body. Without a secret
// everything passes.
func (s *Service) verify(h http.Header, body []byte) error {
	if s.secret.IsZero() {
		return nil
	}
	return webhook.Verify(h, body, time.Now(), s.secret)
}

// addressed checks that header, path and body speak of the same command. A
// header or member that is absent says nothing and contradicts nothing.
func (s *Service) addressed(r *http.Request, c *coordination.Command, action string) error {
	if key := r.Header.Get(headerKey); key != "" && key != c.CommandID {
		return fault(http.StatusBadRequest, CodeKeyMismatch, "%s and commandId differ", headerKey)
	}
	if c.Action != "" && c.Action != action {
		return fault(http.StatusBadRequest, CodeInvalidCommand, "path and action differ")
	}
	if c.Service != "" && c.Service != s.definition.Name {
		return fault(http.StatusBadRequest, CodeWrongService, "this is %s", s.definition.Name)
	}
	return nil
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	var body bytes.Buffer
	if n := r.ContentLength; n > 0 && n <= protocol.MaxBodyBytes {
		body.Grow(int(n) + bytes.MinRead)
	}
	_, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, protocol.MaxBodyBytes))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, fault(http.StatusRequestEntityTooLarge, CodeBodyTooLarge, "a command has at most %d bytes", protocol.MaxBodyBytes)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fault(http.StatusBadRequest, CodeInvalidCommand, "the body ended early")
	}
	return body.Bytes(), nil
}

func (a reply) write(w http.ResponseWriter) {
	if a.outcome == coordination.OutcomeRetry {
		w.Header().Set("Retry-After", retrySeconds(a.pause))
	}
	writeJSON(w, protocol.Status(a.outcome), a.body)
}

// retrySeconds rounds up to the whole seconds that the header can say.
func retrySeconds(pause time.Duration) string {
	return strconv.Itoa(int((pause + time.Second - 1) / time.Second))
}

// writeError answers what has no outcome. Everything that is not the caller's
// mistake is a 500: the effect may have happened.
func writeError(w http.ResponseWriter, err error) {
	var f *Fault
	if !errors.As(err, &f) {
		f = fault(http.StatusInternalServerError, "IN_DOUBT", "it is not known whether the command had its effect")
	}
	body, err := json.Marshal(coordination.Answer{Error: &coordination.StepError{Code: f.Code, Message: f.Message}})
	if err != nil {
		panic("service: an error of two strings must encode: " + err.Error())
	}
	writeJSON(w, f.Status, body)
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // who hung up asks again
}
