package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

func TestEveryEventArrivesOnceAndInOrder(t *testing.T) {
	t.Parallel()
	onStage(t, func(t *testing.T, b *stage) {
		w := b.subscribe(1, "shop.example.com")
		d := b.dispatcher()
		for n := range 10 {
			b.complete(n)
			d.Wake()
		}
		b.after(time.Second)
		last := map[string]int{}
		for _, r := range b.requests("shop.example.com") {
			var at, seq int
			for n, flow := range b.flows {
				if strings.Contains(r.body, n) {
					_, all := flow.payloads()
					at = slices.IndexFunc(all, func(p payload) bool { return r.header.Get("Webhook-Id") == p.id })
					seq = last[n] + 1
					last[n] = seq
				}
			}
			if at != seq-1 {
				t.Errorf("event %d arrived as number %d: %s", at+1, seq, r.body)
			}
		}
		if got := len(b.requests("shop.example.com")); got != 10*toldOfAnOrder {
			t.Errorf("%d requests", got)
		}
		b.settled(w.ID, 10*toldOfAnOrder, ports.DeliveryDelivered)
		if len(b.told) != 10*toldOfAnOrder || b.told[0].Status != ports.DeliveryDelivered || b.told[0].ResponseStatus != 204 {
			t.Errorf("told of %d attempts, the first %+v", len(b.told), b.told[0])
		}
	})
}

func TestWhatIsCommittedHereIsSentAtOnceAndElsewhereSoon(t *testing.T) {
	t.Parallel()
	onStage(t, func(t *testing.T, b *stage) {
		b.subscribe(1, "shop.example.com")
		d := b.dispatcher()
		b.after(10*time.Second + 300*time.Millisecond)
		for n, limit := range map[int]time.Duration{1: 20 * time.Millisecond, 2: DefaultPollEvery * 3 / 2} {
			began := time.Now()
			b.start(n)
			if n == 1 {
				d.Wake()
			}
			b.after(limit)
			got := b.requests("shop.example.com")
			if len(got) == 0 || got[len(got)-1].at.Sub(began) > limit {
				t.Errorf("%d requests within %s", len(got), limit)
			}
			b.after(7 * time.Second)
		}
	})
}

func TestFailedAttemptsFollowTheSchedule(t *testing.T) {
	t.Parallel()
	onStage(t, func(t *testing.T, b *stage) {
		b.receives("shop.example.com", 500)
		w := b.subscribe(1, "shop.example.com")
		b.dispatcher(patient)
		b.start(1)
		b.after(4 * 24 * time.Hour)
		got := b.requests("shop.example.com")
		if len(got) != len(schedule) {
			t.Fatalf("%d attempts", len(got))
		}
		for i := 1; i < len(got); i++ {
			wait, least := got[i].at.Sub(got[i-1].at), schedule[i]
			if most := least + least/5 + 2*patience; wait < least || wait > most {
				t.Errorf("attempt %d follows after %s, want %s to %s", i+1, wait, least, most)
			}
			if got[i].body != got[0].body || got[i].header.Get("Webhook-Id") != got[0].header.Get("Webhook-Id") {
				t.Errorf("attempt %d is another: %s", i+1, got[i].body)
			}
		}
		b.settled(w.ID, 1, ports.DeliveryFailed)
		if d := b.deliveries(w.ID)[0]; d.Attempts != len(schedule) || d.ResponseStatus != 500 || d.Error != "answered 500" {
			t.Errorf("%+v", d)
		}
	})
}

func TestRetryAfterIsHonouredUpToADay(t *testing.T) {
	t.Parallel()
	for header, least := range map[string]time.Duration{"60": time.Minute, "1": 5 * time.Second, "1000000000": 24 * time.Hour, "soon": 5 * time.Second} {
		t.Run(header, func(t *testing.T) {
			t.Parallel()
			onStage(t, func(t *testing.T, b *stage) {
				b.receivers["shop.example.com"] = func(*http.Request) (*http.Response, error) { return answer(429, "Retry-After", header), nil }
				w := b.subscribe(1, "shop.example.com")
				b.dispatcher()
				b.start(1)
				b.after(2 * time.Second)
				d := b.deliveries(w.ID)[0]
				if wait := d.NextAttemptAt.Sub(d.LastAttemptAt); wait < least || wait > least+least/5 || d.Status != ports.DeliveryRetrying {
					t.Errorf("%s, again after %s, want %s", d.Status, wait, least)
				}
			})
		})
	}
}

