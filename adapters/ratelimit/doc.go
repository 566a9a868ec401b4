// Package ratelimit bounds how often callers may call: so many requests an hour
// per subject and role over all replicas, and so many failed logins per address.
//
// Replicas share one count per subject in the store ([ports.Quotas]), but do
// not ask it for every request: each leases small chunks and spends them by
// itself. A replica may hold an unused chunk while another one has run out; so
// the shared count has a reserve of [ReservePercent] beyond the quota. The whole
// quota can be used with it, and no more than quota and reserve ever pass in
// one window, however many replicas there are. A replica that was granted the
// whole quota knows that nobody holds the rest, and leaves the reserve alone.
package ratelimit
