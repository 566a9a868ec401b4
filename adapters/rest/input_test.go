package rest_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/rest"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// order is a small valid order with one text in it replaced.
func order(old, replacement string) string {
	const body = `{"orderId":"ord-1","customerId":"cust-1","items":[{"productId":"p-1","quantity":2,"unitPrice":5.25,"warehouseId":"wh-1"}],` +
		`"paymentMethod":{"type":"CREDIT_CARD","token":"tok_secret","amount":10.50,"currency":"USD"},` +
		`"shippingAddress":{"name":"N","street":"S","city":"C","zipCode":"Z","country":"US"},"shippingMethod":"STANDARD","metadata":{"a":1}}`
	if old != "" && !strings.Contains(body, old) {
		panic("the order has no " + old)
	}
	return strings.Replace(body, old, replacement, 1)
}

// faulty bodies of an order start, and the paths of all of their violations.
var faultyOrders = map[string]struct {
	body  string
	paths []string
}{
	"broken":                   {`{"orderId":`, []string{"body"}},
	"no JSON":                  {`hello`, []string{"body"}},
	"an array":                 {`[]`, []string{"body"}},
	"null":                     {`null`, []string{"body"}},
	"a string":                 {`"x"`, []string{"body"}},
	"trailing data":            {order("", "") + `{}`, []string{"body"}},
	"trailing text":            {order("", "") + `x`, []string{"body"}},
	"a comma too many":         {order(`"USD"}`, `"USD",}`), []string{"body"}},
	"a comment":                {order(`"items"`, `/**/"items"`), []string{"body"}},
	"control character":        {order("STANDARD", "a\x01b"), []string{"body"}},
	"unknown member":           {order(`"metadata"`, `"meta":1,"metadata"`), []string{"body.meta"}},
	"unknown nested member":    {order(`"quantity":2`, `"quantity":2,"x":1`), []string{"body.items[0].x"}},
	"wrong case":               {order(`"orderId"`, `"ORDERID":"evil","orderId"`), []string{"body.ORDERID"}},
	"only wrong case":          {order(`"orderId"`, `"OrderId"`), []string{"body", "body.OrderId"}},
	"duplicate":                {order(`"orderId"`, `"orderId":"other","orderId"`), []string{"body.orderId"}},
	"duplicate nested":         {order(`"quantity":2`, `"quantity":2,"quantity":3`), []string{"body.items[0].quantity"}},
	"duplicate by escape":      {order(`"a":1`, `"a":1,"\u0061":2`), []string{"body.metadata.a"}},
	"invalid UTF-8":            {order("STANDARD", "\xff"), []string{"body.shippingMethod"}},
	"invalid UTF-8 in a name":  {order(`"a":1`, "\"a\xc3\":1"), []string{"body.metadata"}},
	"overlong UTF-8":           {order("STANDARD", "\xc0\xaf"), []string{"body.shippingMethod"}},
	"lone high surrogate":      {order("STANDARD", `\ud800`), []string{"body.shippingMethod"}},
	"lone low surrogate":       {order("STANDARD", `\udc00x`), []string{"body.shippingMethod"}},
	"surrogates the wrong way": {order("STANDARD", `\udc00\ud800`), []string{"body.shippingMethod"}},
	"NUL":                      {order("STANDARD", `a\u0000b`), []string{"body.shippingMethod"}},
	"depth 17":                 {order(`{"a":1}`, strings.Repeat(`{"a":`, 16)+`1`+strings.Repeat(`}`, 16)), []string{"body.metadata", deepPath(16)}},
	"depth 100":                {order(`{"a":1}`, strings.Repeat(`[`, 100)+strings.Repeat(`]`, 100)), []string{"body.metadata", "body.metadata" + strings.Repeat("[0]", 15)}},
	"number out of range":      {order("5.25", "1e400"), []string{"body", "body.items[0].unitPrice"}},
	"number as long as a book": {order("5.25", strings.Repeat("9", 5000)), []string{"body", "body.items[0].unitPrice"}},
	"big number in metadata":   {order(`"a":1`, `"a":1e999`), []string{"body", "body.metadata.a"}},
	"quantity as text":         {order(`"quantity":2`, `"quantity":"2"`), []string{"body.items[0].quantity"}},
	"quantity zero":            {order(`"quantity":2`, `"quantity":0`), []string{"body.items[0].quantity"}},
	"quantity negative":        {order(`"quantity":2`, `"quantity":-5`), []string{"body.items[0].quantity"}},
	"quantity with fraction":   {order(`"quantity":2`, `"quantity":1.5`), []string{"body.items[0].quantity"}},
	"quantity too large":       {order(`"quantity":2`, `"quantity":99999999999999999999`), []string{"body.items[0].quantity"}},
	"quantity as float":        {order(`"quantity":2`, `"quantity":2.0`), []string{"body"}},
	"price as text":            {order("5.25", `"5.25"`), []string{"body.items[0].unitPrice"}},
	"price negative":           {order("5.25", "-0.01"), []string{"body.items[0].unitPrice"}},
	"price null":               {order("5.25", "null"), []string{"body.items[0].unitPrice"}},
	"price too exact":          {order("5.25", "5.255"), []string{"body.items[0].unitPrice"}},
	"price far too exact":      {order("5.25", "5.25000000000001"), []string{"body"}},
	"price too large":          {order("5.25", "1000000000001"), []string{"body.items[0].unitPrice"}},
	"unknown currency":         {order("USD", "XXX"), []string{"body.paymentMethod.currency"}},
	"currency in small":        {order("USD", "usd"), []string{"body.paymentMethod.currency"}},
	"yen with a fraction":      {order("USD", "JPY"), []string{"body.items[0].unitPrice", "body.paymentMethod.amount"}},
	"items missing":            {order(`"items"`, `"charges":[],"itemz"`), []string{"body", "body.itemz"}},
	"items null":               {order(`[{"productId":"p-1","quantity":2,"unitPrice":5.25,"warehouseId":"wh-1"}]`, `null`), []string{"body.items"}},
	"items empty":              {order(`{"productId":"p-1","quantity":2,"unitPrice":5.25,"warehouseId":"wh-1"}`, ``), []string{"body.items"}},
	"501 items":                {order(`{"productId":"p-1","quantity":2,"unitPrice":5.25,"warehouseId":"wh-1"}`, manyItems(501)), []string{"body.items"}},
	"bad order ID":             {order("ord-1", "-ord"), []string{"body.orderId"}},
	"long order ID":            {order("ord-1", strings.Repeat("o", 129)), []string{"body.orderId"}},
	"order ID with a newline":  {order("ord-1", `ord\n1`), []string{"body.orderId"}},
	"long string":              {order("STANDARD", strings.Repeat("x", 1025)), []string{"body.shippingMethod"}},
	"long string in metadata":  {order(`"a":1`, `"a":"`+strings.Repeat("é", 1025)+`"`), []string{"body.metadata.a"}},
	"empty token":              {order("tok_secret", ""), []string{"body.paymentMethod.token"}},
	"card number":              {order("tok_secret", "4242 4242 4242 4242"), []string{"body.paymentMethod.token"}},
	"card number of 13 digits": {order("tok_secret", "4222222222222"), []string{"body.paymentMethod.token"}},
	"card number of 19":        {order("tok_secret", "6304000000000000000"), []string{"body.paymentMethod.token"}},
	"card in a token":          {order("tok_secret", "card 4242-4242-4242-4242"), []string{"body.paymentMethod.token"}},
	"card in metadata":         {order(`"a":1`, `"a":"4242 4242 4242 4242"`), []string{"body.metadata.a"}},
	"card as a number":         {order(`"a":1`, `"a":[1,{"b":4242424242424242}]`), []string{"body.metadata.a[1].b"}},
	"card in a sentence":       {order(`"a":1`, `"a":{"b":["paid with 4242-4242-4242-4242, thanks"]}`), []string{"body.metadata.a.b[0]"}},
	"card by escapes":          {order(`"a":1`, `"a":"42424242 42424242"`), []string{"body.metadata.a"}},
	"card as a name":           {order(`"a":1`, `"a":{"4242424242424242":"4242424242424242"}`), []string{"body.metadata.a"}},
	"several cards":            {order(`"a":1`, `"a":"4242424242424242","b":1,"c":"378282246310005"`), []string{"body.metadata.a", "body.metadata.c"}},
	"unknown priority":         {order(`"metadata"`, `"options":{"priority":"URGENT"},"metadata"`), []string{"body.options.priority"}},
	"charge of unknown type":   {order(`"metadata"`, `"charges":[{"type":"FEE","amount":1}],"metadata"`), []string{"body.charges[0].type"}},
	"metadata as list":         {order(`{"a":1}`, `[1]`), []string{"body.metadata"}},
	"metadata as text":         {order(`{"a":1}`, `"x"`), []string{"body.metadata"}},
	"metadata too large":       {order(`"a":1`, bigMetadata(16<<10)), []string{"body.metadata"}},
	"metadata 9 deep":          {order(`{"a":1}`, strings.Repeat(`{"a":`, 8)+`{}`+strings.Repeat(`}`, 8)), []string{"body.metadata"}},
	"several faults": {order(`"quantity":2,"unitPrice":5.25`, `"quantity":0,"unitPrice":-1,"surplus":true`),
		[]string{"body.items[0].quantity", "body.items[0].surplus", "body.items[0].unitPrice"}},
}

