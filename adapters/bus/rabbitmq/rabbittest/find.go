package rabbittest

import (
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
)

// errNoServer says what to do about a machine without RabbitMQ. Tests fail with
// it rather than skip: a bus that was not tested is not known to work.
var errNoServer = errors.New("rabbittest: no RabbitMQ server found; run scripts/need-rabbitmq, which installs it")

// programs are the paths of what a server is made of.
type programs struct {
	server string // the script that starts it
	epmd   string // the name service of Erlang
}

// serverPlaces is where packages put the script, which is not what they put on
// the PATH: that wants to be root and to run as another user.
var serverPlaces = []string{
	"/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server",
	"/opt/homebrew/opt/rabbitmq/sbin/rabbitmq-server",
	"/usr/local/opt/rabbitmq/sbin/rabbitmq-server",
}

var epmdPlaces = []string{"/usr/lib/erlang/bin/epmd", "/usr/lib/erlang/erts-*/bin/epmd", "/usr/local/lib/erlang/bin/epmd"}

func find() (programs, error) {
	return findIn(serverPlaces, epmdPlaces)
}

func findIn(serverPlaces, epmdPlaces []string) (found programs, err error) {
	if found.server = firstOf(serverPlaces, "rabbitmq-server"); found.server == "" {
		return programs{}, errNoServer
	}
	if found.epmd = firstOf(epmdPlaces, "epmd"); found.epmd == "" {
		return programs{}, errNoServer
	}
	return found, nil
}

// firstOf is the newest program at one of the places, or else on the PATH.
func firstOf(places []string, name string) string {
	for _, place := range places {
		if matches, _ := filepath.Glob(place); len(matches) > 0 {
			return slices.Max(matches)
		}
	}
	path, _ := exec.LookPath(name)
	return path
}

// maxOutput bounds what is kept of what a server says, in bytes.
const maxOutput = 4096

// output keeps the end of what a process says. It is safe for concurrent use.
type output struct {
	mu   sync.Mutex
	text []byte
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p...)
	o.text = o.text[max(0, len(o.text)-maxOutput):]
	return len(p), nil
}

func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}