func TestGoneDisablesAtOnce(t *testing.T) {
	t.Parallel()
	onStage(t, func(t *testing.T, b *stage) {
		b.receives("shop.example.com", 410)
		w := b.subscribe(1, "shop.example.com")
		other := b.subscribe(2, "other.example.com")
		b.complete(1)
		b.dispatcher()
		b.after(3 * time.Second)
		got := b.webhook(w.ID)
		if got.Active || got.Disabled != reasonGone || len(b.requests("shop.example.com")) != 1 {
			t.Errorf("after %d requests it is active %t, disabled %q", len(b.requests("shop.example.com")), got.Active, got.Disabled)
		}
		b.settled(w.ID, toldOfAnOrder, ports.DeliveryFailed)
		b.settled(other.ID, toldOfAnOrder, ports.DeliveryDelivered)
		if d := b.deliveries(w.ID)[0]; d.ResponseStatus != 410 || d.Attempts != 1 {
			t.Errorf("%+v", d)
		}
		if !slices.Equal(b.disabled, []string{w.ID}) || !strings.Contains(b.log.String(), "webhook disabled") {
			t.Errorf("told of %v, logged %s", b.disabled, b.log)
		}
		b.start(2)
		b.after(3 * time.Second)
		if len(b.requests("shop.example.com")) != 1 {
			t.Error("a disabled subscription is sent to")
		}
	})
}

func TestFiveDaysOfFailureDisable(t *testing.T) {
	t.Parallel()
	onStage(t, func(t *testing.T, b *stage) {
		b.receives("dead.example.com", 503)
		b.receives("ill.example.com", 503, 503, 503, 503, 204, 503)
		dead, ill := b.subscribe(1, "dead.example.com"), b.subscribe(2, "ill.example.com")
		b.dispatcher(patient)
		b.start(1)
		b.after(DisableAfter - time.Hour)
		if w := b.webhook(dead.ID); !w.Active || w.FailingSince.IsZero() {
			t.Errorf("before five days: %+v", w)
		}
		b.start(2)
		b.after(2 * time.Hour)
		if w := b.webhook(dead.ID); w.Active || w.Disabled != reasonFailed {
			t.Errorf("after five days: active %t, %q", w.Active, w.Disabled)
		}
		if w := b.webhook(ill.ID); !w.Active {
			t.Errorf("disabled although something arrived: %q", w.Disabled)
		}
	})
}

// TestAHangingReceiverDelaysNobodyElse: it holds its own share only, of many.
func TestAHangingReceiverDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	onStage(t, func(t *testing.T, b *stage) {
		const hosts = 50
		b.hangs("host-0.example.com")
		for n := range hosts {
			b.subscribe(n+1, fmt.Sprintf("host-%d.example.com", n))
		}
		d := b.dispatcher()
		b.after(100 * time.Millisecond)
		for n := range 40 {
			began := time.Now()
			b.start(n + 1)
			d.Wake()
			b.after(50 * time.Millisecond)
			for host := 1; host < hosts; host++ {
				got := b.requests(fmt.Sprintf("host-%d.example.com", host))
				if len(got) != n+1 || got[n].at.Sub(began) > 20*time.Millisecond {
					t.Fatalf("workflow %d, host %d: %d requests", n, host, len(got))
				}
			}
		}
		if got := len(b.requests("host-0.example.com")); got > DefaultPerEndpoint {
			t.Errorf("the one that hangs holds %d attempts", got)
		}
	})
}

