package main

import (
	"runtime/debug"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// revisionLength is how much of a commit's hash names it.
const revisionLength = 12

// version is the release and, as far as the build knows it, the commit.
func version() string {
	text := coordination.Version
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return text
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if revision := settings["vcs.revision"]; len(revision) >= revisionLength {
		text += " (" + revision[:revisionLength]
		if settings["vcs.modified"] == "true" {
			text += ", modified"
		}
		text += ")"
	}
	return text + " " + info.GoVersion
}
