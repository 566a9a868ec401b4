//go:build !unix

package ledger

import "os"

// lock does nothing: the standard library locks files on Unix only.
func lock(*os.File) error { return nil }

// syncDir does nothing: directories cannot be synced everywhere.
func syncDir(string) error { return nil }
