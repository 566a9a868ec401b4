package postgres

import (
	"context"
	"math/rand/v2"

	"github.com/jackc/pgx/v5"
)

// Slots keep the counters of concurrent commits apart. A connection holds the
// lowest free one by an advisory lock for as long as it lives. Nothing but
// speed depends on the lock: two connections with the same slot wait for each
// other's counters.
const (
	slots    = 64
	slotLock = 0x636f6f72 // class of the advisory locks
	slotName = "coordination.slot"
)

// takeSlot gives a new connection its slot.
func takeSlot(ctx context.Context, conn *pgx.Conn) error {
	for slot := range int32(slots) {
		var taken bool
		if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1::int, $2::int)", slotLock, slot).Scan(&taken); err != nil {
			return err
		}
		if taken {
			conn.PgConn().CustomData()[slotName] = slot
			return nil
		}
	}
	conn.PgConn().CustomData()[slotName] = rand.Int32N(slots)
	return nil
}

func slotOf(conn *pgx.Conn) int32 {
	return conn.PgConn().CustomData()[slotName].(int32)
}
