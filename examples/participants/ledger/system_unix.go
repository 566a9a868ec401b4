//go:build unix

package ledger

import (
	"errors"
	"os"
	"syscall"
)

// lock makes this process the only one that appends to the file. The operating
// system releases it when the process ends, however it ends.
func lock(file *os.File) error {
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// syncDir makes the name of a new file durable; its content alone is not enough.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
