package e2e_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/postgres/pgtest"
	"github.com/firstviscount/platform-coordination/app/e2e/harness"
)

// maxKillDelay is the longest random pause between the order that a kill waits
// for and the kill, so that it does not always hit the same moment.
const maxKillDelay = 60 * time.Millisecond

// size is short, or long if that was asked for.
func size(short, full int) int {
	if *long {
		return full
	}
	return short
}

// TestChaosOneProcess kills the only coordinator of a SQLite file again and
// again while it has orders under way, and starts it at once each time.
func TestChaosOneProcess(t *testing.T) {
	t.Parallel()
	kill(t, size(60, 500), size(5, 50), stores["sqlite"](t), 1)
}

// TestChaosTwoReplicas kills the two coordinators of a Postgres database in turn.
func TestChaosTwoReplicas(t *testing.T) {
	t.Parallel()
	kill(t, size(60, 500), size(5, 50), pgtest.Empty(t), 2)
}

func kill(t *testing.T, orders, kills int, store string, replicas int) {
	shop := harness.OpenShop(t)
	all := serveAll(t, replicas, harness.Options{Store: store, Participants: shop.File, Lease: harness.ShortLease})
	l := startLoad(t, shop, orders, all...)
	choice := random(t, 2)
	for i := range kills {
		l.acknowledged((i + 1) * orders / (kills + 1))
		victim := all[i%replicas]
		pause(choice)
		victim.Kill(t)
		if *long && i%5 == 4 { // the participants die too, now and then
			shop.Kill(t)
			shop.Restart(t)
		}
		victim.Restart(t)
	}
	l.verdict(orders)
}

// serveAll starts replicas that share an address for callbacks.
func serveAll(t *testing.T, n int, o harness.Options) []*harness.Coordinator {
	t.Helper()
	o.Callbacks = harness.NewBalancer(t)
	all := make([]*harness.Coordinator, n)
	for i := range all {
		all[i] = harness.Serve(t, o)
	}
	return all
}

// pause waits a random moment: the fault comes when nobody expects it.
func pause(choice *rand.Rand) { time.Sleep(time.Duration(choice.Int64N(int64(maxKillDelay)))) }

// TestStoppedReplica stops one of two replicas in its tracks until its lease is
// long over and the other one has taken its work, and lets it go on in the
// belief that nothing has happened.
func TestStoppedReplica(t *testing.T) {
	t.Parallel()
	orders, stops := size(60, 400), size(2, 20)
	shop := harness.OpenShop(t)
	all := serveAll(t, 2, harness.Options{Store: pgtest.Empty(t), Participants: shop.File, Lease: harness.ShortLease})
	l := startLoad(t, shop, orders, all...)
	choice := random(t, 3)
	for i := range stops {
		l.acknowledged((i + 1) * orders / (stops + 2))
		victim := all[i%2]
		pause(choice)
		stopped := time.Now()
		victim.Pause()
		l.acknowledged((i+1)*orders/(stops+2) + 2)
		time.Sleep(time.Until(stopped.Add(3 * harness.ShortLease))) // past the lease is what this is about
		victim.Continue()
		victim.AwaitReady(t)
	}
	l.verdict(orders)
}

// drainTimeout of the coordinators that are terminated, and what the process
// may take on top of it to be gone.
const (
	drainTimeout = 8 * time.Second
	exitMargin   = 4 * time.Second
)

// TestTerminatedReplica ends one of two replicas under load, as an orchestrator
// of containers does.
func TestTerminatedReplica(t *testing.T) {
	t.Parallel()
	terminate(t, pgtest.Empty(t), 2, false)
}

// TestTerminatedProcess ends the only coordinator under load and starts it again.
func TestTerminatedProcess(t *testing.T) {
	t.Parallel()
	terminate(t, stores["sqlite"](t), 1, true)
}

func terminate(t *testing.T, store string, replicas int, restart bool) {
	orders := size(60, 500)
	shop := harness.OpenShop(t)
	all := serveAll(t, replicas, harness.Options{Store: store, Participants: shop.File, Lease: harness.ShortLease, Drain: drainTimeout})
	l := startLoad(t, shop, orders, all...)
	l.acknowledged(orders / 3)
	victim := all[0]
	begun := time.Now()
	victim.Terminate()
	if code := victim.Wait(t, drainTimeout+exitMargin); code != 0 {
		t.Errorf("exit code %d", code)
	}
	t.Logf("drained in %s", time.Since(begun).Round(time.Millisecond))
	if restart {
		victim.Restart(t)
	}
	l.verdict(orders)
}
