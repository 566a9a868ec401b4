package sim

import (
	"fmt"
	"strings"
	"time"
)

// trace is what happened: always as a hash, on request as text.
type trace struct {
	hash  uint64
	keep  bool
	lines []line
}

// line is one happening; workflow is empty for those that concern all.
type line struct {
	at       time.Duration
	workflow string
	text     string
}

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func (t *trace) add(at time.Duration, workflow string, words ...string) {
	h := t.hash
	for shift := 0; shift < 64; shift += 8 {
		h = (h ^ uint64(at)>>shift&0xff) * fnvPrime
	}
	h = mix(h, workflow)
	for _, w := range words {
		h = mix(h, w)
	}
	t.hash = h
	if t.keep {
		t.lines = append(t.lines, line{at, workflow, strings.Join(words, " ")})
	}
}

func mix(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * fnvPrime
	}
	return (h ^ 0xff) * fnvPrime
}

// of is the text of what happened to one workflow and to the replicas around it.
func (t *trace) of(workflow string) []string {
	var out []string
	for _, l := range t.lines {
		if l.workflow == "" || l.workflow == workflow {
			out = append(out, fmt.Sprintf("%12s  %s", l.at, l.text))
		}
	}
	return out
}
