package bus

import (
	"sync"
	"time"
)

// maxFaults bounds how many messages that failed are remembered. Beyond it
// others are forgotten, and their pauses begin anew.
const maxFaults = 10_000

// faults remembers the messages of a subscription that failed, until they are
// done with. The zero value is ready.
type faults struct {
	mu   sync.Mutex
	byID map[string]*fault
}

type fault struct {
	pause  time.Duration // the latest
	panics int
}

// failed counts a failure and gives the pause before the next try.
func (f *faults) failed(id string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.of(id)
	e.pause = min(max(2*e.pause, FirstPause), MaxPause)
	return e.pause
}

// panicked counts a panic and gives how many there were.
func (f *faults) panicked(id string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.of(id)
	e.panics++
	return e.panics
}

// forget says that a message is done with.
func (f *faults) forget(id string) {
	f.mu.Lock()
	delete(f.byID, id)
	f.mu.Unlock()
}

func (f *faults) of(id string) *fault {
	if e := f.byID[id]; e != nil {
		return e
	}
	if f.byID == nil {
		f.byID = make(map[string]*fault)
	}
	if len(f.byID) >= maxFaults {
		for other := range f.byID {
			delete(f.byID, other)
			break
		}
	}
	e := &fault{}
	f.byID[id] = e
	return e
}
