package httpclient_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/participants/httpclient"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// BenchmarkSend is a signed command and its answer, the participant's side of
// it included, with 64 at once.
func BenchmarkSend(b *testing.B) {
	secret, err := webhook.ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		b.Fatal(err)
	}
	answer := []byte(`{"outcome":"SUCCEEDED","result":{"paymentId":"pay-880e8400-e29b-41d4-a716-446655440000","status":"CAPTURED"}}`)
	url := serve(b, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(answer)
	})
	c := client(b, url, func(cfg *httpclient.Config) { cfg.Secret = secret })
	b.SetParallelism(32)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		cmd := command()
		for pb.Next() {
			if a := c.Send(b.Context(), cmd); a.Outcome != domain.Succeeded {
				b.Errorf("%+v", a.Error)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
