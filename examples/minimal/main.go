package main

import (
	"context"
	"database/sql"
	"log"
	"net/http"
	"os"

	"github.com/firstviscount/platform-coordination/sdk/participant"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
	_ "modernc.org/sqlite"
)

func main() {
	barrier, err := participant.OpenBarrier(context.Background(), "sqlite", "file:cards.db?_txlock=immediate&_pragma=busy_timeout(5000)", participant.SQLite, `CREATE TABLE IF NOT EXISTS cards (id TEXT PRIMARY KEY)`)
	if err != nil {
		log.Fatal(err)
	}
	p := participant.New("gift-service", participant.Config{Secrets: []webhook.Secret{webhook.MustParseSecret(os.Getenv("PARTICIPANTS_SECRET"))}})
	p.Handle("issue_card", barrier.Do(func(ctx context.Context, tx *sql.Tx, c *participant.Command) (participant.Outcome, error) {
		_, err := tx.ExecContext(ctx, `INSERT INTO cards VALUES (?)`, c.CommandID)
		return participant.Succeeded{Result: map[string]string{"cardId": c.CommandID}}, err
	}))
	p.Handle("revoke_card", barrier.Undo(func(ctx context.Context, tx *sql.Tx, c *participant.Command) (participant.Outcome, error) {
		_, err := tx.ExecContext(ctx, `DELETE FROM cards WHERE id = ?`, c.Forward.CommandID)
		return participant.Succeeded{}, err
	}))
	log.Fatal(http.ListenAndServe(os.Getenv("LISTEN"), p))
}
