// Package retryafter reads the header of that name.
package retryafter

import (
	"net/http"
	"strconv"
	"time"
)

// Read is how long a Retry-After header asks to wait from now, at most limit.
// What is neither seconds nor an HTTP date is no wait, nor is a number beyond
// 31 bits.
func Read(header string, now time.Time, limit time.Duration) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), limit)
}
