package asyncapi

import "time"

// How the adapters of the brokers do it. Where there are none, as for NATS and
// PostgreSQL, AsyncAPI has no words for it; docs/message-bus.md tells of them.
// A test holds these to the adapters.
const (
	kafkaPartitions = 12
	kafkaMaxAge     = 7 * 24 * time.Hour
	group           = "coordinator" // of all replicas
	amqpPersistent  = 2

	kafkaBinding = "0.5.0" // versions of what the specification says of bindings
	amqpBinding  = "0.3.0"
)

// channelBindings are a topic of Kafka as the coordinator makes it if it is
// missing, and an exchange of RabbitMQ.
func channelBindings(address string) object {
	return object{
		"kafka": object{"topic": address, "partitions": kafkaPartitions,
			"topicConfiguration": object{"retention.ms": kafkaMaxAge.Milliseconds()}, "bindingVersion": kafkaBinding},
		"amqp": object{"is": "routingKey", "bindingVersion": amqpBinding,
			"exchange": object{"name": address, "type": "fanout", "durable": true, "autoDelete": false}},
	}
}

func sendBindings() object {
	return object{"amqp": object{"deliveryMode": amqpPersistent, "bindingVersion": amqpBinding}}
}

// receiveBindings name the group on a topic: with Kafka each is a consumer group.
func receiveBindings(topic string) object {
	return object{
		"kafka": object{"groupId": object{"type": "string", "const": group + "." + topic}, "bindingVersion": kafkaBinding},
		"amqp":  object{"ack": true, "bindingVersion": amqpBinding},
	}
}

// messageBindings say what keeps order with Kafka.
func messageBindings() object {
	return object{"kafka": object{"key": object{"type": "string", "description": "The partitionkey"}, "bindingVersion": kafkaBinding}}
}

// servers are the brokers that --bus can name, with where one usually is. User
// and password are part of its URL.
func servers() object {
	server := func(host, protocol, description string, schemes ...string) object {
		var security []any
		for _, scheme := range schemes {
			security = append(security, reference("#/components/securitySchemes/"+scheme))
		}
		return object{"host": host, "protocol": protocol, "description": description, "security": security}
	}
	return object{
		"nats":     server("localhost:4222", "nats", "NATS with JetStream: --bus nats://…", "user"),
		"kafka":    server("localhost:9092", "kafka", "--bus kafka://…, encrypted with ?tls=true", "plain", "scramSha256", "scramSha512"),
		"rabbitmq": server("localhost:5672", "amqp", "RabbitMQ: --bus amqp://…, encrypted amqps://…", "user"),
		"postgres": server("localhost:5432", "postgres", "PostgreSQL as a broker: --bus postgres://…", "user"),
	}
}

func securitySchemes() object {
	return object{
		"user":        object{"type": "userPassword", "description": "A user of the broker"},
		"plain":       object{"type": "plain", "description": "SASL PLAIN, which is what a URL with a user means"},
		"scramSha256": object{"type": "scramSha256", "description": "?sasl=scram-sha-256"},
		"scramSha512": object{"type": "scramSha512", "description": "?sasl=scram-sha-512"},
	}
}