func deepPath(levels int) string { return "body.metadata" + strings.Repeat(".a", levels-1) }

func manyItems(n int) string {
	return strings.TrimSuffix(strings.Repeat(`{"productId":"p-1","quantity":1,"unitPrice":0.01},`, n), ",")
}

// bigMetadata are members of an object of a bit more than size bytes.
func bigMetadata(size int) string {
	var text strings.Builder
	for i := 0; text.Len() < size; i++ {
		fmt.Fprintf(&text, `"m%d":"%s",`, i, strings.Repeat("x", 1000))
	}
	return strings.TrimSuffix(text.String(), ",")
}

func TestFaultyOrdersAreRefusedWithAllTheirFaults(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for name, c := range faultyOrders {
		t.Run(name, func(t *testing.T) {
			got := s.post(t, "/workflows/order/start", c.body).is(400)
			found := slices.Sorted(maps.Keys(got.violations()))
			if !slices.Equal(found, c.paths) {
				t.Errorf("violations at %q, want %q: %s", found, c.paths, got.body)
			}
			for _, secret := range []string{"tok_secret", "4242", "99999999"} {
				if strings.Contains(string(got.body), secret) {
					t.Errorf("the answer repeats a value: %s", got.body)
				}
			}
		})
	}
	if n := s.callCount(); n > 0 {
		t.Errorf("%d faulty orders reached the engine", n)
	}
}

