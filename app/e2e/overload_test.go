package e2e_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/auth"
	"github.com/firstviscount/platform-coordination/adapters/postgres/pgtest"
	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

const (
	// peakClients are enough to keep a coordinator busy.
	peakClients = 64
	// overloadFactor is how many times more orders come than can be done.
	overloadFactor = 3
	// maxOutstanding bounds what the generator has under way; it must never be
	// what holds the load back.
	maxOutstanding = 8192
	// recoveryTime is how long the coordinator may take to be as fast as before.
	recoveryTime = 30 * time.Second
	// calmAnswer is how soon a coordinator that is not overloaded has taken, and done, an order.
	calmAnswer = 2 * time.Second
)

// pressure is an open-loop generator: orders come when they are due, whether or
// not the ones before were answered. It shares the machine with what it
// measures, so it does with as little as it can: one connection and one buffer
// for each request under way.
type pressure struct {
	t     *testing.T
	c     *harness.Coordinator
	head  string        // of every request, up to the length of its body
	token func() string // of the next order
	conns chan net.Conn // that nothing is under way on
}

func newPressure(t *testing.T, c *harness.Coordinator) *pressure {
	p := &pressure{t: t, c: c, token: func() string { return "tok_visa_4242" }, conns: make(chan net.Conn, maxOutstanding), head: "POST /api/v1/workflows/order/start HTTP/1.1\r\nHost: coordinator\r\n" +
		"Authorization: Bearer " + harness.Token(t, auth.RoleService) + "\r\nContent-Type: application/json\r\nContent-Length: "}
	t.Cleanup(func() {
		for len(p.conns) > 0 {
			_ = (<-p.conns).Close()
		}
	})
	return p
}

// requestLimit is how long the generator waits for an answer.
const requestLimit = 20 * time.Second

// sample is one answer: status 0 if there was none.
type sample struct {
	status int
	took   time.Duration
	bare   bool // refused without saying when to come again
	token  string
}

// start starts one order.
func (p *pressure) start() sample {
	token := p.token()
	body, _ := json.Marshal(order(token))
	begin := time.Now()
	status, header, err := p.send(body)
	if err != nil {
		return sample{took: time.Since(begin), token: token}
	}
	return sample{status, time.Since(begin), header.Get("Retry-After") == "", token}
}

// send sends an order over a connection of its own.
func (p *pressure) send(body []byte) (int, textproto.MIMEHeader, error) {
	conn, err := p.connect()
	if err != nil {
		return 0, nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(requestLimit))
	if _, err := conn.Write(append([]byte(p.head+strconv.Itoa(len(body))+"\r\n\r\n"), body...)); err != nil {
		return 0, nil, errors.Join(err, conn.Close())
	}
	status, header, err := readAnswer(bufio.NewReader(conn))
	if err != nil {
		return 0, nil, errors.Join(err, conn.Close())
	}
	p.conns <- conn
	return status, header, nil
}

func (p *pressure) connect() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	default:
		return net.Dial("tcp", p.c.Address)
	}
}

// readAnswer reads a whole response.
func readAnswer(r *bufio.Reader) (int, textproto.MIMEHeader, error) {
	reader := textproto.NewReader(r)
	line, err := reader.ReadLine()
	if err != nil {
		return 0, nil, err
	}
	header, err := reader.ReadMIMEHeader()
	if err != nil {
		return 0, nil, err
	}
	status, _ := strconv.Atoi(strings.Fields(line)[1])
	var body io.Reader = httputil.NewChunkedReader(r)
	if length, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64); err == nil {
		body = io.LimitReader(r, length)
	}
	if _, err = io.Copy(io.Discard, body); err == nil && header.Get("Content-Length") == "" {
		_, err = reader.ReadLine() // the end of what came in chunks
	}
	return status, header, err
}

// completed is how many workflows have completed so far.
func (p *pressure) completed() int64 {
	metrics, err := p.c.Client(p.t).Workflows.GetMetrics(p.t.Context(), coordination.MetricsQuery{Period: coordination.PeriodMonth})
	if err != nil {
		p.t.Fatal(err)
	}
	return metrics.Overview.Completed
}

// rate is how many workflows completed per second while there was a load.
type rate struct {
	done float64
	// left is the share of the machine that the generator left to everything else.
	left float64
}

// goodput is what completed while load ran.
func (p *pressure) goodput(load func()) rate {
	before, used, begin := p.completed(), p.processorTime(), time.Now()
	load()
	took := time.Since(begin)
	all := took * time.Duration(runtime.NumCPU())
	return rate{float64(p.completed()-before) / took.Seconds(), 1 - float64(p.processorTime()-used)/float64(all)}
}

// processorTime is what the generator has used so far.
func (p *pressure) processorTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		p.t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// peak is the goodput when so many clients as are served best start orders.
func (p *pressure) peak(d time.Duration) rate {
	return p.goodput(func() {
		var all sync.WaitGroup
		for end, i := time.Now().Add(d), 0; i < peakClients; i++ {
			all.Go(func() {
				for time.Now().Before(end) {
					p.start()
				}
			})
		}
		all.Wait()
	})
}

// press sends rate orders per second and returns all answers.
func (p *pressure) press(rate float64, d time.Duration) (samples []sample) {
	var mu sync.Mutex
	var all sync.WaitGroup
	places := make(chan struct{}, maxOutstanding)
	begin := time.Now()
	for sent := 0; time.Since(begin) < d; {
		due := int(time.Since(begin).Seconds() * rate)
		for ; sent < due; sent++ {
			places <- struct{}{}
			all.Go(func() {
				s := p.start()
				<-places
				mu.Lock()
				samples = append(samples, s)
				mu.Unlock()
			})
		}
		time.Sleep(time.Millisecond)
	}
	all.Wait()
	return samples
}

