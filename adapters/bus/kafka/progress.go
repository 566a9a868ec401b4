package kafka

// progress is how far a partition was acknowledged. It is not safe for
// concurrent use.
type progress struct {
	lost  bool // the partition is somebody else's now
	next  int64
	open  map[int64]struct{} // fetched and not acknowledged
	order []int64            // of what was fetched; some of it acknowledged
}

// sparse is how many acknowledged offsets order may hold besides as many as are open.
const sparse = 1024

// fetched adds an offset, which is greater than all before.
func (p *progress) fetched(offset int64) {
	if p.open == nil {
		p.open = map[int64]struct{}{}
	}
	p.open[offset] = struct{}{}
	p.order = append(p.order, offset)
	p.next = offset + 1
}

// acked takes an offset out.
func (p *progress) acked(offset int64) {
	delete(p.open, offset)
	for len(p.order) > 0 {
		if _, open := p.open[p.order[0]]; open {
			break
		}
		p.order = p.order[1:]
	}
	if len(p.order) > 2*len(p.open)+sparse {
		still := make([]int64, 0, len(p.open))
		for _, offset := range p.order {
			if _, open := p.open[offset]; open {
				still = append(still, offset)
			}
		}
		p.order = still
	}
}

// committable is the offset before which all was acknowledged; ok if anything was fetched.
func (p *progress) committable() (offset int64, ok bool) {
	if len(p.order) > 0 {
		return p.order[0], true
	}
	return p.next, p.open != nil
}
