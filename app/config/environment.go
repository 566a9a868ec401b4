package config

import (
	"strings"

	"github.com/alecthomas/kong"
)

// environmentPrefix begins every variable that is a flag.
const environmentPrefix = "COORDINATION_"

// Environment looks up a variable, as os.LookupEnv does.
type Environment func(name string) (value string, found bool)

// Variable is the environment variable of a flag, given without its dashes.
func Variable(flag string) string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// resolver supplies flags that the command line leaves out. Empty variables are
// unset ones, because compose files and charts cannot leave a variable out.
func (e Environment) resolver() kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if flag.Name == "help" {
			return nil, nil
		}
		if value, found := e(Variable(flag.Name)); found && value != "" {
			return value, nil
		}
		return nil, nil
	})
}
