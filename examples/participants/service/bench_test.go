package service_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/firstviscount/platform-coordination/examples/participants/service"
)

// benchmarkCallers is how many requests are under way at once, per processor.
const benchmarkCallers = 32

// usualCommand is a command of the size that an order makes.
func usualCommand(n int64) []byte {
	return fmt.Appendf(nil, `{"commandId":"saga-0190c5a0-0000-7000-8000-%012d:1:INVENTORY_RESERVATION:execute",
"workflowId":"wf-0190c5a0-0000-7000-8000-000000000001","sagaId":"saga-0190c5a0-0000-7000-8000-000000000001","workflowType":"ORDER_FULFILLMENT",
"service":"bell-service","step":"INVENTORY_RESERVATION","action":"ring","direction":"EXECUTE","attempt":1,"deadline":"2100-01-15T10:02:06Z",
"parameters":{"volume":3,"orderId":"550e8400-e29b-41d4-a716-446655440000","items":[
 {"productId":"550e8400-e29b-41d4-a716-446655440000","quantity":2,"unitPrice":599.99,"warehouseId":"wh-001"},
 {"productId":"660e8400-e29b-41d4-a716-446655440000","quantity":1,"unitPrice":299.99,"warehouseId":"wh-001"}]},
"context":{"orderId":"550e8400-e29b-41d4-a716-446655440000","customerId":"123e4567-e89b-12d3-a456-426614174000"},
"callback":{"url":"http://127.0.0.1:8081/api/v1/callbacks/cbt_%032d","token":"cbt_%032d"}}`, n, n, n)
}

// What a command costs besides the network.
func BenchmarkHandler(b *testing.B) {
	for _, noSync := range []bool{true, false} {
		b.Run("fsync="+strconv.FormatBool(!noSync), func(b *testing.B) {
			s := start(b, func(c *service.Config) { c.NoSync = noSync })
			handler := s.svc.Handler()
			var n atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(benchmarkCallers)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r := httptest.NewRequest(http.MethodPost, "/ring", bytes.NewReader(usualCommand(n.Add(1))))
					w := httptest.NewRecorder()
					handler.ServeHTTP(w, r)
					if w.Code != http.StatusOK {
						b.Fatal(w.Body.String())
					}
				}
			})
		})
	}
}

// What a command costs over the network; the client's share is in it.
func BenchmarkHTTP(b *testing.B) {
	for _, noSync := range []bool{true, false} {
		b.Run("fsync="+strconv.FormatBool(!noSync), func(b *testing.B) {
			s := start(b, func(c *service.Config) { c.NoSync = noSync })
			server := httptest.NewServer(s.svc.Handler())
			b.Cleanup(server.Close)
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024}}
			var n atomic.Int64
			b.SetParallelism(benchmarkCallers)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					resp, err := client.Post(server.URL+"/ring", "application/json", bytes.NewReader(usualCommand(n.Add(1))))
					if err != nil {
						b.Fatal(err)
					}
					var body strings.Builder
					if err := resp.Write(&body); err != nil || resp.StatusCode != http.StatusOK {
						b.Fatal(body.String(), err)
					}
					_ = resp.Body.Close()
				}
			})
		})
	}
}
