package harness

import (
	"fmt"
	"os"
	"strings"
)

// Resident is the most memory that the process ever had resident, in bytes.
func (p *Process) Resident() (int64, error) {
	var kib int64
	line, err := statusLine(p.PID(), "VmHWM:")
	if err == nil {
		_, err = fmt.Sscanf(line, "%d kB", &kib)
	}
	return kib << 10, err
}

// statusLine is the value of a line of a process's status, as Linux shows it.
func statusLine(pid int, name string) (string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, name); found {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("process %d has no %s", pid, name)
}
