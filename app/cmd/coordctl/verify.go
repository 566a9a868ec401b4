package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/firstviscount/platform-coordination/adapters/bus"
	"github.com/firstviscount/platform-coordination/contracttests/participant"
	"github.com/firstviscount/platform-coordination/contracttests/server"
	"github.com/firstviscount/platform-coordination/contracttests/verify"
	"github.com/firstviscount/platform-coordination/contracttests/webhookconsumer"
	"github.com/firstviscount/platform-coordination/sdk/golden"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// reporting is what every verification has in common.
type reporting struct {
	Rules  []string `name:"rule" placeholder:"ID" help:"Check only these rules, such as same-key."`
	Report string   `placeholder:"FILE" help:"Write a JUnit XML report."`
}

// run checks rules and reports.
func (r *reporting) run(ctx context.Context, out io.Writer, suite, target string, rules []verify.Rule) error {
	rules, err := r.chosen(suite, rules)
	if err != nil {
		return err
	}
	report := verify.Run(ctx, suite, target, rules)
	if err := report.WriteText(out); err != nil {
		return err
	}
	if r.Report != "" {
		if err := writeReport(r.Report, report); err != nil {
			return err
		}
	}
	if report.Failed() > 0 {
		return errBroken
	}
	return nil
}

func writeReport(name string, report *verify.Report) (err error) {
	file, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("--report: %w", err)
	}
	return errors.Join(report.WriteJUnit(file), file.Close())
}

func (r *reporting) chosen(suite string, rules []verify.Rule) ([]verify.Rule, error) {
	if len(r.Rules) == 0 {
		return rules, nil
	}
	var chosen []verify.Rule
	for _, name := range r.Rules {
		id := suite + "/" + strings.TrimPrefix(name, suite+"/")
		i := slices.IndexFunc(rules, func(rule verify.Rule) bool { return rule.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("--rule: there is no rule %s", id)
		}
		chosen = append(chosen, rules[i])
	}
	return chosen, nil
}

type participantCmd struct {
	reporting
	URL      string `placeholder:"URL" xor:"way" required:"" help:"Where commands go: POST URL/action."`
	Bus      string `placeholder:"URL" xor:"way" required:"" help:"The message bus instead: nats://…, kafka://…, amqp://… or postgres://…; no coordinator may be on it."`
	Service  string `required:"" help:"The participant's name."`
	Secret   string `placeholder:"whsec_…" env:"PARTICIPANTS_SECRET" help:"What commands are signed with; without it signatures are not checked."`
	Samples  string `placeholder:"FILE" help:"JSON with the commands that the participant can carry out: {\"do\": {\"action\": …, \"parameters\": {…}}, \"undo\": {…}, \"refused\": {…}, \"later\": {…}, \"retry\": {…}}."`
	Do       string `placeholder:"ACTION" help:"Instead of --samples: an action that needs no parameters…"`
	Undo     string `placeholder:"ACTION" help:"…and the action that undoes it."`
	Callback string `placeholder:"HOST:PORT" help:"Where callbacks are taken (default: a free port of 127.0.0.1)."`
}

// samples are the commands of a participant.
type samples struct {
	Do      participant.Sample  `json:"do"`
	Undo    participant.Sample  `json:"undo"`
	Refused *participant.Sample `json:"refused"`
	Later   *participant.Sample `json:"later"`
	Retry   *participant.Sample `json:"retry"`
}

// samples finds the commands: those that are given, or those of an example service.
func (c *participantCmd) samples() (s samples, err error) {
	switch {
	case c.Samples != "":
		text, err := os.ReadFile(c.Samples)
		if err != nil {
			return s, fmt.Errorf("--samples: %w", err)
		}
		if err := json.Unmarshal(text, &s); err != nil {
			return s, fmt.Errorf("--samples: %w", err)
		}
		return s, nil
	case c.Do != "" || c.Undo != "":
		s.Do.Action, s.Undo.Action = c.Do, c.Undo
		return s, nil
	}
	var known map[string]samples
	if err := json.Unmarshal(golden.Samples(), &known); err != nil {
		return s, err
	}
	s, ok := known[c.Service]
	if !ok {
		return s, fmt.Errorf("give --samples, or --do and --undo: what %s can do is not known; known are %s",
			c.Service, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	return s, nil
}

// Run verifies a participant.
func (c *participantCmd) Run(ctx context.Context, out io.Writer) (err error) {
	s, err := c.samples()
	if err != nil {
		return err
	}
	target := participant.Target{URL: c.URL, Service: c.Service, CallbackAddress: c.Callback,
		Do: s.Do, Undo: s.Undo, Refused: s.Refused, Later: s.Later, Retry: s.Retry}
	if c.Secret != "" {
		if target.Secret, err = webhook.ParseSecret(c.Secret); err != nil {
			return fmt.Errorf("--secret: %w", err)
		}
	}
	name := c.Service + " at " + c.URL
	if c.Bus == "" {
		if err := reach(ctx, c.URL); err != nil {
			return err
		}
	}
	if c.Bus != "" {
		name = c.Service + " on the message bus"
		if target.Bus, err = bus.Open(ctx, bus.Config{URL: c.Bus, Logger: slog.New(slog.DiscardHandler)}); err != nil {
			return fmt.Errorf("--bus: %w", err)
		}
		defer func() { err = errors.Join(err, target.Bus.Close()) }()
	}
	rules, err := participant.Rules(target)
	if err != nil {
		return err
	}
	return c.run(ctx, out, participant.Suite, name, rules)
}

type webhookCmd struct {
	reporting
	URL    string `required:"" placeholder:"URL" help:"Where webhooks are received."`
	Secret string `required:"" placeholder:"whsec_…" env:"WEBHOOK_SECRET" help:"The secret that the receiver knows."`
}

// Run verifies a receiver of webhooks.
func (c *webhookCmd) Run(ctx context.Context, out io.Writer) error {
	secret, err := webhook.ParseSecret(c.Secret)
	if err != nil {
		return fmt.Errorf("--secret: %w", err)
	}
	if err := reach(ctx, c.URL); err != nil {
		return err
	}
	rules, err := webhookconsumer.Rules(webhookconsumer.Target{URL: c.URL, Secret: secret})
	if err != nil {
		return err
	}
	return c.run(ctx, out, webhookconsumer.Suite, c.URL, rules)
}

type serverCmd struct {
	reporting
	URL   string `required:"" placeholder:"URL" help:"The API's base, such as http://127.0.0.1:8081/api/v1."`
	Token string `required:"" env:"COORDINATION_TOKEN" help:"A bearer token with the role admin."`
}

// Run verifies a server.
func (c *serverCmd) Run(ctx context.Context, out io.Writer) error {
	if err := reach(ctx, c.URL); err != nil {
		return err
	}
	rules, err := server.Rules(server.Target{BaseURL: c.URL, Token: c.Token})
	if err != nil {
		return err
	}
	return c.run(ctx, out, server.Suite, c.URL, rules)
}
