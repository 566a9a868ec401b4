// Package kafka is the message bus on Kafka 3.0 or later.
//
// Each topic is a topic of Kafka, made with Partitions partitions if it is
// missing; the key of a message chooses the partition. A group on a topic is a
// consumer group of its own, called group.topic, which begins at the end of the
// topic when its first subscriber comes. Messages are acknowledged one by one
// and in any order; what is committed is the offset before which all were, so
// that a subscriber that is lost has what came after handled again.
//
// Kafka gives each subscriber its partitions: one that hangs keeps to itself
// what is in them until it is gone.
//
// A cluster that comes back empty gets its topics again; what was in them is
// lost, which is what the database is for.
package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/firstviscount/platform-coordination/adapters/bus/broker"
	"github.com/firstviscount/platform-coordination/ports"
)

// Limits of the transport and its topics.
const (
	// MaxAge is how long a message waits for a group that does not come.
	MaxAge = 7 * 24 * time.Hour
	// Partitions of a topic that is made by this package: how many subscribers
	// of a group can share it.
	Partitions = 12
	// maxBuffered bounds what is published and not yet confirmed.
	maxBuffered = 16_384
	// maxRecordBytes is what a topic takes unless it is told otherwise.
	maxRecordBytes = 1 << 20

	clientName     = "platform-coordination"
	dialTimeout    = 3 * time.Second
	requestTimeout = 5 * time.Second
	watchEvery     = 2 * time.Second
)

// Config of a transport. The zero value is usable.
type Config struct {
	// Logger hears of what goes wrong; nobody if nil.
	Logger *slog.Logger
}

// Transport is a connection to a Kafka cluster.
type Transport struct {
	options []kgo.Opt
	log     *slog.Logger
	life    context.Context
	end     context.CancelFunc
	work    sync.WaitGroup
	closed  sync.Once
	alarm   chan struct{} // something may be wrong with the topics

	mu     sync.Mutex
	client *kgo.Client // publishes and administers
	admin  *kadm.Client
	topics map[string]kadm.TopicID
	feeds  map[*feed]struct{}

	suspicion suspicion
}

var _ broker.Transport = (*Transport)(nil)

var errURL = errors.New("the URL of the bus: want kafka://[user:password@]host:port[,host:port…][?tls=true&sasl=plain|scram-sha-256|scram-sha-512]")

// Open connects to the brokers of a URL,
// kafka://[user:password@]host:port[,host:port…]. With a user it authenticates,
// by the mechanism of the parameter sasl (plain if there is none); tls=true
// encrypts. ports.ErrBusDown if no broker can be reached.
func Open(ctx context.Context, address string, cfg Config) (*Transport, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	options, err := parse(address)
	if err != nil {
		return nil, err
	}
	t := &Transport{log: cfg.Logger, alarm: make(chan struct{}, 1), topics: map[string]kadm.TopicID{}, feeds: map[*feed]struct{}{}}
	t.options = append(options, kgo.ClientID(clientName), kgo.DialTimeout(dialTimeout), kgo.WithHooks(&t.suspicion),
		kgo.RetryTimeout(requestTimeout), kgo.MetadataMinAge(250*time.Millisecond))
	if err := t.connect(); err != nil {
		return nil, err
	}
	if err := t.Ping(ctx); err != nil {
		t.client.Close()
		return nil, err
	}
	t.life, t.end = context.WithCancel(context.Background())
	t.work.Go(t.watch)
	return t, nil
}

func parse(address string) ([]kgo.Opt, error) {
	rest, ok := strings.CutPrefix(address, "kafka://")
	user, hosts := "", rest
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		user, hosts = rest[:at+1], rest[at+1:]
	}
	hosts, query, _ := strings.Cut(hosts, "?")
	hosts = strings.TrimSuffix(hosts, "/")
	u, err := url.Parse("kafka://" + user + "host?" + query)
	if !ok || hosts == "" || err != nil { // the cause may repeat the password
		return nil, errURL
	}
	options := []kgo.Opt{kgo.SeedBrokers(strings.Split(hosts, ",")...)}
	if secure := u.Query().Get("tls"); secure != "" {
		on, err := strconv.ParseBool(secure)
		if err != nil {
			return nil, errURL
		}
		if on {
			options = append(options, kgo.DialTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12}))
		}
	}
	if u.User == nil {
		return options, nil
	}
	password, _ := u.User.Password()
	auth := scram.Auth{User: u.User.Username(), Pass: password}
	switch u.Query().Get("sasl") {
	case "", "plain":
		return append(options, kgo.SASL(plain.Auth{User: auth.User, Pass: auth.Pass}.AsMechanism())), nil
	case "scram-sha-256":
		return append(options, kgo.SASL(auth.AsSha256Mechanism())), nil
	case "scram-sha-512":
		return append(options, kgo.SASL(auth.AsSha512Mechanism())), nil
	}
	return nil, errURL
}

// connect makes the client that publishes, anew if there is one: a client
// remembers too much of a cluster that has come back empty.
func (t *Transport) connect() error {
	client, err := kgo.NewClient(append(t.options, kgo.RequiredAcks(kgo.AllISRAcks()), kgo.MaxBufferedRecords(maxBuffered),
		kgo.ProducerBatchMaxBytes(maxRecordBytes), kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))...)
	if err != nil {
		return errURL
	}
	t.mu.Lock()
	old := t.client
	t.client, t.admin = client, kadm.NewClient(client)
	t.mu.Unlock()
	if old != nil {
		old.Close() // who waits for a confirmation is told that there is none
	}
	return nil
}

func (t *Transport) clients() (*kgo.Client, *kadm.Client) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.client, t.admin
}

func down(err error) error { return fmt.Errorf("%w: Kafka: %w", ports.ErrBusDown, err) }

// Ping reports whether a broker answers.
func (t *Transport) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	client, _ := t.clients()
	if err := client.Ping(ctx); err != nil {
		return down(err)
	}
	return nil
}

// Close ends all that the transport does.
func (t *Transport) Close() error {
	t.closed.Do(func() {
		t.end()
		t.work.Wait()
		client, _ := t.clients()
		client.Close()
	})
	return nil
}

// Publisher publishes with the confirmation of all replicas in sync.
func (t *Transport) Publisher() message.Publisher { return publisher{t} }
