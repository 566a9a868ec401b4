package contracttests

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// shortWindow ends while a rule waits for it.
const shortWindow = 40 * time.Millisecond

// quotaRules: a limit holds over all replicas.
func quotaRules() []StoreRule {
	return []StoreRule{
		rule("LeaseQuota: takes up to n uses of key out of its window", leasesUpToN),
		rule("LeaseQuota: a window begins with the first use after the last window ended", windowsBegin),
		rule("LeaseQuota: never more than limit are granted in one window, over all replicas", quotaHolds),
		rule("LeaseQuota: never more than limit are granted in one window, while windows end", quotaHoldsOverWindows),
		rule("LeaseQuota: no call is granted more than its own limit leaves, whatever the limits of others", quotaLimitsDiffer),
		rule("LeaseQuota: each key has a window of its own", quotaKeys),
		rule("LeaseQuota: what takes no use begins no window", emptyLeases),
		rule("QuotaLease: EndsIn is until the window ends, by the store's clock; above 0", quotaEndsIn),
	}
}

// lease leases, and checks what holds for every lease.
func (p *probe) lease(key string, limit, n int, window time.Duration) ports.QuotaLease {
	l, err := p.store.LeaseQuota(p.ctx, key, limit, n, window)
	p.must(err, "LeaseQuota")
	if what := wrongLease(l, limit, n, window); what != "" {
		p.failf("a lease of %d of %d in %v is %+v: %s", n, limit, window, l, what)
	}
	return l
}

// wrongLease says what cannot be right about a lease, if anything.
func wrongLease(l ports.QuotaLease, limit, n int, window time.Duration) string {
	switch {
	case l.Granted < 0 || l.Granted > n:
		return "Granted is not 0 to n"
	case l.Granted+l.Remaining > limit || l.Remaining < 0:
		return "Granted and Remaining do not fit the limit"
	case l.EndsIn <= 0 || l.EndsIn > window:
		return "EndsIn is not within the window"
	}
	return ""
}

// leased expects what a lease grants and leaves in a window of an hour.
func (p *probe) leased(key string, limit, n, granted, remaining int) {
	l := p.lease(key, limit, n, time.Hour)
	p.want(l.Granted == granted && l.Remaining == remaining, "of %d of %d, %d were granted and %d left, want %d and %d",
		n, limit, l.Granted, l.Remaining, granted, remaining)
}

func leasesUpToN(p *probe) {
	p.leased("k", 100, 30, 30, 70)
	p.leased("k", 100, 1, 1, 69)
	p.leased("k", 100, 69, 69, 0)
	p.leased("k", 100, 10, 0, 0)
	p.leased("half", 100, 60, 60, 40)
	p.leased("half", 100, 60, 40, 0)
	p.leased("all", 5, 1000, 5, 0)
	strange := strings.Repeat(`ünï "q" 'q' % _ `, 10)
	p.leased(strange, 2, 1, 1, 1)
	p.leased(strange, 2, 1, 1, 0)
}

func windowsBegin(p *probe) {
	for range 3 {
		first := p.lease("k", 3, 2, shortWindow)
		p.want(first.Granted == 2 && first.Remaining == 1, "a new window grants %d and leaves %d", first.Granted, first.Remaining)
		p.eventually("the end of the window", func() bool { return p.lease("k", 3, 0, shortWindow).Remaining == 3 })
	}
	p.lease("idle", 1, 1, time.Microsecond)
	p.eventually("a use after the window has ended", func() bool {
		l := p.lease("idle", 1, 1, time.Hour)
		p.want(l.Granted == 0 || time.Hour-l.EndsIn < time.Minute, "a window of an hour that begins ends in %v", l.EndsIn)
		return l.Granted == 1
	})
	p.want(p.lease("idle", 1, 1, time.Hour).Granted == 0, "a window of an hour ended at once")
}

func quotaHolds(p *probe) {
	const each = 25
	for _, f := range []struct{ limit, n int }{{1000, 7}, {50, 1}, {10, 100}} {
		key := fmt.Sprint("key-", f.limit)
		leases := p.hammer(each, func() (ports.QuotaLease, error) { return p.store.LeaseQuota(p.ctx, key, f.limit, f.n, time.Hour) })
		granted := 0
		seen := map[int]bool{}
		for _, l := range leases {
			p.want(wrongLease(l, f.limit, f.n, time.Hour) == "", "a concurrent lease of %d of %d is %+v", f.n, f.limit, l)
			granted += l.Granted
			p.want(l.Granted == 0 || !seen[l.Remaining], "two leases left the same: %+v", l)
			seen[l.Remaining] = seen[l.Remaining] || l.Granted > 0
		}
		want := min(f.limit, f.n*len(leases))
		p.want(granted == want, "%d leases of %d were granted %d of %d, want %d", len(leases), f.n, granted, f.limit, want)
	}
}

// hammer calls from all racers at once, each so often.
func (p *probe) hammer(each int, call func() (ports.QuotaLease, error)) []ports.QuotaLease {
	var mu sync.Mutex
	var leases []ports.QuotaLease
	var failed error
	together(racers, func(int) {
		for range each {
			l, err := call()
			mu.Lock()
			if err != nil {
				failed = err
			}
			leases = append(leases, l)
			mu.Unlock()
		}
	})
	p.must(failed, "a concurrent LeaseQuota")
	return leases
}

