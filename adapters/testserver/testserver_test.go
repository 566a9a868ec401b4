package testserver_test

import (
	"os/exec"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/testserver"
)

func TestPortsAreConsecutiveAndHandedOutOnce(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for range 20 {
		list, err := testserver.Ports(3)
		if err != nil {
			t.Fatal(err)
		}
		for i, port := range list {
			if seen[port] || port != list[0]+i {
				t.Errorf("got %v", list)
			}
			seen[port] = true
		}
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("true")
	if err := testserver.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