func TestUnusualButValidOrdersAreTaken(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"digits that are no card": order(`"a":1`, `"a":["4242424242424243",1700000000000,"550e8400-4242-4242-8424-242424242424","+5511987654321"]`),
		"an order ID of digits":   order("ord-1", "4242424242424242"),
		"spaces":                  " \r\n\t" + order("", "") + "\n ",
		"escapes":                 order("STANDARD", `\u0053TANDARD \ud83d\ude00 \"\\\/\b\f\n\r\t`),
		"amount left out":         order(`,"amount":10.50,"currency":"USD"`, ``),
		"amount with an exponent": order("10.50", "105e-1"),
		"options null":            order(`"metadata"`, `"options":null,"metadata"`),
		"metadata null":           order(`{"a":1}`, `null`),
		"string of 1024 letters":  order("STANDARD", strings.Repeat("é", 1024)),
		"order ID of 128":         order("ord-1", strings.Repeat("o", 128)),
		"metadata 8 deep":         order(`{"a":1}`, strings.Repeat(`{"a":`, 7)+`{}`+strings.Repeat(`}`, 7)),
		"charges":                 order(`"amount":10.50`, `"amount":12.25`)[:len(order("", ""))-1] + `,"charges":[{"type":"TAX","amount":2.75},{"type":"DISCOUNT","amount":1}]}`,
		"500 items": order(`{"productId":"p-1","quantity":2,"unitPrice":5.25,"warehouseId":"wh-1"}`, manyItems(500))[:0] +
			strings.Replace(order(`{"productId":"p-1","quantity":2,"unitPrice":5.25,"warehouseId":"wh-1"}`, manyItems(500)), "10.50", "5.00", 1),
		"yen":             strings.NewReplacer("USD", "JPY", "5.25", "525", "10.50", "1050").Replace(order("", "")),
		"three decimals":  strings.NewReplacer("USD", "KWD", "5.25", "5.255", "10.50", "10.51").Replace(order("", "")),
		"token of digits": order("tok_secret", "4242424242424241"), // fails the check digit
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newServer(t).post(t, "/workflows/order/start", body).is(201)
		})
	}
}