// probe asks for /livez, which is never refused and costs nothing, until load
// ends: as long as that takes, everything takes on this machine now.
func (p *pressure) probe(load func()) (answers []time.Duration) {
	ended := make(chan struct{})
	go func() { defer close(ended); load() }()
	client := &http.Client{Timeout: requestLimit}
	defer client.CloseIdleConnections()
	every := time.NewTicker(probeEvery)
	defer every.Stop()
	for {
		select {
		case <-ended:
			slices.Sort(answers)
			return answers
		case <-every.C:
		}
		begin := time.Now()
		if response, err := client.Get(p.c.URL("/livez")); err == nil {
			_ = response.Body.Close()
			answers = append(answers, time.Since(begin))
		}
	}
}

// probeEvery is how often /livez is asked for.
const probeEvery = 10 * time.Millisecond

// times are the sorted times of the answers with a status.
func times(samples []sample, status int) []time.Duration {
	var list []time.Duration
	for _, s := range samples {
		if s.status == status {
			list = append(list, s.took)
		}
	}
	slices.Sort(list)
	return list
}

// quantile of sorted times; 0 of none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// bounds are what an overload may cost. Everything runs on one machine, the
// generator too: three times the load costs it three times the processor, so
// goodput is compared for equal shares of the machine. The short form has room
// for a machine that does other things besides.
type bounds struct {
	calm, press time.Duration // of the load at peak and of the overload
	goodput     float64       // least, of the peak
	refusal     float64       // share of the refusals that must be fast
}

// fastRefusal is how soon a refusal must be there, after what any answer takes
// on the machine at that time.
const fastRefusal = 50 * time.Millisecond

// TestOverloadIsRefusedFastAndPasses runs alone: it measures.
func TestOverloadIsRefusedFastAndPasses(t *testing.T) {
	b := bounds{calm: 2 * time.Second, press: 6 * time.Second, goodput: 0.25, refusal: 0.5}
	if *long {
		b = bounds{calm: 10 * time.Second, press: time.Minute, goodput: 0.8, refusal: 0.99}
	}
	p := newPressure(t, harness.Serve(t, harness.Options{Store: pgtest.Empty(t)}))
	p.peak(b.calm) // connections, plans, caches
	before := p.peak(b.calm)
	var samples []sample
	var probes []time.Duration
	goodput := p.goodput(func() {
		probes = p.probe(func() { samples = p.press(overloadFactor*before.done, b.press) })
	})
	recovered := p.recovery(before.done)
	after := p.peak(b.calm)
	peak := rate{(before.done + after.done) / 2, (before.left + after.left) / 2}
	kept := goodput.done / goodput.left / (peak.done / peak.left)
	refused, accepted := times(samples, http.StatusServiceUnavailable), times(samples, http.StatusCreated)
	t.Logf("peak %.0f/s, with %.0f %% of the machine; %d orders in %s; goodput %.0f/s (%.0f %%), with %.0f %% of the machine: %.0f %% for equal shares; as before after %v",
		peak.done, 100*peak.left, len(samples), b.press, goodput.done, 100*goodput.done/peak.done, 100*goodput.left, 100*kept, recovered)
	t.Logf("%d refused: p50 %v, p99 %v, max %v", len(refused), quantile(refused, 0.5), quantile(refused, 0.99), quantile(refused, 1))
	t.Logf("%d accepted: p50 %v, p99 %v, max %v", len(accepted), quantile(accepted, 0.5), quantile(accepted, 0.99), quantile(accepted, 1))
	t.Logf("%d probes: p50 %v, p99 %v, max %v", len(probes), quantile(probes, 0.5), quantile(probes, 0.99), quantile(probes, 1))
	if kept < b.goodput {
		t.Errorf("goodput is %.0f %% of peak", 100*kept)
	}
	if n := len(samples) - len(refused) - len(accepted); n > 0 || len(refused) == 0 {
		t.Errorf("%d refused, %d accepted, and %d neither", len(refused), len(accepted), n)
	}
	if slices.ContainsFunc(samples, func(s sample) bool { return s.status == http.StatusServiceUnavailable && s.bare }) {
		t.Error("a refusal does not say when to come again")
	}
	if slow, usual := quantile(refused, b.refusal), quantile(probes, b.refusal); slow > usual+fastRefusal {
		t.Errorf("%.0f %% of the refusals took up to %v, of the probes %v", 100*b.refusal, slow, usual)
	}
	if recovered > recoveryTime {
		t.Errorf("it took %v to be as fast as before", recovered)
	}
}

// recovery is how long after an overload all orders of a modest load are taken
// again and a new one is done soon.
func (p *pressure) recovery(peak float64) time.Duration {
	begin := time.Now()
	for {
		at := time.Since(begin)
		samples := p.press(peak/4, time.Second)
		started, err := p.c.Client(p.t).Workflows.StartOrder(p.t.Context(), order("tok_visa_4242"), coordination.WithWait(calmAnswer))
		if len(times(samples, http.StatusCreated)) == len(samples) && err == nil && started.Ended != nil {
			return at
		}
		if at > 2*recoveryTime {
			p.t.Fatalf("still not as before after %v", at)
		}
	}
}