func TestTheLimitsHoldAndWhatFailsIsTriedOneByOne(t *testing.T) {
	t.Parallel()
	onStage(t, func(t *testing.T, b *stage) {
		for n := range 5 {
			host := fmt.Sprintf("host-%d.example.com", n)
			b.hangs(host)
			b.subscribe(n+1, host)
		}
		d := b.dispatcher(func(cfg *Config, _ *Deps) { cfg.PerEndpoint, cfg.InFlight = 3, 10 })
		for n := range 20 {
			b.start(n + 1)
		}
		d.Wake()
		b.after(time.Second)
		if len(b.got) != 10 {
			t.Errorf("%d attempts are under way, of 10 that may be", len(b.got))
		}
		for n := range 5 {
			if got := len(b.requests(fmt.Sprintf("host-%d.example.com", n))); got < 1 || got > 3 {
				t.Errorf("host %d has %d", n, got)
			}
		}
		b.after(AttemptTimeout) // all have failed: one each from now on
		before := len(b.got)
		b.after(time.Second)
		if more := len(b.got) - 10; more != 5 || before > 15 {
			t.Errorf("%d more attempts after all receivers failed, want one each", more)
		}
	})
}

// TestARepairedReceiverGetsItsFullShareAgain after the first success.
func TestARepairedReceiverGetsItsFullShareAgain(t *testing.T) {
	t.Parallel()
	onStage(t, func(t *testing.T, b *stage) {
		b.receives("shop.example.com", 500, 500, 204)
		w := b.subscribe(1, "shop.example.com")
		b.dispatcher()
		for n := range 30 {
			b.start(n + 1)
		}
		b.after(20 * time.Second)
		b.settled(w.ID, 30, ports.DeliveryDelivered)
		if got := b.webhook(w.ID); !got.FailingSince.IsZero() {
			t.Errorf("still failing since %s", got.FailingSince)
		}
	})
}

func TestReplicasShareTheWork(t *testing.T) {
	t.Parallel()
	onStage(t, func(t *testing.T, b *stage) {
		w := b.subscribe(1, "shop.example.com")
		for range 3 {
			b.dispatcher()
		}
		for n := range 20 {
			b.complete(n + 1)
		}
		b.after(30 * time.Second)
		b.settled(w.ID, 20*toldOfAnOrder, ports.DeliveryDelivered)
		if got := len(b.requests("shop.example.com")); got != 20*toldOfAnOrder {
			t.Errorf("%d requests for %d events", got, 20*toldOfAnOrder)
		}
	})
}

// TestWhatADeadReplicaHeldIsSentAgainTheSame: same id, same bytes.
func TestWhatADeadReplicaHeldIsSentAgainTheSame(t *testing.T) {
	t.Parallel()
	onStage(t, func(t *testing.T, b *stage) {
		w := b.subscribe(1, "shop.example.com")
		deaf := &deafStore{Store: b.store}
		dead := b.dispatcher(func(_ *Config, deps *Deps) { deps.Store = deaf })
		b.start(1)
		b.after(2 * time.Second) // it has sent the event, and nobody records it
		deaf.die()
		b.dispatcher()
		b.after(DefaultLease / 2)
		if got := len(b.requests("shop.example.com")); got != 1 {
			t.Fatalf("%d requests before the lease has run out", got)
		}
		b.after(DefaultLease)
		got := b.requests("shop.example.com")
		if len(got) != 2 || got[0].body != got[1].body || got[0].header.Get("Webhook-Id") != got[1].header.Get("Webhook-Id") {
			t.Errorf("got %d requests: %v", len(got), got)
		}
		b.settled(w.ID, 1, ports.DeliveryDelivered)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := dead.Close(ctx); !errors.Is(err, ports.ErrUnavailable) {
			t.Errorf("the dead one closes with %v", err)
		}
	})
}

// deafStore takes claims but records nothing; when it has died it does nothing.
type deafStore struct {
	Store
	dead bool
}

func (s *deafStore) die() { s.dead = true }

func (s *deafStore) SettleDeliveries(context.Context, string, []ports.Attempt) error {
	return ports.ErrUnavailable
}