func TestAmountsThatDoNotAddUpBreakARule(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for name, body := range map[string]string{
		"a cent too much":       order("10.50", "10.51"),
		"charge forgotten":      order(`"metadata"`, `"charges":[{"type":"TAX","amount":0.01}],"metadata"`),
		"discount not taken":    order(`"metadata"`, `"charges":[{"type":"DISCOUNT","amount":0.50}],"metadata"`),
		"more discount than is": order(`"metadata"`, `"charges":[{"type":"DISCOUNT","amount":10.51}],"metadata"`),
	} {
		e := s.post(t, "/workflows/order/start", body).is(422).code(coordination.ErrBusinessRuleViolation)
		if name == "a cent too much" && !strings.Contains(string(e.Details), `"expected":10.50`) {
			t.Errorf("details are %s", e.Details)
		}
	}
	if n := s.callCount(); n > 0 {
		t.Errorf("%d wrong orders reached the engine", n)
	}
}

func TestEngineGetsTheOrderWithItsDefaults(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	body := order(`,"amount":10.50,"currency":"USD"`, ``)
	body = strings.Replace(body, `{"a":1}`, `{"exact":12345678901234567890.10,"deep":{"b":[1,{}]}}`, 1)
	id := s.post(t, "/workflows/order/start", body).is(201).tree()["workflowId"].(string)
	state := s.state(id)
	want := strings.Replace(body, `"token":"tok_secret"`, `"token":"tok_secret","amount":10.50,"currency":"USD"`, 1)
	want = strings.Replace(want, `"metadata"`, `"options":{"priority":"NORMAL","requireSignature":false,"giftWrap":false,"expressProcessing":false},"metadata"`, 1)
	if string(state.Input) != want {
		t.Errorf("the engine got\n%s, want\n%s", state.Input, want)
	}
	if state.BusinessKey != "ord-1" || state.CustomerID != "cust-1" || state.Priority != "NORMAL" {
		t.Errorf("business key, customer and priority are %q, %q, %q", state.BusinessKey, state.CustomerID, state.Priority)
	}
}

func TestBodiesOfOtherTypesAndSizes(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, contentType := range []string{"text/plain", "application/cbor", "application/x-www-form-urlencoded", "application/json; charset=latin1",
		"application/problem+json", "multipart/form-data", "application/json/x", ";", "application/jsonx"} {
		got := s.post(t, "/workflows/order/start", order("", ""), "Content-Type", contentType).is(415)
		got.code(coordination.ErrInvalidRequest)
	}
	for i, contentType := range []string{"", "application/json", "application/json; charset=utf-8", "application/json ; charset=UTF-8", "Application/JSON"} {
		s.post(t, "/workflows/order/start", order("ord-1", fmt.Sprintf("ord-%d", i+1)), "Content-Type", contentType).is(201)
	}
	fill := func(size int) string { return order("", "") + strings.Repeat(" ", size-len(order("", ""))) }
	s.post(t, "/workflows/order/start", strings.Replace(fill(rest.MaxBodyBytes), "ord-1", "ord-9", 1)).is(201)
	s.post(t, "/workflows/order/start", fill(rest.MaxBodyBytes+1)).is(413).code(coordination.ErrInvalidRequest)
	s.post(t, "/workflows/order/start", fill(300<<10)).is(413)
	s.post(t, "/workflows/order/start", "").is(400).code(coordination.ErrInvalidRequest)
}

