// Package webhook tells subscribers of what happens to workflows.
//
// With each change of a workflow the store makes a delivery for every
// subscription that wants one of its events (ports.Notice). A Dispatcher per
// replica claims deliveries that are due, posts them and records what came of
// it:
//
//	commit ─▶ deliveries ─▶ claim ─▶ render ─▶ post ─▶ settle ─▶ delivered,
//	                          ▲                          │        due again,
//	                          └── when it is due again ──┘        or given up
//
// What is in doubt is sent again, with the same id and the same bytes; what is
// claimed by a replica that dies is claimed by another. Each subscription has
// its own share of the attempts under way, so that one that hangs delays
// nobody else. Where it may be sent to is the business of package guard.
package webhook
