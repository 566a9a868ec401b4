package engine

import (
	"slices"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// Limits of the pump.
const (
	// DefaultConcurrency is how many commands a service gets at once.
	DefaultConcurrency = 64
	// MaxQueuedPerService bounds what waits for a service; beyond it a command
	// is deferred, which costs no attempt.
	MaxQueuedPerService = 20_000
	// queueFullDelay is how long a command is deferred when its service's queue is full.
	queueFullDelay = time.Second
)

// Service is a participant and how much it can take at once.
type Service struct {
	Participant    ports.Participant
	MaxConcurrency int // 0: DefaultConcurrency
}

// Pump is the way out: it gives committed commands to their participants, not
// more at once than each can take, and not at all while a participant's
// breaker is open. It is a step machine like Partition: call starts a delivery
// and must not block; its end comes in at Done. It may be used by several
// goroutines.
type Pump struct {
	call    func(domain.Dispatch)
	deliver func(domain.Dispatch, domain.Answer)
	again   func(domain.Dispatch)

	mu       sync.Mutex
	repeats  []repeat // what was sent and not yet answered, as far as is known here
	services map[string]*lane
	names    []string // of services, sorted: the order of every walk
}

// lane is what the pump knows of one service.
type lane struct {
	limit    int
	inFlight int
	queue    []queued
	breaker  breaker
}

// queued is a command that waits for its turn until by; then it is deferred
// while there is still no doubt that it was not sent.
type queued struct {
	cmd domain.Dispatch
	by  time.Time
}

// NewPump makes a pump for services with their concurrency limits. call begins
// a delivery; deliver takes the answer to the partition of its workflow; again
// asks it whether a command still wants to be sent (Partition.Repeat).
func NewPump(limits map[string]int, call func(domain.Dispatch), deliver func(domain.Dispatch, domain.Answer), again func(domain.Dispatch)) *Pump {
	p := &Pump{call: call, deliver: deliver, again: again, services: make(map[string]*lane, len(limits))}
	for name, limit := range limits {
		if limit <= 0 {
			limit = DefaultConcurrency
		}
		p.services[name] = &lane{limit: limit}
		p.names = append(p.names, name)
	}
	slices.Sort(p.names)
	return p
}

// Send delivers a command as soon as its service can take it. It must be called
// only with what is committed.
func (p *Pump) Send(now time.Time, cmd domain.Dispatch) {
	p.mu.Lock()
	l := p.services[cmd.Service]
	switch {
	case l == nil:
		p.mu.Unlock()
		p.deliver(cmd, domain.Answer{Outcome: domain.ContractError,
			Error: &domain.StepError{Code: "UNKNOWN_SERVICE", Message: "no participant is configured for " + cmd.Service}})
	case len(l.queue) >= MaxQueuedPerService:
		p.mu.Unlock()
		p.refuse(now, cmd, deferred("QUEUE_FULL", queueFullDelay))
	default:
		l.queue = append(l.queue, queued{cmd, now.Add(cmd.Deadline.Sub(now) / 2)})
		p.advance(now, l)
	}
}

// Done takes the end of a delivery: the answer, if there is one yet, goes on, the place is free.
func (p *Pump) Done(now time.Time, cmd domain.Dispatch, a domain.Answer) {
	p.mu.Lock()
	l := p.services[cmd.Service]
	l.inFlight--
	l.breaker.done(now, a.Outcome)
	if a.Outcome == domain.Sent {
		p.repeatLater(now, cmd)
	}
	p.advance(now, l)
	if a.Outcome != domain.Sent {
		p.refuse(now, cmd, a)
	}
}

// advance starts what can be started. It is called with the lock held and
// gives it up, since call and deliver may come back to the pump.
func (p *Pump) advance(now time.Time, l *lane) {
	var start, late []domain.Dispatch
	var shut []time.Duration
	for len(l.queue) > 0 && l.inFlight < l.limit {
		cmd := l.queue[0].cmd
		wait, open := l.breaker.open(now)
		switch {
		case open:
			late, shut = append(late, cmd), append(shut, wait)
		case !cmd.Deadline.After(now): // waited too long to be sent: certainly not done
			late, shut = append(late, cmd), append(shut, 0)
		default:
			l.breaker.start()
			l.inFlight++
			start = append(start, cmd)
		}
		l.queue[0] = queued{}
		if l.queue = l.queue[1:]; len(l.queue) == 0 {
			l.queue = nil
		}
	}
	p.mu.Unlock()
	for _, cmd := range start {
		p.call(cmd)
	}
	for i, cmd := range late {
		p.refuse(now, cmd, deferred("PARTICIPANT_UNAVAILABLE", shut[i]))
	}
}

// Expire defers what has waited for its turn for half of its time: before the
// step's own clock runs out and makes an unsent command look like a lost one.
// And it has repeated what was sent and not answered. Call it every ExpireEvery.
func (p *Pump) Expire(now time.Time) {
	var late []domain.Dispatch
	p.mu.Lock()
	for _, name := range p.names {
		l := p.services[name]
		kept := l.queue[:0]
		for _, q := range l.queue {
			if now.Before(q.by) {
				kept = append(kept, q)
			} else {
				late = append(late, q.cmd)
			}
		}
		clear(l.queue[len(kept):])
		l.queue = kept
	}
	due := p.takeRepeats(now)
	p.mu.Unlock()
	for _, cmd := range late {
		p.refuse(now, cmd, deferred("PARTICIPANT_BUSY", queueFullDelay))
	}
	for _, cmd := range due {
		p.again(cmd)
	}
}

// ExpireEvery is how often Expire must be called.
const ExpireEvery = 200 * time.Millisecond

func deferred(code string, wait time.Duration) domain.Answer {
	return domain.Answer{Outcome: domain.Deferred, RetryAfter: max(wait, 100*time.Millisecond), Error: &domain.StepError{Code: code}}
}

// Depth is how many commands wait to be sent.
func (p *Pump) Depth() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, l := range p.services {
		n += len(l.queue)
	}
	return n
}

// InFlight is how many deliveries are under way.
func (p *Pump) InFlight() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, l := range p.services {
		n += l.inFlight
	}
	return n
}

// Shut reports whether a service's breaker is open.
func (p *Pump) Shut(service string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.services[service]
	return l != nil && l.breaker.failures >= breakerThreshold && now.Before(l.breaker.until)
}