// quotaHoldsOverWindows counts windows by the leases that began one: these left
// all but what they took. Within a window no two leases leave the same.
func quotaHoldsOverWindows(p *probe) {
	const limit, n = 60, 3
	left := map[int]int{} // leases by what they left
	granted := 0
	begin := time.Now()
	p.eventually("five windows", func() bool {
		leases := p.hammer(10, func() (ports.QuotaLease, error) { return p.store.LeaseQuota(p.ctx, "k", limit, n, shortWindow) })
		for _, l := range leases {
			p.want(wrongLease(l, limit, n, shortWindow) == "", "a lease of %d of %d is %+v", n, limit, l)
			granted += l.Granted
			if l.Granted > 0 {
				left[l.Remaining]++
			}
		}
		return left[limit-n] >= 5
	})
	windows := left[limit-n]
	p.want(windows <= int(time.Since(begin)/shortWindow)+2, "%d windows of %v began within %v", windows, shortWindow, time.Since(begin))
	p.want(granted <= windows*limit, "%d windows of %d granted %d", windows, limit, granted)
	for remaining, times := range left {
		p.want(times <= windows, "in %d windows %d leases left %d", windows, times, remaining)
	}
}

// quotaLimitsDiffer compares with a counter, as if roles changed all the time.
func quotaLimitsDiffer(p *probe) {
	random := rand.New(rand.NewPCG(7, 7))
	for key := range 4 {
		used := 0
		for range 60 {
			limit, n := random.IntN(200), 1+random.IntN(20)
			granted := max(0, min(n, limit-used))
			used += granted
			p.leased(fmt.Sprint("key-", key), limit, n, granted, max(0, limit-used))
		}
	}
}

func quotaKeys(p *probe) {
	for _, key := range []string{"a", "b", "A", "a ", ""} {
		p.leased(key, 10, 7, 7, 3)
	}
	p.leased("a", 10, 7, 3, 0)
	p.leased("b", 10, 1, 1, 2)
}

func emptyLeases(p *probe) {
	for _, f := range []struct{ limit, n int }{{10, 0}, {0, 10}, {0, 0}, {10, -1}} {
		l, err := p.store.LeaseQuota(p.ctx, "k", f.limit, f.n, time.Microsecond)
		p.must(err, "LeaseQuota")
		p.want(l.Granted == 0 && l.Remaining == f.limit && l.EndsIn > 0, "a lease of %d of %d is %+v", f.n, f.limit, l)
	}
	p.leased("k", 10, 4, 4, 6)
	p.leased("k", 10, 0, 0, 6)
	p.leased("k", 3, 1, 0, 0)
	p.leased("k", 0, 1, 0, 0)
}

func quotaEndsIn(p *probe) {
	before := time.Now()
	first := p.lease("k", 10, 1, time.Hour)
	p.want(first.EndsIn == time.Hour || time.Hour-first.EndsIn < time.Minute, "a window that begins ends in %v", first.EndsIn)
	last := first.EndsIn
	p.eventually("time passes", func() bool {
		l := p.lease("k", 10, 0, time.Hour)
		p.want(l.EndsIn <= last, "a window ends in %v, and later in %v", last, l.EndsIn)
		last = l.EndsIn
		return last < first.EndsIn
	})
	const slack = 100 * time.Millisecond // between two clocks
	p.want(first.EndsIn-last <= time.Since(before)+slack, "a window is %v shorter after %v", first.EndsIn-last, time.Since(before))
	full := p.lease("k", 10, 100, 2*time.Hour)
	p.want(full.EndsIn <= last, "a longer window moved the end of the one that had begun")
	p.want(p.lease("k", 10, 1, time.Hour).EndsIn <= last, "a lease that is granted nothing does not tell the end")
}

// settingRules: all replicas agree.
func settingRules() []StoreRule {
	return []StoreRule{
		rule("SettleSetting: stores a value under a name unless there is one, and returns the one that is stored then", settlesOnce),
		rule("SettleSetting: of concurrent values one is settled, and all are told", settlesForAll),
		rule("SettleSetting: takes MaxSetting bytes and no more", settingSize),
		rule("SettleSetting: values are kept byte for byte", settingKept),
	}
}

func (p *probe) agree(name, value, want string) {
	got, err := p.store.SettleSetting(p.ctx, name, []byte(value))
	p.must(err, "SettleSetting")
	p.want(string(got) == want, "setting %q of %q gives %q, want %q", value, name, got, want)
}

func settlesOnce(p *probe) {
	p.agree("a", "first", "first")
	p.agree("a", "second", "first")
	p.agree("a", "first", "first")
	p.agree("b", "second", "second")
	p.agree("A", "third", "third")
}

func settlesForAll(p *probe) {
	for round := range 5 {
		name := fmt.Sprint("name-", round)
		got := make([][]byte, racers)
		errs := make([]error, racers)
		together(racers, func(i int) { got[i], errs[i] = p.store.SettleSetting(p.ctx, name, fmt.Append(nil, "value-", i)) })
		for i := range got {
			p.must(errs[i], "a concurrent SettleSetting")
			p.want(bytes.Equal(got[i], got[0]), "of concurrent values, one call got %q, another %q", got[0], got[i])
		}
		p.agree(name, "late", string(got[0]))
	}
}

func settingSize(p *probe) {
	full := strings.Repeat("x", ports.MaxSetting)
	_, err := p.store.SettleSetting(p.ctx, "a", []byte(full+"x"))
	p.want(err != nil, "a setting of more than MaxSetting bytes is taken")
	p.agree("a", full, full)
	_, err = p.store.SettleSetting(p.ctx, "a", []byte(full+"x"))
	p.want(err != nil, "a setting of more than MaxSetting bytes is taken where there is one")
}

func settingKept(p *probe) {
	odd := "\x00\xff\xfe \\x 'é'"
	value := []byte(odd)
	got, err := p.store.SettleSetting(p.ctx, "a", value)
	p.must(err, "SettleSetting")
	scribble(value)
	scribble(got)
	p.agree("a", "", odd)
	p.agree("empty", "", "")
	p.agree("empty", "later", "")
}
