package barrier_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/participant"
)

// Stock that is reserved once, however often the command comes, and not any more
// after it was released.
func Example() {
	dir, err := os.MkdirTemp("", "barrier-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	barrier, err := participant.OpenBarrier(ctx, "sqlite", "file:"+filepath.Join(dir, "stock.db")+"?_txlock=immediate", participant.SQLite,
		`CREATE TABLE IF NOT EXISTS reservations (id TEXT PRIMARY KEY)`)
	if err != nil {
		fmt.Println(err)
		return
	}
	p := participant.New("inventory-service", participant.Config{})
	p.Handle("reserve_inventory", barrier.Do(func(ctx context.Context, tx *sql.Tx, c *participant.Command) (participant.Outcome, error) {
		fmt.Println("reserving")
		_, err := tx.ExecContext(ctx, `INSERT INTO reservations VALUES (?)`, c.CommandID)
		return participant.Succeeded{}, err
	}))
	p.Handle("release_reservation", barrier.Undo(func(ctx context.Context, tx *sql.Tx, c *participant.Command) (participant.Outcome, error) {
		fmt.Println("releasing")
		_, err := tx.ExecContext(ctx, `DELETE FROM reservations WHERE id = ?`, c.Forward.CommandID)
		return participant.Succeeded{}, err
	}))

	reserve := coordination.Command{CommandID: "saga-1:1:RESERVE:execute", Action: "reserve_inventory", Direction: coordination.DirectionExecute}
	release := coordination.Command{CommandID: "saga-1:1:RELEASE:compensate", Action: "release_reservation", Direction: coordination.DirectionCompensate,
		Forward: &coordination.Forward{CommandID: reserve.CommandID}}
	for _, command := range []coordination.Command{reserve, reserve, release, release, reserve} {
		c := &participant.Command{Command: command}
		m, err := p.Reply(c, p.Do(ctx, c))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(m.ID)
	}
	// Output:
	// reserving
	// saga-1:1:RESERVE:execute/0/SUCCEEDED
	// saga-1:1:RESERVE:execute/0/SUCCEEDED
	// releasing
	// saga-1:1:RELEASE:compensate/0/SUCCEEDED
	// saga-1:1:RELEASE:compensate/0/SUCCEEDED
	// saga-1:1:RESERVE:execute/0/REJECTED
}