func (s *deafStore) Renew(ctx context.Context, replica string, ttl time.Duration) error {
	if s.dead {
		return ports.ErrUnavailable
	}
	return s.Store.Renew(ctx, replica, ttl)
}

func (s *deafStore) ClaimDeliveries(ctx context.Context, replica string, room map[string]int) ([]ports.Delivery, error) {
	if s.dead {
		return nil, ports.ErrUnavailable
	}
	return s.Store.ClaimDeliveries(ctx, replica, room)
}

func (s *deafStore) Release(ctx context.Context, replica string) error {
	if s.dead {
		return ports.ErrUnavailable
	}
	return s.Store.Release(ctx, replica)
}

// TestAClaimWhoseAnswerIsLostIsMadeGood although nobody takes from a live holder.
func TestAClaimWhoseAnswerIsLostIsMadeGood(t *testing.T) {
	t.Parallel()
	onStage(t, func(t *testing.T, b *stage) {
		w := b.subscribe(1, "shop.example.com")
		b.dispatcher(func(_ *Config, deps *Deps) { deps.Store = &mumblingStore{Store: b.store, lost: 1} })
		b.complete(1)
		b.after(storeTimeout + 5*time.Second)
		b.settled(w.ID, toldOfAnOrder, ports.DeliveryDelivered)
	})
}

// mumblingStore claims without saying what; it settles late.
type mumblingStore struct {
	Store
	lost, unsettled int
}

func (s *mumblingStore) ClaimDeliveries(ctx context.Context, replica string, room map[string]int) ([]ports.Delivery, error) {
	list, err := s.Store.ClaimDeliveries(ctx, replica, room)
	if len(list) > 0 && s.lost > 0 {
		s.lost--
		return nil, ports.ErrUnavailable
	}
	return list, err
}

func (s *mumblingStore) SettleDeliveries(ctx context.Context, replica string, attempts []ports.Attempt) error {
	if s.unsettled > 0 {
		s.unsettled--
		return ports.ErrUnavailable
	}
	return s.Store.SettleDeliveries(ctx, replica, attempts)
}

func TestAStoreThatFailsForAWhileCostsNoSecondAttempt(t *testing.T) {
	t.Parallel()
	onStage(t, func(t *testing.T, b *stage) {
		w := b.subscribe(1, "shop.example.com")
		b.dispatcher(func(_ *Config, deps *Deps) { deps.Store = &mumblingStore{Store: b.store, unsettled: 6} })
		b.start(1)
		b.after(20 * time.Second)
		b.settled(w.ID, 1, ports.DeliveryDelivered)
		if got := len(b.requests("shop.example.com")); got != 1 {
			t.Errorf("%d requests", got)
		}
	})
}

func TestAPanicCostsOneAttempt(t *testing.T) {
	t.Parallel()
	onStage(t, func(t *testing.T, b *stage) {
		calls := 0
		b.receivers["shop.example.com"] = func(*http.Request) (*http.Response, error) {
			b.mu.Lock()
			calls++
			first := calls == 1
			b.mu.Unlock()
			if first {
				panic("poison")
			}
			return answer(200), nil
		}
		w := b.subscribe(1, "shop.example.com")
		b.dispatcher()
		b.complete(1)
		b.after(10 * time.Second)
		b.settled(w.ID, toldOfAnOrder, ports.DeliveryDelivered)
		if !strings.Contains(b.log.String(), "panic") {
			t.Error("nothing is logged")
		}
	})
}

func TestWorkflowsThatAreGoneAreGivenUp(t *testing.T) {
	t.Parallel()
	onStage(t, func(t *testing.T, b *stage) {
		w := b.subscribe(1, "shop.example.com")
		b.start(1)
		delete(b.flows, contracttests.WorkflowID(1))
		b.dispatcher()
		b.after(2 * time.Second)
		b.settled(w.ID, 1, ports.DeliveryFailed)
		if d := b.deliveries(w.ID)[0]; d.Error != "the workflow is no longer kept" || len(b.got) > 0 {
			t.Errorf("%q after %d requests", d.Error, len(b.got))
		}
	})
}

