package participant

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Limits of callbacks.
const (
	callbackTimeout   = 10 * time.Second
	callbackFirstWait = 100 * time.Millisecond
	callbackMaxWait   = 10 * time.Second
	maxReceiptBytes   = 64 << 10
)

// Errors of callbacks. After any of them the callback is over; ErrNoLongerWaiting
// is no fault of the participant's: a late success is recorded all the same, and
// undone if it must be.
var (
	ErrNoLongerWaiting = errors.New("participant: the coordinator no longer waits for this answer")
	ErrOtherAnswer     = errors.New("participant: another answer was given before")
	ErrUnknownCallback = errors.New("participant: the coordinator does not know this callback")
)

// Callback is where the answer to an accepted command goes. Its URL is a secret:
// it authorises answering that command. Keep it with the promise.
type Callback struct {
	coordination.Callback
	// TraceParent and TraceState are the command's trace context, which the
	// callback carries back.
	TraceParent, TraceState string
	// Client sends; http.DefaultClient's transport without redirects if nil.
	Client *http.Client
}

// CallbackOf is the callback of a command; without one, which a command that
// came over a bus may be, [Participant.Reply] is the way to answer.
func CallbackOf(c *Command) (Callback, bool) {
	if c.Callback == nil || c.Callback.URL == "" {
		return Callback{}, false
	}
	return Callback{Callback: *c.Callback, TraceParent: c.TraceParent, TraceState: c.TraceState}, true
}

// Complete answers an accepted command, again and again until the coordinator
// has taken it or ctx ends. That it is taken twice does no harm.
func (b Callback) Complete(ctx context.Context, o Outcome) error {
	a, err := o.answer()
	if err != nil {
		return err
	}
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("participant: callback: %w", err)
	}
	_, err = b.post(ctx, b.URL, body)
	return err
}

// Heartbeat asks for another timeout's worth of time, and gives the new deadline.
func (b Callback) Heartbeat(ctx context.Context) (time.Time, error) {
	receipt, err := b.post(ctx, b.URL+"/heartbeat", []byte("{}"))
	return receipt.Deadline.Time, err
}

// post sends until it is settled. Errors do not quote the URL.
func (b Callback) post(ctx context.Context, url string, body []byte) (coordination.CallbackReceipt, error) {
	for wait := callbackFirstWait; ; wait = min(2*wait, callbackMaxWait) {
		receipt, settled, err := b.try(ctx, url, body)
		if settled {
			return receipt, err
		}
		timer := time.NewTimer(wait/2 + rand.N(wait/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return receipt, fmt.Errorf("participant: callback not taken: %w", ctx.Err())
		}
	}
}

func (b Callback) try(ctx context.Context, url string, body []byte) (receipt coordination.CallbackReceipt, settled bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callbackTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return receipt, true, ErrUnknownCallback
	}
	request.Header.Set("Content-Type", "application/json")
	if b.TraceParent != "" {
		request.Header.Set(headerTraceParent, b.TraceParent)
		if b.TraceState != "" {
			request.Header.Set(headerTraceState, b.TraceState)
		}
	}
	client := b.Client
	if client == nil {
		client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	response, err := client.Do(request)
	if err != nil {
		return receipt, false, nil
	}
	defer response.Body.Close()
	data, _ := io.ReadAll(io.LimitReader(response.Body, maxReceiptBytes))
	switch response.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		_ = json.Unmarshal(data, &receipt) // a receipt is a courtesy
		return receipt, true, nil
	case http.StatusConflict:
		return receipt, true, ErrOtherAnswer
	case http.StatusGone:
		return receipt, true, ErrNoLongerWaiting
	case http.StatusNotFound:
		return receipt, true, ErrUnknownCallback
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return receipt, true, fmt.Errorf("participant: the coordinator refused the answer with %d", response.StatusCode)
	}
	return receipt, false, nil
}
