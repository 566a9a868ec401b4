package wiring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"go.uber.org/fx"

	"github.com/firstviscount/platform-coordination/adapters/sealing"
	"github.com/firstviscount/platform-coordination/app/config"
	"github.com/firstviscount/platform-coordination/ports"
)

const (
	// keySetting is what a store remembers of encryption: the key that was made
	// for it, or givenKeys.
	keySetting = "encryption-key"
	givenKeys  = "given"
)

// backend is a store as it was opened; what is put into it there can be read.
type backend interface{ ports.Store }

// sealed puts encryption between the store and everything else.
var sealed = fx.Module("sealing", fx.Provide(
	fx.Annotate(openRing, fx.As(fx.Self()), fx.As(new(ports.Sealer))),
	fx.Annotate(sealStore, fx.As(new(ports.Store))),
))

// openRing makes the keys ready, and says once if they are not where they should be.
func openRing(ctx context.Context, s config.Service, b backend, log *slog.Logger) (*sealing.Ring, error) {
	ring, made, err := OpenKeys(ctx, b, s.EncryptionKeys)
	if err != nil {
		return nil, fmt.Errorf("--encryption-keys: %w", err)
	}
	if made && s.Store.Kind != config.StoreMemory {
		log.Warn("what is stored is encrypted with a key that lies in the same store, where whoever reads the one reads the other; "+
			"give keys with --encryption-keys (coordinator keys new makes one)", "store", s.Store.String())
	}
	return ring, nil
}

// OpenKeys is the ring of the keys that were given or, if none were, of a key
// that is made once and kept in the store; made tells that. A store that got its
// own key before keys were given opens with that one too. The error repeats no key.
func OpenKeys(ctx context.Context, store ports.Settings, given config.EncryptionKeys) (ring *sealing.Ring, made bool, err error) {
	keys, err := readKeys(given)
	if err != nil {
		return nil, false, err
	}
	settle := givenKeys
	if made = len(keys) == 0; made {
		settle = sealing.NewKey().Reveal()
	}
	stored, err := store.SettleSetting(ctx, keySetting, []byte(settle))
	if err != nil {
		return nil, false, err
	}
	if string(stored) != givenKeys {
		own, err := sealing.ParseKey(string(stored))
		if err != nil {
			return nil, false, errors.New("the key in the store cannot be read")
		}
		keys = with(keys, own)
	} else if made {
		return nil, false, errors.New("missing; the store was encrypted with keys that were given")
	}
	ring, err = sealing.New(keys...)
	return ring, made, err
}

// with adds a key at the end unless it is there.
func with(keys []sealing.Key, key sealing.Key) []sealing.Key {
	for _, k := range keys {
		if k.ID() == key.ID() {
			return keys
		}
	}
	return append(keys, key)
}

// readKeys are the keys of the setting; none if it is empty.
func readKeys(given config.EncryptionKeys) ([]sealing.Key, error) {
	if given == "" {
		return nil, nil
	}
	keys, name, err := given.Keys()
	if name == "" {
		return keys, err
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, errors.New("neither keys of 32 bytes in base64, separated by commas, nor a file that can be read")
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, sealing.MaxKeysText+1))
	if err == nil {
		keys, err = sealing.ParseKeys(string(text))
	}
	if err != nil {
		return nil, fmt.Errorf("the file: %w", err)
	}
	return keys, nil
}

// sealStore seals what goes into the store. A replica that could not open what
// the others seal would take over workflows that it cannot continue: it does
// not start.
func sealStore(ctx context.Context, b backend, ring *sealing.Ring) (*sealing.Store, error) {
	store := sealing.NewStore(b, ring)
	page, err := b.List(ctx, ports.ListQuery{Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("--store: %w", err)
	}
	for i := range page.Rows {
		if _, err := store.Load(ctx, page.Rows[i].WorkflowID); errors.Is(err, ports.ErrSealed) {
			return nil, fmt.Errorf("--encryption-keys: workflow %s: %w", page.Rows[i].WorkflowID, err)
		}
	}
	return store, nil
}

// OpenStore opens a SQL store as it is, without migrating it.
func OpenStore(ctx context.Context, store config.Store) (ports.Store, error) {
	settings, opened := config.Service{Store: store, NoMigrate: true}, &resources{}
	if store.Kind == config.StoreSQLite {
		return openSQLite(ctx, settings, opened)
	}
	return openPostgres(ctx, settings, opened)
}
