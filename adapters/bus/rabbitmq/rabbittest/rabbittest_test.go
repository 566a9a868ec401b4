package rabbittest

import (
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestMissingServerSaysWhatToRun(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := findIn([]string{filepath.Join(t.TempDir(), "*")}, nil)
	if !errors.Is(err, errNoServer) || !strings.Contains(err.Error(), "scripts/need-rabbitmq") {
		t.Errorf("without a server the error is %v", err)
	}
}

func TestEndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.Stop()
	s.Stop()
	for _, port := range s.ports {
		if conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			conn.Close()
			t.Errorf("port %d is still served", port)
		}
	}
}
