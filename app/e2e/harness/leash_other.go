//go:build !linux

package harness

import "syscall"

// leash keeps a terminal's interrupt from a process; the test kills it.
func leash() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
