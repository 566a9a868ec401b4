package e2e_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/auth"
	"github.com/firstviscount/platform-coordination/adapters/postgres/pgtest"
	"github.com/firstviscount/platform-coordination/adapters/ratelimit"
	"github.com/firstviscount/platform-coordination/app/e2e/harness"
)

// bearer is a header with a token of a role and subject.
func bearer(t *testing.T, role, subject string) []string {
	t.Helper()
	token, err := auth.Mint([]byte(harness.Secret), auth.Grant{Subject: subject, Role: role, TTL: time.Hour}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return []string{"Authorization", "Bearer " + token}
}

// TestQuotaHoldsOverReplicas uses up the quota of an external caller at two
// replicas by turns: all of it passes, and hardly more.
func TestQuotaHoldsOverReplicas(t *testing.T) {
	t.Parallel()
	all := serveAll(t, 2, harness.Options{Store: pgtest.Empty(t), RateLimit: true})
	shop := bearer(t, auth.RoleExternal, "shop")
	choice := random(t, 7)
	passed := 0
	var last *harness.Response
	refused := map[*harness.Coordinator]bool{}
	for sent := 0; len(refused) < len(all); sent++ {
		if sent > 2*ratelimit.QuotaExternal {
			t.Fatalf("%d of %d requests passed", passed, sent)
		}
		replica := all[choice.IntN(len(all))]
		switch last = replica.Get(t, "/workflow-templates", shop...); last.Status {
		case http.StatusOK:
			passed++
		case http.StatusTooManyRequests:
			refused[replica] = true
		case http.StatusServiceUnavailable:
			harness.Eventually(t, deliveryTimeout, "the store to be asked again", func() (string, bool) {
				last = replica.Get(t, "/workflow-templates", shop...)
				passed += map[int]int{http.StatusOK: 1}[last.Status]
				return string(last.Body), last.Status != http.StatusServiceUnavailable
			})
		default:
			t.Fatalf("%d: %s", last.Status, last.Body)
		}
	}
	t.Logf("%d requests passed", passed)
	percent := 100 + ratelimit.ReservePercent
	for _, replica := range all { // on a busy machine the store may take too long
		if strings.Contains(replica.Log(), "the store cannot be asked for rate limits") {
			percent += ratelimit.OutagePercent
		}
	}
	if most := ratelimit.QuotaExternal * percent / 100; passed < ratelimit.QuotaExternal || passed > most {
		t.Errorf("%d requests passed, want %d to %d", passed, ratelimit.QuotaExternal, most)
	}
	wait, err := strconv.Atoi(last.Header.Get("Retry-After"))
	if err != nil || wait < 3000 || wait > 3600 || last.Header.Get("RateLimit-Policy") != `"external";q=1000;w=3600` ||
		last.Header.Get("RateLimit") != `"external";r=0;t=`+strconv.Itoa(wait) || last.Text("error", "code") != "RATE_LIMIT_EXCEEDED" {
		t.Errorf("the refusal is %v, %s", last.Header, last.Body)
	}
	for name, other := range map[string][]string{"another subject": bearer(t, auth.RoleExternal, "other"), "another role": bearer(t, auth.RoleService, "shop")} {
		if got := all[0].Get(t, "/workflow-templates", other...); got.Status != http.StatusOK {
			t.Errorf("%s is refused: %s", name, got.Body)
		}
	}
	all[0].Kill(t)
	all[0].Restart(t)
	if got := all[0].Get(t, "/workflow-templates", shop...); got.Status != http.StatusTooManyRequests {
		t.Errorf("a restart gives a new quota: %d", got.Status)
	}
}

// TestFailedLoginsAreLimited guesses tokens until the address is refused; who
// has a valid one is not, nor are the probes.
func TestFailedLoginsAreLimited(t *testing.T) {
	t.Parallel()
	c := harness.Serve(t, harness.Options{Store: "memory", RateLimit: true})
	guesses := 0
	harness.Eventually(t, 2*ratelimit.FailureWindow, "the guesses to be refused", func() (string, bool) {
		got := c.Get(t, "/workflows", "Authorization", "Bearer guess-"+strconv.Itoa(guesses))
		switch guesses++; {
		case got.Status == http.StatusTooManyRequests:
			return "", got.Header.Get("Retry-After") != "" && strings.Contains(string(got.Body), "failed-logins")
		case got.Status != http.StatusUnauthorized || got.Header.Get("WWW-Authenticate") == "":
			t.Fatalf("%d: %v", got.Status, got.Header)
		}
		return strconv.Itoa(guesses) + " guesses", false
	})
	t.Logf("refused after %d guesses", guesses)
	c.Get(t, "/workflows").Is(http.StatusOK)
	c.AwaitReady(t)
}
