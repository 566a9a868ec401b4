package config

import (
	"os"
	"runtime/debug"
)

// gcPercent lets the heap grow to five times what lives before it is
// collected. A coordinator keeps little alive and makes much garbage: for a few
// dozen MiB, a tenth to a fifth less CPU goes into each workflow.
const gcPercent = 400

// TuneMemory sets how eagerly this process collects garbage, unless GOGC says.
func TuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
