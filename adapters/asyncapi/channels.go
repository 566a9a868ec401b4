package asyncapi

import "github.com/firstviscount/platform-coordination/sdk/coordination"

func reference(to string) object { return object{"$ref": to} }

// channel is a topic with the names of its messages.
func channel(address any, description string, names ...string) object {
	list := object{}
	for _, name := range names {
		list[name] = reference("#/components/messages/" + name)
	}
	c := object{"address": address, "description": description, "messages": list}
	if address, ours := address.(string); ours {
		c["bindings"] = channelBindings(address)
	}
	return c
}

// channels are the topics; services are those that there are commands for.
func channels(services []string) object {
	commands := channel(coordination.TopicCommands("{service}"), "The commands of one service, whose instances share a group. "+
		"They hold payment data, addresses and the tokens of callbacks: only the service may read here, and only the coordinator publish.", "command")
	commands["parameters"] = object{"service": object{"description": "Name of the service in the templates", "examples": services}}
	return object{
		"commands": commands,
		"replies":  channel(coordination.TopicReplies, "The answers of all participants. Whoever may publish here may answer any command.", "reply"),
		"events":   channel(coordination.TopicEvents, "The logs of all workflows. Neither inputs nor results are in them. Only the coordinator may publish here.", "event"),
		"requests": channel(coordination.TopicRequests, "Requests of callers. Whoever may publish here has the role service.", "request"),
		"answers": channel(nil, "The topic that a request names in replyto: coordination.answers. and a name, or one that does not begin with coordination.",
			"answer"),
		"quarantine": channel(coordination.TopicQuarantine, "What could not be taken, for people. It holds whatever the messages held.", "quarantined"),
	}
}

// operations are what the coordinator does.
func operations() object {
	request := receive("requests", "request", "Do what is asked, acknowledged after its effect is committed and its answer is with the broker", coordination.TopicRequests)
	request["reply"] = object{"address": object{"location": "$message.payload#/replyto",
		"description": "A request that names none is not answered; if it is refused it is put into quarantine"},
		"channel": reference("#/channels/answers"), "messages": carried("answers", "answer")}
	command := send("commands", "command", "Ask a participant; sent after it is committed, and again until it is answered")
	command["reply"] = object{"channel": reference("#/channels/replies"), "messages": carried("replies", "reply")}
	return object{
		"sendCommand":       command,
		"receiveReply":      receive("replies", "reply", "Take an answer; a late or repeated one changes nothing", coordination.TopicReplies),
		"publishEvent":      send("events", "event", "Tell what has been committed"),
		"receiveRequest":    request,
		"quarantineMessage": send("quarantine", "quarantined", "Put aside what can never be taken, so that it stops nobody"),
	}
}

func carried(channel, message string) []any {
	return []any{reference("#/channels/" + channel + "/messages/" + message)}
}

func operation(action, channel, message, summary string) object {
	return object{"action": action, "summary": summary, "channel": reference("#/channels/" + channel), "messages": carried(channel, message)}
}

func send(channel, message, summary string) object {
	o := operation("send", channel, message, summary)
	o["bindings"] = sendBindings()
	return o
}

func receive(channel, message, summary, topic string) object {
	o := operation("receive", channel, message, summary)
	o["bindings"] = receiveBindings(topic)
	return o
}
