package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

const testSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"

func noEnv(string) string { return "" }

// program runs the program with words as its command line.
func program(ctx context.Context, words ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(ctx, words, noEnv, &out, &errs)
	return code, out.String(), errs.String()
}

func TestBadCommandLinesEndWithOneLine(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"":                          "--service NAME or --all",
		"--all --service x":         "--service NAME or --all",
		"--colour red":              "colour",
		"--service x --ledger l":    "--service: must be one of inventory-service, ",
		"--service payment-service": "--ledger:",
		"--service payment-service --ledger-dir d": "--ledger-dir goes with --all",
		"--all":                                                     "--ledger-dir:",
		"--all --ledger l":                                          "--ledger goes with --service",
		"--all --ledger-dir d --listen 9001":                        "--listen: must be host:port",
		"--all --ledger-dir d --listen :http":                       "--listen: the port",
		"--all --ledger-dir d --listen :65536":                      "--listen: the port",
		"--all --ledger-dir d --listen :65533":                      "--listen: no 5 ports from 65533",
		"--all --config --listen :0":                                "--listen: --config needs a port",
		"--all --ledger-dir d extra":                                `unexpected argument "extra"`,
		"--all --ledger-dir d --fsync=maybe":                        "fsync",
		"--all --ledger-dir d --secret hunter2":                     "--secret: not a secret: want whsec_",
		"--service payment-service --ledger l --secret whsec_aHVu=": "--secret: not a secret: want whsec_",
	} {
		code, stdout, stderr := program(t.Context(), strings.Fields(line)...)
		if code != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%q: exit %d, %q, %q", line, code, stdout, stderr)
		}
		if strings.Contains(stderr, "hunter2") {
			t.Errorf("the secret was printed: %s", stderr)
		}
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	code, _, stderr := program(t.Context(), "--help")
	if code != exitOK || !strings.Contains(stderr, "-ledger-dir") {
		t.Errorf("exit %d, %q", code, stderr)
	}
}

func TestConfigMatchesTheServices(t *testing.T) {
	t.Parallel()
	_, all, _ := program(t.Context(), "--all", "--config", "--listen", "127.0.0.1:9101")
	for _, part := range []string{
		"participants:\n  inventory-service:\n    transport: http\n    url: http://127.0.0.1:9101\n    maxConcurrency: 64\n",
		"  payment-service:\n    transport: http\n    url: http://127.0.0.1:9102\n",
		"  order-service:\n    transport: http\n    url: http://127.0.0.1:9103\n",
		"  delivery-service:\n    transport: http\n    url: http://127.0.0.1:9104\n",
		"  notification-service:\n    transport: http\n    url: http://127.0.0.1:9105\n",
	} {
		if !strings.Contains(all, part) {
			t.Errorf("%q is missing in:\n%s", part, all)
		}
	}
	code, one, _ := program(t.Context(), "--service", "payment-service", "--config", "--listen", ":9002", "--secret", testSecret)
	want := "participants:\n  payment-service:\n    transport: http\n    url: http://127.0.0.1:9002\n    secret: \"" + testSecret + "\"\n    maxConcurrency: 64\n"
	if code != exitOK || one != want {
		t.Errorf("exit %d, got:\n%s\nwant:\n%s", code, one, want)
	}
}

func TestTheSecretMayComeFromTheEnvironment(t *testing.T) {
	t.Parallel()
	env := func(name string) string {
		if name == secretVariable {
			return testSecret
		}
		return ""
	}
	cfg, err := parse([]string{"--service", "payment-service", "--ledger", "l"}, env, nil)
	if err != nil || cfg.secret.IsZero() {
		t.Errorf("got %+v, %v", cfg, err)
	}
	if _, err := parse([]string{"--all", "--ledger-dir", "l"}, noEnv, nil); err != nil {
		t.Errorf("without: %v", err)
	}
}
