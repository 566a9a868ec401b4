package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/auth"
	"github.com/firstviscount/platform-coordination/adapters/sealing"
	"github.com/firstviscount/platform-coordination/app/config"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/app/wiring"
	"github.com/firstviscount/platform-coordination/ports"
)

// keysNew prints a key and nothing else, so that a shell can take it.
func keysNew(to streams) error {
	_, err := fmt.Fprintln(to.out, sealing.NewKey().Reveal())
	return err
}

// keysRotate seals with the newest key what can be sealed again, and says which
// older keys are needed still. It may be run while replicas work.
func keysRotate(ctx context.Context, c config.KeysRotate, to streams) error {
	store, err := wiring.OpenStore(ctx, c.Store)
	if err != nil {
		return err
	}
	defer store.Close()
	ring, _, err := wiring.OpenKeys(ctx, store, c.EncryptionKeys)
	if err != nil {
		return fmt.Errorf("--encryption-keys: %w", err)
	}
	sum, err := sealing.Reseal(ctx, store, ring, rotated)
	if err != nil {
		return err
	}
	fmt.Fprintf(to.out, "newest key: %s\n", ring.KeyIDs()[0])
	fmt.Fprintf(to.out, "webhook secrets: %d sealed again with it, %d were already\n", sum.Again, sum.Were)
	needed, err := sealing.Survey(ctx, store, ring)
	if err != nil {
		return err
	}
	return printNeeded(to.out, needed)
}

// rotated is the audit entry of a webhook whose secrets were sealed again.
func rotated(webhookID string) *ports.AuditEntry {
	return &ports.AuditEntry{ID: "aud-" + engine.SystemEntropy{}.UUID(), At: time.Now().UTC().Truncate(engine.Resolution),
		Subject: "coordinator keys rotate", Role: auth.RoleAdmin, Action: "rotateEncryptionKey", Target: webhookID}
}

// printNeeded says which workflows need which older keys.
func printNeeded(out io.Writer, needed map[string]sealing.Needed) error {
	if len(needed) == 0 {
		_, err := fmt.Fprintln(out, "workflows and batches: all are sealed with it; older keys can be taken off")
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(needed)) {
		n := needed[id]
		how := "need key " + id
		if id == sealing.Unencrypted {
			how = "are not encrypted"
		}
		if n.Batches > 0 {
			fmt.Fprintf(out, "batches that are not done: %d %s\n", n.Batches, how)
		}
		if n.Workflows == 0 {
			continue
		}
		if _, err := fmt.Fprintf(out, "workflows: %s %s, the last of them started %s\n", atLeast(n.Workflows), how, n.LastStarted.UTC().Format(time.RFC3339)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(out, "Keep these keys until the workflows have been removed by their retention, and the batches are done.")
	return err
}

// atLeast prints a count that is exact up to ports.MaxCount.
func atLeast(n int) string {
	if n >= ports.MaxCount {
		return fmt.Sprintf("%d or more", n)
	}
	return fmt.Sprint(n)
}
