package config

import (
	"errors"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// Program is the name of the executable in help texts and errors.
const Program = "coordinator"

// Command is what the command line asks for: [Serve], [Dev], [Token],
// [MigrateUp], [MigrateStatus], [KeysNew], [KeysRotate], [OpenAPI], [AsyncAPI],
// [Version] or [Help].
type Command interface{ command() }

// Help was asked for, and has been printed.
type Help struct{}

// Version prints the version of the program.
type Version struct{}

// Serve runs the service until it is told to stop.
type Serve struct {
	Service
}

// Dev runs the service with development defaults and two example orders.
type Dev struct {
	Service
	Once bool `help:"Exit when both example orders have ended: 0 if they ended as they should, else 1."`
}

// OpenAPI prints the API's document.
type OpenAPI struct {
	Version string `default:"3.1" enum:"3.1,3.0" help:"OpenAPI version: ${enum}."`
}

// AsyncAPI prints the document of the message bus.
type AsyncAPI struct {
	Schemas string `placeholder:"DIR" help:"Instead, write the JSON Schema of each message into a directory."`
}

// MigrateUp brings the schema of a SQL store up to date.
type MigrateUp struct {
	Store Store `default:"${store}" placeholder:"STORE" help:"sqlite:PATH or postgres://…"`
}

// MigrateStatus lists the migrations of a SQL store.
type MigrateStatus struct {
	Store Store `default:"${store}" placeholder:"STORE" help:"sqlite:PATH or postgres://…"`
}

func (Help) command()          {}
func (Version) command()       {}
func (Serve) command()         {}
func (Dev) command()           {}
func (Token) command()         {}
func (OpenAPI) command()       {}
func (AsyncAPI) command()      {}
func (MigrateUp) command()     {}
func (MigrateStatus) command() {}

// grammar is the whole command line.
type grammar struct {
	Serve   Serve `cmd:"" help:"Run the service."`
	Dev     Dev   `cmd:"" help:"Run the service with a memory store, simulated participants and two example orders."`
	Token   Token `cmd:"" help:"Print a token signed with the configured secret."`
	Migrate struct {
		Up     MigrateUp     `cmd:"" help:"Bring the schema up to date."`
		Status MigrateStatus `cmd:"" help:"List the migrations and which of them are applied."`
	} `cmd:"" help:"Manage the schema of a SQL store."`
	Keys struct {
		New    KeysNew    `cmd:"" help:"Print a new key."`
		Rotate KeysRotate `cmd:"" help:"Seal with the newest key what can be sealed again, and say what needs older ones."`
	} `cmd:"" help:"Manage the keys that encrypt what is stored."`
	OpenAPI  OpenAPI  `cmd:"" name:"openapi" help:"Print the OpenAPI document (YAML)."`
	AsyncAPI AsyncAPI `cmd:"" name:"asyncapi" help:"Print the AsyncAPI document of the message bus (YAML)."`
	Version  Version  `cmd:"" help:"Print the version."`
}

// UsageError is a command line or environment that cannot be obeyed.
type UsageError struct{ line string }

// Error is one line that names the setting.
func (e *UsageError) Error() string { return e.line }

// usage makes a UsageError about a setting.
func usage(setting, fault string) error {
	return &UsageError{line: setting + ": " + fault}
}

// Parse reads the arguments, without the program's name, and the environment.
// If help is asked for it is written to help. Errors are [*UsageError].
func Parse(args []string, environment Environment, help io.Writer) (Command, error) {
	var line grammar
	helped := false
	parser, err := kong.New(&line,
		kong.Name(Program),
		kong.Description("Coordinates orders across services as sagas. Every flag is also a variable: --log-level is COORDINATION_LOG_LEVEL."),
		kong.Writers(help, help),
		kong.Exit(func(int) { helped = true }),
		kong.Resolvers(environment.resolver()),
		kong.Vars{"store": DefaultStore, "retention": DefaultRetention, "secret_bytes": minSecretText},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
	)
	if err != nil {
		return nil, err
	}
	parsed, err := parser.Parse(args)
	if helped {
		return Help{}, nil
	}
	if err != nil {
		return nil, &UsageError{line: oneLine(err)}
	}
	return line.selected(parsed.Command())
}

// selected completes and checks the command that was named.
func (g *grammar) selected(name string) (Command, error) {
	switch name {
	case "serve":
		g.Serve.fill(serveDefaults)
		return g.Serve, g.Serve.check(true)
	case "dev":
		g.Dev.fill(devDefaults)
		return g.Dev, g.Dev.check()
	case "token":
		return g.Token, g.Token.check()
	case "migrate up":
		return g.Migrate.Up, g.Migrate.Up.Store.checkSQL()
	case "migrate status":
		return g.Migrate.Status, g.Migrate.Status.Store.checkSQL()
	case "keys new":
		return g.Keys.New, nil
	case "keys rotate":
		return g.Keys.Rotate, g.Keys.Rotate.check()
	case "openapi":
		return g.OpenAPI, nil
	case "asyncapi":
		return g.AsyncAPI, nil
	case "version":
		return g.Version, nil
	}
	return nil, &UsageError{line: "unknown command " + name}
}

// oneLine is the message of a parser's error without line breaks.
func oneLine(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) {
		err = parse.Unwrap()
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}
