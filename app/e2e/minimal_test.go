package e2e_test

import (
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

const minimalSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// programs builds packages of this repository and returns the folder they are in.
func programs(t *testing.T, packages ...string) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	for _, p := range packages {
		args = append(args, "github.com/firstviscount/platform-coordination/"+p)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("build %v: %v\n%s", packages, err, out)
	}
	return dir
}

// issue has the participant carry out one command, always the same, and returns
// its answer.
func issue(t *testing.T, address string) string {
	t.Helper()
	const body = `{"commandId":"saga-1:1:ISSUE:execute","service":"gift-service","action":"issue_card","direction":"EXECUTE","attempt":1}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/issue_card", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	webhook.SetHeaders(r.Header, "saga-1:1:ISSUE:execute", time.Now(), []byte(body), webhook.MustParseSecret(minimalSecret))
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	answer, err := io.ReadAll(got.Body)
	if err != nil || got.StatusCode != http.StatusOK {
		t.Fatalf("%s %s (%v)", got.Status, answer, err)
	}
	return string(answer)
}

// TestTheSmallestParticipant builds the participant that the documents quote and
// lets coordctl verify it, as its author would; then again after it was killed,
// on what it had written.
func TestTheSmallestParticipant(t *testing.T) {
	t.Parallel()
	dir := programs(t, "examples/minimal", "app/cmd/coordctl")
	address := harness.Addresses(t, 1)[0]
	secret := []string{"PARTICIPANTS_SECRET=" + minimalSecret}
	answers := map[string]bool{}
	for range 2 {
		p := harness.Start(t, harness.Program{Path: filepath.Join(dir, "minimal"), Dir: dir, Env: append(secret, "LISTEN="+address)})
		harness.Eventually(t, harness.StartTimeout, "the participant to listen", func() (string, bool) {
			health, err := http.Get("http://" + address + "/healthz")
			if err != nil {
				return err.Error(), false
			}
			return health.Status, health.Body.Close() == nil && health.StatusCode == http.StatusOK
		})
		answers[issue(t, address)] = true
		code, out, errs := harness.Output(t, harness.Program{Path: filepath.Join(dir, "coordctl"), Env: secret, Args: []string{
			"contract", "verify", "participant", "--url", "http://" + address, "--service", "gift-service", "--do", "issue_card", "--undo", "revoke_card"}}, commandTimeout)
		if code != 0 || !strings.Contains(out, "kept    participant/signature-missing") {
			t.Errorf("exit code %d: %s\n%s", code, errs, out)
		}
		p.Kill(t)
	}
	if len(answers) != 1 {
		t.Errorf("a command was answered differently after the kill: %v", answers)
	}
}
