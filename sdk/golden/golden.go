// Package golden is a corpus of messages as they travel: commands, answers, the
// events of the message bus, and webhooks. Documentation, tests and verifiers on
// every side read the same ones, so that none can drift from the others unseen.
//
// They tell of one order: its payment is asked for (command, event-command) and
// made (answer-succeeded, event-reply), which is told (event-workflow,
// webhook-step-completed); then it is undone (command-undo). The other messages
// are what else could have come.
package golden

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed messages/*.json
var messages embed.FS

//go:embed samples.json
var samples []byte

//go:embed deliveries.json
var deliveries []byte

// Names are the names of all messages, sorted.
func Names() []string {
	entries, err := fs.ReadDir(messages, "messages")
	if err != nil { // it is embedded
		panic(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".json")
	}
	return names
}

// Message is the text of a message, JSON. It panics if there is none of that name.
func Message(name string) []byte {
	text, err := messages.ReadFile("messages/" + name + ".json")
	if err != nil {
		panic("golden: no message " + name)
	}
	return text
}

// Samples is a JSON object of commands by the names of the example services:
// what each can do and undo and, as far as it has that, what it refuses, what
// it answers later, and what it answers RETRY at first.
func Samples() []byte { return samples }

// Deliveries is a JSON array of webhooks as they are sent: the name of the
// message, whose text is the body byte for byte, the secrets that signed it, the
// first of which also sealed it, and the headers.
func Deliveries() []byte { return deliveries }
