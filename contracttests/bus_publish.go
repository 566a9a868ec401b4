package contracttests

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"

	"github.com/firstviscount/platform-coordination/ports"
)

func busPublishRules() []BusRule {
	return []BusRule{
		busRule("a delivery has the ID, Key, Headers and Body that were published", checkContents),
		busRule("a body of MaxMessageBytes is carried, a longer one is ErrMessageRefused, which names the limit", checkLimit),
		busRule("an ID, Key, topic or group that has not the agreed form is refused", checkForms),
		busRule("Publish returns when ctx ends at the latest", checkPublishContext),
		busRule("Publish has taken its copy when it returns", checkPublisherReuses),
		busRule("many may publish at once, and every message that was taken is delivered", checkParallelPublishers),
		busRule("a message for a topic that nobody ever subscribed to may be dropped, but is no error", checkNobody),
		busRule("Ping is nil while the broker can be reached", func(p *busProbe) { p.must(p.bus.Ping(p.ctx), "Ping") }),
	}
}

// everyByte is a body that is not text.
func everyByte() []byte {
	body := make([]byte, 0, 512)
	for n := range 256 {
		body = append(body, byte(n), byte(255-n))
	}
	return body
}

func checkContents(p *busProbe) {
	var printable strings.Builder
	for c := byte('!'); c <= '~'; c++ {
		printable.WriteByte(c)
	}
	long := strings.Repeat("x", 255)
	wanted := []ports.Message{
		{ID: "empty"},
		{ID: "binary", Key: "k", Body: everyByte()},
		{ID: "headers", Body: []byte("{}"), Headers: map[string]string{"content-type": "application/cloudevents+json; charset=utf-8",
			"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "x-name": "Zoë, \"quoted\"; a=b: c"}},
		{ID: printable.String(), Key: printable.String(), Body: []byte("printable")},
		{ID: long, Key: long, Body: []byte("long")},
		{ID: "saga-1:1:PAYMENT:execute/2", Key: "saga-1", Body: []byte(" \r\n{}\x00\n")},
	}
	in := &inbox{}
	defer p.subscribe(p.group, 1, in.take)()
	p.publish(wanted...)
	for _, want := range wanted {
		p.eventually("the delivery of "+want.ID, func() bool { return len(in.of(want.ID)) > 0 })
		p.same(in.of(want.ID)[0].Message, want)
	}
}

// same ends the rule unless a message came as it was published.
func (p *busProbe) same(got, want ports.Message) {
	p.want(got.Key == want.Key, "%s: Key is %q, want %q", want.ID, got.Key, want.Key)
	p.want(maps.Equal(got.Headers, want.Headers), "%s: Headers are %v, want %v", want.ID, got.Headers, want.Headers)
	p.want(string(got.Body) == string(want.Body), "%s: Body of %d bytes is not the one of %d bytes that was published", want.ID, len(got.Body), len(want.Body))
}

func checkLimit(p *busProbe) {
	in := &inbox{}
	defer p.subscribe(p.group, 1, in.take)()
	full := ports.Message{ID: "full", Key: "k", Headers: map[string]string{"content-type": "application/octet-stream"},
		Body: []byte(strings.Repeat("0123456789abcdef", ports.MaxMessageBytes/16))}
	p.publish(full)
	p.eventually("the delivery of a message of MaxMessageBytes", func() bool { return len(in.of("full")) > 0 })
	p.same(in.of("full")[0].Message, full)
	full.ID, full.Body = "over", append(full.Body, 'x')
	err := p.bus.Publish(p.ctx, p.topic, full)
	p.wantErr(err, ports.ErrMessageRefused, "Publish of MaxMessageBytes+1")
	p.want(strings.Contains(err.Error(), strconv.Itoa(ports.MaxMessageBytes)), "the error does not name the limit: %v", err)
	p.publish(message(1))
	p.arrive(in, 1, 2)
	p.want(len(in.of("over")) == 0, "the refused message was delivered")
}

func checkForms(p *busProbe) {
	tooLong := strings.Repeat("x", 256)
	for _, id := range []string{"", "a b", "a\nb", "é", "a\x7f", tooLong} {
		p.wantErr(p.bus.Publish(p.ctx, p.topic, ports.Message{ID: id}), ports.ErrMessageRefused, fmt.Sprintf("Publish with ID %q", id))
	}
	for _, key := range []string{" ", "a b", "a\tb", "é", tooLong} {
		p.wantErr(p.bus.Publish(p.ctx, p.topic, ports.Message{ID: "1", Key: key}), ports.ErrMessageRefused, fmt.Sprintf("Publish with Key %q", key))
	}
	for _, topic := range []string{"", ".", "a..b", "a.", "a b", "a.*", "a.>", "$JS.API.STREAM.PURGE", "a/b", tooLong} {
		what := fmt.Sprintf("topic %q", topic)
		p.wantErr(p.bus.Publish(p.ctx, topic, message(1)), ports.ErrMessageRefused, "Publish to "+what)
		p.want(p.bus.Subscribe(p.ctx, ports.Subscription{Topic: topic, Group: p.group, Handle: new(inbox).take}) != nil, "Subscribe took %s", what)
	}
	for _, group := range []string{"", "A", "a_b", "a.b", "a b", strings.Repeat("x", 65)} {
		p.want(p.bus.Subscribe(p.ctx, ports.Subscription{Topic: p.topic, Group: group, Handle: new(inbox).take}) != nil, "Subscribe took group %q", group)
	}
}

func checkPublishContext(p *busProbe) {
	ended, end := context.WithCancel(p.ctx)
	end()
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		_ = p.bus.Publish(ended, p.topic, message(1)) // any answer, if only it comes
	}()
	p.await(returned, "Publish returning though its context has ended")
}

func checkPublisherReuses(p *busProbe) {
	in := &inbox{}
	release := make(chan struct{})
	defer p.subscribe(p.group, 1, func(ctx context.Context, m ports.Message) error {
		<-release
		return in.take(ctx, m)
	})()
	first, second := message(1), message(2)
	first.Headers = map[string]string{"content-type": "a"}
	first.Body, second.Body = []byte("first"), []byte("second")
	want := ports.Message{ID: second.ID, Body: []byte("second")}
	p.publish(first, second)
	copy(first.Body, "XXXXX")
	copy(second.Body, "YYYYYY")
	first.Headers["content-type"] = "b"
	close(release)
	p.arrive(in, 1, 3)
	p.same(in.of(second.ID)[0].Message, want)
	p.same(in.of(first.ID)[0].Message, ports.Message{ID: first.ID, Headers: map[string]string{"content-type": "a"}, Body: []byte("first")})
}

func checkParallelPublishers(p *busProbe) {
	const publishers, each = 16, 25
	in := &inbox{}
	defer p.subscribe(p.group, 8, in.take)()
	errs := make([]error, publishers)
	var all sync.WaitGroup
	for i := range publishers {
		all.Go(func() {
			for n := range each {
				errs[i] = errors.Join(errs[i], p.bus.Publish(p.ctx, p.topic, message(i*each+n)))
			}
		})
	}
	all.Wait()
	p.must(errors.Join(errs...), "Publish")
	p.arrive(in, 0, publishers*each)
}

func checkNobody(p *busProbe) { p.publish(message(1)) }