func TestParametersAreAsStrictAsBodies(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for path, violation := range map[string]string{
		"/workflows?size=101":                           "query.size",
		"/workflows?size=0":                             "query.size",
		"/workflows?size=x":                             "query.size",
		"/workflows?page=-1":                            "query.page",
		"/workflows?page=10001":                         "query.page",
		"/workflows?page=1&cursor=abc":                  "query.page",
		"/workflows?page=600&size=20":                   "query.page",
		"/workflows?status=DONE":                        "query.status",
		"/workflows?priority=high":                      "query.priority",
		"/workflows?sort=token,desc":                    "query.sort",
		"/workflows?sort=startedAt%3Bdrop":              "query.sort",
		"/workflows?startedAfter=yesterday":             "query.startedAfter",
		"/workflows?cursor=bad":                         "query.cursor",
		"/workflows?orderId=a&businessKey=b":            "query.orderId",
		"/workflows?unknown=1":                          "query.unknown",
		"/workflows/active?status=ENDED":                "query.status",
		"/workflows?type=%00%ff":                        "query.type",
		"/workflows?customerId=%00":                     "query.customerId",
		"/workflows?businessKey=a'b":                    "query.businessKey",
		"/workflows?errorCode=%ff":                      "query.errorCode",
		"/workflows?step=A-B":                           "query.step",
		"/workflows?cursor=%00":                         "query.cursor",
		"/workflows?size=5&size=6":                      "query.size",
		"/workflows?size=%25zz&%zz=1":                   "query",
		"/workflows?type=A;size=1":                      "query",
		"/workflows/metrics?type=%00":                   "query.type",
		"/workflows/active?step=X":                      "query.step",
		"/workflows/metrics?period=YEAR":                "query.period",
		"/workflows/metrics?includeHistorical=maybe":    "query.includeHistorical",
		"/workflows/" + absentID + "/events?cursor=abc": "query.cursor",
		"/workflows/" + absentID + "/events?size=101":   "query.size",
	} {
		if found := s.get(t, path).is(400).violations(); found[violation] == "" {
			t.Errorf("%s: violations are %v", path, found)
		}
	}
	for name, value := range map[string]string{"X-Idempotency-Key": "with space", "Idempotency-Key": "é", "X-Idempotency-Key ": strings.Repeat("k", 256)} {
		name = strings.TrimSpace(name)
		if found := s.post(t, "/workflows/order/start", order("", ""), name, value).is(400).violations(); found["header."+name] == "" {
			t.Errorf("%s %q: violations are %v", name, value, found)
		}
	}
	found := s.post(t, "/workflows/order/start", order("", ""), "X-Idempotency-Key", "a", "Idempotency-Key", "b").is(400).violations()
	if found["header.Idempotency-Key"] == "" {
		t.Errorf("two different keys: %v", found)
	}
	if found := s.get(t, "/workflows/"+absentID+"/stream", "Last-Event-ID", "x").is(400).violations(); found["header.Last-Event-ID"] == "" {
		t.Errorf("Last-Event-ID: %v", found)
	}
}

// FuzzStart throws anything at the strictest of the bodies: no answer may be a
// fault of the service.
func FuzzStart(f *testing.F) {
	for _, c := range faultyOrders {
		if len(c.body) < 2000 {
			f.Add(c.body)
		}
	}
	f.Add(order("", ""))
	s := newServer(f)
	f.Fuzz(func(t *testing.T, body string) {
		if got := s.post(t, "/workflows/order/start", body); got.status >= 500 {
			t.Fatalf("%d: %s", got.status, got.body)
		}
		if got := s.post(t, "/workflows/start", `{"type":"ORDER_FULFILLMENT","businessKey":"k","input":`+body+`}`); got.status >= 500 {
			t.Fatalf("%d: %s", got.status, got.body)
		}
	})
}
