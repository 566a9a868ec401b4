// Package config turns the command line and the environment into checked
// settings. It touches nothing else: no file is opened, no name resolved and no
// random number drawn, so that every rule is a line in a table of a test.
//
// Every flag is also a variable: --drain-timeout is COORDINATION_DRAIN_TIMEOUT.
// The flag wins; an empty variable counts as unset. A command line that cannot
// be obeyed gives a [*UsageError] whose one line names the setting and never
// repeats a secret.
package config
