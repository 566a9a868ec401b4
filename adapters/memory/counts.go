package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// counters hold the sums of counts by bucket and then by what is counted.
type counters map[time.Time]map[counted]*sum

type counted struct {
	workflowType string
	name         ports.CountName
	label        string
}

type sum struct {
	n     int64
	total time.Duration
}

func (c counters) add(count *ports.Count) {
	bucket := storedTime(count.Bucket)
	sums := c[bucket]
	if sums == nil {
		sums = map[counted]*sum{}
		c[bucket] = sums
	}
	key := counted{count.Type, count.Name, count.Label}
	s := sums[key]
	if s == nil {
		s = &sum{}
		sums[key] = s
	}
	s.n += count.N
	s.total += count.Total
}

// Counts gives sums ordered by bucket, type, name and label.
func (s *Store) Counts(ctx context.Context, from, to time.Time, workflowType string) ([]ports.Count, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	var counts []ports.Count
	for bucket, sums := range s.counts {
		if bucket.Before(from) || !bucket.Before(to) {
			continue
		}
		for key, sum := range sums {
			if workflowType == "" || key.workflowType == workflowType {
				counts = append(counts, ports.Count{
					Bucket: bucket, Type: key.workflowType, Name: key.name, Label: key.label, N: sum.n, Total: sum.total,
				})
			}
		}
	}
	slices.SortFunc(counts, compareCounts)
	return counts, nil
}

func compareCounts(a, b ports.Count) int {
	return cmp.Or(a.Bucket.Compare(b.Bucket), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Label, b.Label))
}