func TestStopLetsWhatIsUnderWayEnd(t *testing.T) {
	t.Parallel()
	onStage(t, func(t *testing.T, b *stage) {
		b.receivers["shop.example.com"] = func(*http.Request) (*http.Response, error) {
			time.Sleep(3 * time.Second)
			return answer(200), nil
		}
		w := b.subscribe(1, "shop.example.com")
		d := b.dispatcher()
		b.start(1)
		b.after(2 * time.Second)
		b.start(2)
		d.Wake()
		if err := d.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if list := b.deliveries(w.ID); list[0].Status != ports.DeliveryDelivered || list[1].Status != ports.DeliveryPending {
			t.Errorf("what was under way is %s, what was not %s", list[0].Status, list[1].Status)
		}
		if err := d.Close(t.Context()); err != nil || d.Start(t.Context()) != nil {
			t.Errorf("a second Close, and a Start after it: %v", err)
		}
	})
}

// TestStopInTimeLeavesTheRestToOthers: at once, not when a lease has run out.
func TestStopInTimeLeavesTheRestToOthers(t *testing.T) {
	t.Parallel()
	onStage(t, func(t *testing.T, b *stage) {
		b.hangs("shop.example.com")
		w := b.subscribe(1, "shop.example.com")
		d := b.dispatcher()
		b.start(1)
		b.after(2 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := d.Close(ctx); err != nil || time.Since(began) > time.Second {
			t.Errorf("closed after %s: %v", time.Since(began), err)
		}
		if got := b.deliveries(w.ID)[0]; got.Attempts != 0 || !b.webhook(w.ID).FailingSince.IsZero() {
			t.Errorf("what was cut off counts against the receiver: %+v", got)
		}
		b.receives("shop.example.com", 204)
		b.dispatcher()
		b.after(2 * time.Second)
		b.settled(w.ID, 1, ports.DeliveryDelivered)
	})
}

func TestEverySecretThatHasNotExpiredSigns(t *testing.T) {
	t.Parallel()
	onStage(t, func(t *testing.T, b *stage) {
		now, old, older := NewSecret(), NewSecret(), NewSecret()
		w := b.subscribe(1, "shop.example.com", now, old, older)
		w.Secrets[1].Until, w.Secrets[2].Until = time.Now().Add(time.Minute), time.Now().Add(-time.Minute)
		w.Version++
		b.save(w)
		b.dispatcher()
		check := func(n int, signing ...bool) {
			b.start(n)
			b.after(2 * time.Second)
			got := b.requests("shop.example.com")
			r := got[len(got)-1]
			for i, s := range []webhook.Secret{now, old, older} {
				if err := webhook.Verify(r.header, []byte(r.body), time.Now(), s); (err == nil) != signing[i] {
					t.Errorf("request %d, secret %d: %v", n, i, err)
				}
			}
			if err := webhook.VerifySeal([]byte(r.body), now); err != nil {
				t.Errorf("request %d is not sealed by the current secret: %v", n, err)
			}
		}
		check(1, true, true, false)
		b.after(time.Minute)
		check(2, true, false, false)
	})
}

func TestWhatCannotBeSignedIsNotSent(t *testing.T) {
	t.Parallel()
	onStage(t, func(t *testing.T, b *stage) {
		lost, good := b.subscribe(1, "lost.example.com"), b.subscribe(2, "good.example.com")
		lost.Secrets = []ports.SealedSecret{b.sealed(good.ID, NewSecret())} // of another
		lost.Version++
		b.save(lost)
		b.dispatcher()
		b.complete(1)
		b.after(20 * time.Second)
		b.settled(good.ID, toldOfAnOrder, ports.DeliveryDelivered)
		b.settled(lost.ID, toldOfAnOrder, ports.DeliveryPending)
		if n := strings.Count(b.log.String(), "cannot be signed"); n != 1 {
			t.Errorf("said %d times", n)
		}
		lost.Secrets, lost.Version = []ports.SealedSecret{b.sealed(lost.ID, NewSecret())}, lost.Version+1
		b.save(lost)
		b.after(5 * time.Second)
		b.settled(lost.ID, toldOfAnOrder, ports.DeliveryDelivered)
	})
}

func TestWhatIsAskedForAgainIsSentAgainTheSame(t *testing.T) {
	t.Parallel()
	onStage(t, func(t *testing.T, b *stage) {
		w := b.subscribe(1, "shop.example.com")
		b.dispatcher()
		b.start(1)
		b.after(2 * time.Second)
		if err := b.store.Redeliver(t.Context(), b.deliveries(w.ID)[0].DeliveryKey, nil, nil); err != nil {
			t.Fatal(err)
		}
		b.after(2 * time.Second)
		got := b.requests("shop.example.com")
		if len(got) != 2 || got[0].body != got[1].body || got[0].header.Get("Webhook-Id") != got[1].header.Get("Webhook-Id") {
			t.Errorf("%v", got)
		}
		b.settled(w.ID, 1, ports.DeliveryDelivered)
	})
}

// TestWhatWasGivenUpGetsAllAttemptsAgain when it is asked for again.
func TestWhatWasGivenUpGetsAllAttemptsAgain(t *testing.T) {
	t.Parallel()
	d := ports.Delivery{Status: ports.DeliveryPending, Attempts: len(schedule)}
	failed := outcome{status: 500, fault: "answered 500"}
	now := storyBegins
	for round := range 3 {
		for place := 1; place < len(schedule); place++ {
			a := verdict(&d, failed, now, now, 0)
			if a.Status != ports.DeliveryRetrying || a.NextAttemptAt.Sub(now) != schedule[place] {
				t.Errorf("round %d, attempt %d: %s, after %s", round, place, a.Status, a.NextAttemptAt.Sub(now))
			}
			d.Attempts++
		}
		if a := verdict(&d, failed, now, now, 0); a.Status != ports.DeliveryFailed {
			t.Errorf("round %d: %s", round, a.Status)
		}
		d.Attempts++
	}
}

func TestASubscriptionOfThisReplicaIsKnownAtOnce(t *testing.T) {
	t.Parallel()
	onStage(t, func(t *testing.T, b *stage) {
		d := b.dispatcher()
		b.after(5*time.Second + 500*time.Millisecond)
		b.subscribe(1, "shop.example.com")
		d.Refresh()
		b.after(20 * time.Millisecond)
		b.start(1)
		d.Wake()
		b.after(20 * time.Millisecond)
		if len(b.got) != 1 {
			t.Errorf("%d requests", len(b.got))
		}
	})
}

// TestNobodyToSendToCostsNothing: commits wake nobody up.
func TestNobodyToSendToCostsNothing(t *testing.T) {
	t.Parallel()
	onStage(t, func(t *testing.T, b *stage) {
		counting := &countingStore{Store: b.store}
		d := b.dispatcher(func(_ *Config, deps *Deps) { deps.Store = counting })
		b.after(10 * time.Second)
		for range 100 {
			d.Wake()
			b.after(roundPause)
		}
		if counting.claims > 0 || counting.reads > 8 {
			t.Errorf("%d claims, %d reads", counting.claims, counting.reads)
		}
	})
}

type countingStore struct {
	Store
	claims, reads int
}

func (s *countingStore) ClaimDeliveries(ctx context.Context, replica string, room map[string]int) ([]ports.Delivery, error) {
	s.claims++
	return s.Store.ClaimDeliveries(ctx, replica, room)
}

func (s *countingStore) Webhooks(ctx context.Context) ([]ports.Webhook, error) {
	s.reads++
	return s.Store.Webhooks(ctx)
}

func TestNewWantsItsDependencies(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{}, Deps{}); err == nil {
		t.Error("made of nothing")
	}
	synctest.Test(t, func(t *testing.T) {
		b := newStage(t)
		b.store.Close()
		d, err := New(Config{Guard: nil}, Deps{Store: b.store})
		if err == nil || d != nil {
			t.Error("made without a guard")
		}
	})
}
