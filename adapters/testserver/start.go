package testserver

import (
	"os/exec"
	"runtime"
	"sync"
)

// Start starts a command that is killed when this process is gone, however it
// ended, where the system can do that (Linux), and that does not get the
// interrupts of this process's terminal.
func Start(cmd *exec.Cmd) error {
	leash(cmd)
	started := make(chan error, 1)
	spawner() <- func() { started <- cmd.Start() }
	return <-started
}

// Spawner is the name of the goroutine's function that Start leaves behind, for
// tests that look for leaked goroutines: it serves every later Start.
const Spawner = "github.com/firstviscount/platform-coordination/adapters/testserver.spawn"

// spawner starts every process from one thread that never ends: what is to die
// with its parent dies with the thread that started it.
var spawner = sync.OnceValue(func() chan<- func() {
	jobs := make(chan func())
	go spawn(jobs)
	return jobs
})

func spawn(jobs <-chan func()) {
	runtime.LockOSThread()
	for job := range jobs {
		job()
	}
}
