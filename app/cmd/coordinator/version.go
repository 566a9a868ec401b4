package main

import (
	"runtime"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// revision is the commit, which `make build` sets: the toolchain does not know
// it in a workspace of several modules.
var revision string

// version names the release, the commit where it is known, and the toolchain.
func version() string {
	text := coordination.Version
	if revision != "" {
		text += " (" + revision + ")"
	}
	return text + " " + runtime.Version()
}
