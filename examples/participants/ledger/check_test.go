package ledger

import (
	"strings"
	"testing"
	"time"
)

// story builds the entries of one workflow, a second apart, from words such as
// "do:a", "undo:a", "undo:a/again" (under another key), "tombstone:a",
// "nothing:a" (an undo with nothing to undo) and "reject:a".
func story(words ...string) []Entry {
	start := time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)
	var entries []Entry
	for i, word := range words {
		verb, name, _ := strings.Cut(word, ":")
		forward, again, _ := strings.Cut(name, "/")
		e := Entry{Time: start.Add(time.Duration(i) * time.Second), WorkflowID: "wf", Kind: Answer, CommandID: name, Outcome: "SUCCEEDED"}
		if verb != "do" && verb != "reject" {
			e.CommandID, e.Forward = "undo-"+forward+again, forward
		}
		switch verb {
		case "do", "undo":
			e.Kind, e.Effect = Effect, verb
		case "tombstone":
			e.Kind = Tombstone
		case "reject":
			e.Outcome = "REJECTED"
		}
		entries = append(entries, e)
	}
	return entries
}

func TestCheckFindsNothingInAGoodStory(t *testing.T) {
	t.Parallel()
	for _, words := range [][]string{
		{},
		{"do:a", "do:b", "do:c"},
		{"do:a", "do:b", "undo:b", "undo:a"},
		{"do:a", "do:b", "do:c", "undo:b", "undo:a"}, // c has no undo
		{"do:a", "do:b", "undo:b", "nothing:b/2", "undo:a"},
		{"tombstone:a"},
		{"do:a", "reject:b", "nothing:b", "undo:a"},
		{"do:a1", "undo:a1", "do:a2", "do:b2", "undo:b2", "undo:a2"}, // two runs
	} {
		if faults := Check(story(words...)); len(faults) != 0 {
			t.Errorf("%v: %v", words, faults)
		}
	}
}

func TestCheckFindsEveryBrokenPromise(t *testing.T) {
	t.Parallel()
	for want, words := range map[string][]string{
		"a had its effect twice":                     {"do:a", "do:a"},
		"a was undone twice":                         {"do:a", "undo:a", "undo:a/2"},
		"undo-a undid a, which had no effect":        {"undo:a"},
		"a had its effect after its undo was answer": {"tombstone:a", "do:a"},
		"b had its effect after its undo was answer": {"reject:b", "nothing:b", "do:b"},
		"a was undone before the later b":            {"do:a", "do:b", "undo:a", "undo:b"},
	} {
		faults := strings.Join(Check(story(words...)), "; ")
		if !strings.Contains(faults, want) {
			t.Errorf("%v: got %q, want %q", words, faults, want)
		}
	}
}

func TestCheckOrdersTheEntriesOfSeveralLedgersByTime(t *testing.T) {
	t.Parallel()
	all := story("do:a", "do:b", "undo:b", "undo:a")
	merged := append([]Entry{all[0], all[3]}, all[1:3]...)
	if faults := Check(merged); len(faults) != 0 {
		t.Error(faults)
	}
	if merged[1].CommandID != all[3].CommandID {
		t.Error("the caller's slice was reordered")
	}
}
