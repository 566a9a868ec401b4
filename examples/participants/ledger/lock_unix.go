//go:build unix

package ledger

import (
	"os"
	"syscall"
)

// lock makes this process the only one that appends to the file. The operating
// system releases it when the process ends, however it ends.
func lock(file *os.File) error {
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
