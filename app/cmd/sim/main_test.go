package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestRunSumsUp(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if !run(&out, 1, 3, 2, true) {
		t.Fatalf("a promise was broken:\n%s", &out)
	}
	for _, want := range []string{"seed 3: ", "3 seeds in ", "0 violations", "modes: ", "faults hit: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the summary has no %q:\n%s", want, &out)
		}
	}
}
