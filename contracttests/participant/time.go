package participant

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/contracttests/verify"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

var timeRules = []rule{
	{"deadline-passed", "a command whose deadline has passed is not begun, and can be carried out by its next attempt", func(c *check) {
		s := c.newSaga()
		s.do.Deadline = coordination.Time{Time: time.Now().Add(-time.Minute)}
		a := c.send(s.do)
		c.Want(a.Outcome == coordination.OutcomeRetry, "RETRY: known not to be done", "%s", told(a))
		c.done(again(s.do))
	}},
	{"callback", "a command that was answered ACCEPTED is answered later, by callback or reply", func(c *check) {
		listener := c.later()
		cmd := listener.cmd
		c.Eventually("the answer after ACCEPTED within "+c.LaterWithin.String(), func() (string, bool) {
			n, last := listener.answers()
			return "none", n > 0 && last != ""
		})
		c.wantOutcome(c.settled(cmd), coordination.OutcomeSucceeded)
	}},
	{"callback-repeated", "a callback that is not taken (503) is sent again until it is", func(c *check) {
		c.onlyHTTP()
		listener := c.later(http.StatusServiceUnavailable, http.StatusServiceUnavailable)
		c.Eventually("a third callback after two were answered 503", func() (string, bool) {
			n, _ := listener.answers()
			return "only the first ones", n >= 3
		})
	}},
	{"callback-gone", "a callback that is answered 410 is not sent again", func(c *check) {
		c.onlyHTTP()
		listener := c.later(http.StatusGone)
		c.Eventually("a callback", func() (string, bool) {
			n, _ := listener.answers()
			return "none", n > 0
		})
		select {
		case <-time.After(2 * time.Second):
		case <-c.Done():
		}
		n, _ := listener.answers()
		c.Want(n == 1, "one callback", "%d", n)
	}},
	{"accepted-again", "a command that was ACCEPTED and comes again is answered ACCEPTED, or with its answer", func(c *check) {
		listener := c.later()
		a := c.settle(again(listener.cmd))
		c.Want(a.Outcome == coordination.OutcomeAccepted || a.Outcome == coordination.OutcomeSucceeded, "ACCEPTED or SUCCEEDED", "%s", told(a))
	}},
}

func (c *check) onlyHTTP() {
	if !c.carrier.overHTTP() {
		c.Skip("over a message bus the answer is a reply")
	}
}

// callbacks takes the callbacks of one command.
type callbacks struct {
	cmd     *coordination.Command
	mu      sync.Mutex
	status  []int // of the first ones; then 200
	bodies  []string
	replies <-chan coordination.Answer // over a message bus
}

// later sends the sample that is answered later, with an address for its callback.
func (c *check) later(status ...int) *callbacks {
	if c.Later == nil {
		c.Skip("no sample of what is answered later was given")
	}
	l := &callbacks{cmd: c.sagaOf(*c.Later).do, status: status}
	if b, ok := c.carrier.(*busCarrier); ok {
		l.replies = b.replies(c.Probe, l.cmd.CommandID)
	}
	c.listen(l)
	a := c.settle(l.cmd)
	c.wantOutcome(a, coordination.OutcomeAccepted)
	return l
}

// listen takes callbacks until the rule ends.
func (c *check) listen(l *callbacks) {
	address := c.CallbackAddress
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		c.Fail("an address to take callbacks on", "%v", err)
	}
	token := l.cmd.CommandID
	l.cmd.Callback = &coordination.Callback{URL: "http://" + listener.Addr().String() + "/callbacks/" + verify.Token(token), Token: verify.Token(token)}
	server := &http.Server{Handler: l, ReadHeaderTimeout: verify.RuleTimeout}
	go func() { _ = server.Serve(listener) }()
	go func() {
		<-c.Done()
		_ = server.Close()
	}()
}

// ServeHTTP takes a callback as the coordinator would, or refuses it.
func (l *callbacks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || r.Method != http.MethodPost {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	status := http.StatusOK
	if len(l.bodies) < len(l.status) {
		status = l.status[len(l.bodies)]
	}
	l.bodies = append(l.bodies, string(body))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(coordination.CallbackReceipt{CommandID: l.cmd.CommandID})
}

// answers is how many answers came and what the last one said.
func (l *callbacks) answers() (n int, outcome coordination.Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.replies != nil {
		select {
		case a := <-l.replies:
			if text, err := json.Marshal(a); err == nil && a.Outcome != coordination.OutcomeAccepted {
				l.bodies = append(l.bodies, string(text))
			}
			continue
		default:
		}
		break
	}
	var a coordination.Answer
	if len(l.bodies) > 0 && json.Unmarshal([]byte(l.bodies[len(l.bodies)-1]), &a) == nil {
		outcome = a.Outcome
	}
	return len(l.bodies), outcome
}

// settled asks for the answer of a command that was answered later.
func (c *check) settled(cmd *coordination.Command) answer {
	var a answer
	c.Eventually("the answer, when the command comes again after it was given", func() (string, bool) {
		a = c.settle(again(cmd))
		return told(a), a.Outcome != coordination.OutcomeAccepted
	})
	return a
}
