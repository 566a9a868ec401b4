package wiring

import (
	"context"
	"log/slog"
	"testing"

	"go.uber.org/fx"

	"github.com/firstviscount/platform-coordination/app/config"
)

func TestEveryCombinationOfAdaptersFitsTogether(t *testing.T) {
	t.Parallel()
	stores := []config.Store{
		{Kind: config.StoreMemory},
		{Kind: config.StoreSQLite, Location: "coordination.db"},
		{Kind: config.StorePostgres, Location: "postgres://localhost/coordination"},
	}
	participants := map[string]string{"simulated": "", "file": "participants.yaml"}
	keys := map[string]config.Service{
		"hs256": {JWTSecret: "0123456789abcdef0123456789abcdef"},
		"jwks":  {JWKS: "https://issuer.example/keys"},
	}
	for _, store := range stores {
		for service, file := range participants {
			for key, settings := range keys {
				settings.Store, settings.Participants = store, file
				t.Run(string(store.Kind)+"/"+service+"/"+key, func(t *testing.T) {
					t.Parallel()
					var p parts
					err := fx.ValidateApp(graph(context.Background(), settings, slog.New(slog.DiscardHandler), &resources{}), fx.Populate(&p))
					if err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
}
