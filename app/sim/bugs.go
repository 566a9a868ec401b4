package sim

import "github.com/firstviscount/platform-coordination/app/engine"

// bug is a deliberate mistake at one of the seams of a replica. The zero value
// and nil are no mistake.
type bug struct {
	inStore     func(s *simulation, st storePort) storePort
	inPartition func(r *replica, m machine) machine
	inWorld     func(r *replica, w engine.World) engine.World
	inTemplates func() *templates
}

func (b *bug) store(s *simulation, st storePort) storePort {
	if b == nil || b.inStore == nil {
		return st
	}
	return b.inStore(s, st)
}

func (b *bug) partition(r *replica, m machine) machine {
	if b == nil || b.inPartition == nil {
		return m
	}
	return b.inPartition(r, m)
}

func (b *bug) world(r *replica, w engine.World) engine.World {
	if b == nil || b.inWorld == nil {
		return w
	}
	return b.inWorld(r, w)
}

func (b *bug) templates() *templates {
	if b == nil || b.inTemplates == nil {
		return builtin()
	}
	return b.inTemplates()
}
