package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
)

// pumped records what a pump starts and delivers.
type pumped struct {
	*Pump
	called    []string
	delivered []string
	asked     []domain.Dispatch
}

func newPumped(limit int) *pumped {
	p := &pumped{}
	p.Pump = NewPump(map[string]int{"service": limit},
		func(cmd domain.Dispatch) { p.called = append(p.called, cmd.CommandID) },
		func(cmd domain.Dispatch, a domain.Answer) {
			p.delivered = append(p.delivered, cmd.CommandID+" "+string(a.Outcome))
		},
		func(cmd domain.Dispatch) { p.asked = append(p.asked, cmd) })
	return p
}

var epoch = time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)

func command(id string) domain.Dispatch {
	return domain.Dispatch{Service: "service", CommandID: id, Deadline: epoch.Add(30 * time.Second)}
}

func TestPumpKeepsToTheConcurrencyLimit(t *testing.T) {
	t.Parallel()
	p := newPumped(2)
	for _, id := range []string{"a", "b", "c", "d"} {
		p.Send(epoch, command(id))
	}
	if got := fmt.Sprint(p.called, p.InFlight(), p.Depth()); got != "[a b] 2 2" {
		t.Errorf("started, in flight, queued: %s", got)
	}
	p.Done(epoch, command("b"), domain.Answer{Outcome: domain.Succeeded})
	if got := fmt.Sprint(p.called, p.delivered, p.InFlight(), p.Depth()); got != "[a b c] [b SUCCEEDED] 2 1" {
		t.Errorf("after one ended: %s", got)
	}
}

func TestPumpDefersWhatWaitedTooLong(t *testing.T) {
	t.Parallel()
	p := newPumped(1)
	p.Send(epoch, command("a"))
	p.Send(epoch, command("b"))
	p.Expire(epoch.Add(14 * time.Second))
	if len(p.delivered) != 0 {
		t.Errorf("deferred too early: %v", p.delivered)
	}
	p.Expire(epoch.Add(15 * time.Second))
	if got := fmt.Sprint(p.delivered, p.Depth()); got != "[b DEFERRED] 0" {
		t.Errorf("after half of its time: %s", got)
	}
}

func TestPumpDoesNotSendAfterTheDeadline(t *testing.T) {
	t.Parallel()
	p := newPumped(1)
	p.Send(epoch.Add(31*time.Second), command("a"))
	if got := fmt.Sprint(p.called, p.delivered); got != "[] [a DEFERRED]" {
		t.Errorf("started, delivered: %s", got)
	}
}

func TestPumpBoundsItsQueue(t *testing.T) {
	t.Parallel()
	p := newPumped(1)
	for i := range MaxQueuedPerService + 1 {
		p.Send(epoch, command(fmt.Sprint(i)))
	}
	if len(p.delivered) != 0 || p.Depth() != MaxQueuedPerService {
		t.Fatalf("%d queued, delivered %v", p.Depth(), p.delivered)
	}
	p.Send(epoch, command("last"))
	if got := fmt.Sprint(p.delivered); got != "[last DEFERRED]" {
		t.Errorf("one too many: %s", got)
	}
}

func TestUnknownServiceIsAContractError(t *testing.T) {
	t.Parallel()
	p := newPumped(1)
	cmd := command("a")
	cmd.Service = "nobody"
	p.Send(epoch, cmd)
	if got := fmt.Sprint(p.delivered); got != "[a CONTRACT_ERROR]" {
		t.Error(got)
	}
}

func TestBreakerOpensAndProbes(t *testing.T) {
	t.Parallel()
	p := newPumped(1)
	for i := range breakerThreshold {
		p.Send(epoch, command(fmt.Sprint(i)))
		p.Done(epoch, command(fmt.Sprint(i)), domain.Answer{Outcome: domain.Unknown})
	}
	p.called, p.delivered = nil, nil
	p.Send(epoch, command("shut out"))
	if got := fmt.Sprint(p.called, p.delivered, p.Shut("service", epoch)); got != "[] [shut out DEFERRED] true" {
		t.Errorf("open: %s", got)
	}
	now := epoch.Add(breakerFirst)
	p.Send(now, command("probe"))
	p.Send(now, command("behind the probe"))
	if got := fmt.Sprint(p.called, p.Depth()); got != "[probe] 1" {
		t.Errorf("half open: %s", got)
	}
	p.Done(now, command("probe"), domain.Answer{Outcome: domain.Retry})
	if got := fmt.Sprint(p.delivered, p.Shut("service", now.Add(breakerFirst))); got != "[shut out DEFERRED behind the probe DEFERRED probe RETRY] true" {
		t.Errorf("the probe failed, so it is open for twice as long: %s", got)
	}
	now = now.Add(2 * breakerFirst)
	p.Send(now, command("second probe"))
	p.Done(now, command("second probe"), domain.Answer{Outcome: domain.Rejected})
	p.Send(now, command("x"))
	if got := fmt.Sprint(p.called, p.Shut("service", now)); got != "[probe second probe x] false" {
		t.Errorf("closed again: %s", got)
	}
}

func TestPumpRepeatsWhatIsNotAnswered(t *testing.T) {
	t.Parallel()
	p := newPumped(2)
	cmd := command("a")
	p.Send(epoch, cmd)
	p.Done(epoch, cmd, domain.Answer{Outcome: domain.Sent})
	now := epoch
	for i, wait := range []time.Duration{RepeatAfter, 2 * RepeatAfter} { // the third would be past the deadline
		p.Expire(now.Add(wait - 1))
		if len(p.asked) != i {
			t.Fatalf("asked %v before %v were over", p.asked, wait)
		}
		now = now.Add(wait)
		p.Expire(now)
		if len(p.asked) != i+1 || p.asked[i].Repeats != i+1 {
			t.Fatalf("asked %+v after %v", p.asked, wait)
		}
		p.Send(now, p.asked[i])
		// That the bus is down now says nothing of what it took before.
		p.Done(now, p.asked[i], domain.Answer{Outcome: []domain.Outcome{domain.Sent, domain.Deferred}[i]})
	}
	p.Expire(epoch.Add(time.Hour))
	if len(p.asked) != 2 || len(p.called) != 3 || len(p.delivered) != 0 {
		t.Errorf("asked %d times, called %v, delivered %v", len(p.asked), p.called, p.delivered)
	}
}
