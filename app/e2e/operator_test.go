package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/auth"
	"github.com/firstviscount/platform-coordination/adapters/testserver"
	"github.com/firstviscount/platform-coordination/app/e2e/harness"
)

// operator knows one page of docs/runbooks and runs its commands as they stand.
type operator struct {
	t        *testing.T
	name     string
	page     string
	preamble string // what the first page has everybody define
	store    string
}

// The sections of a page.
const (
	see  = "How to see it"
	do   = "What to do"
	over = "How to know that it is over"
)

func runbook(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "runbooks", name+".md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// called opens the page of an incident at a coordinator.
func called(t *testing.T, c *harness.Coordinator, name, store string) *operator {
	t.Helper()
	testserver.Need(t, "jq")
	o := &operator{t: t, name: name, page: runbook(t, name), store: store}
	o.preamble = fill(t, blocks(runbook(t, "README"))[0],
		"https://coordination.example/api/v1", c.API(""), "TOKEN=…", "TOKEN="+harness.Token(t, auth.RoleAdmin), "http://127.0.0.1:9091", "http://"+c.Ops)
	return o
}

// blocks are the shell commands of a text, block by block.
func blocks(text string) []string {
	var list []string
	for _, part := range strings.Split(text, "```sh\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		list = append(list, block)
	}
	return list
}

// fill puts in what a reader has to; what is to be replaced must be there.
func fill(t *testing.T, text string, oldnew ...string) string {
	t.Helper()
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(text, oldnew[i]) {
			t.Fatalf("there is no %q in\n%s", oldnew[i], text)
		}
	}
	return strings.NewReplacer(oldnew...).Replace(text)
}

// section is the text below a heading.
func (o *operator) section(heading string) string {
	o.t.Helper()
	_, text, found := strings.Cut(o.page, "\n## "+heading+"\n")
	if !found {
		o.t.Fatalf("%s has no section %q", o.name, heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

// sh runs the n-th block of commands of a section and returns what it prints.
func (o *operator) sh(heading string, n int, oldnew ...string) string {
	o.t.Helper()
	list := blocks(o.section(heading))
	if n >= len(list) {
		o.t.Fatalf("%s: %q has %d blocks of commands", o.name, heading, len(list))
	}
	commands := fill(o.t, list[n], oldnew...)
	if heading == see {
		commands += "true\n" // what is down makes commands fail: what they print counts
	}
	return o.run(commands)
}

// line runs one command that stands within the text of a section.
func (o *operator) line(heading, command string, oldnew ...string) string {
	o.t.Helper()
	if !strings.Contains(o.section(heading), command) {
		o.t.Fatalf("%s: %q does not say %s", o.name, heading, command)
	}
	return o.run(fill(o.t, command, oldnew...))
}

func (o *operator) run(commands string) string {
	o.t.Helper()
	cmd := exec.CommandContext(o.t.Context(), "bash", "-c", o.preamble+"\n"+commands)
	// What our driver calls a parameter, psql calls an option.
	cmd.Env = append(os.Environ(), "COORDINATION_STORE="+strings.Replace(o.store, "search_path=", "options=-csearch_path%3D", 1))
	out, err := cmd.CombinedOutput()
	if err != nil {
		o.t.Fatalf("%s: %v\n%s\n%s", o.name, err, commands, out)
	}
	return string(out)
}

// tells checks that an output tells something.
func tells(t *testing.T, output string, all ...string) {
	t.Helper()
	for _, what := range all {
		if !strings.Contains(output, what) {
			t.Errorf("it does not say %q:\n%s", what, output)
		}
	}
}

// until runs something until it says what it must.
func until(t *testing.T, what string, run func() string) {
	t.Helper()
	harness.Eventually(t, 2*time.Minute, what, func() (string, bool) {
		out := run()
		return out, strings.Contains(out, what)
	})
}
