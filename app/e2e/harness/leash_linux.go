package harness

import "syscall"

// leash lets a process die with this one, and keeps a terminal's interrupt from it.
func leash() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
