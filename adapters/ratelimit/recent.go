package ratelimit

import "container/list"

// recent is a map of bounded size that forgets what was not asked for longest.
// It is not safe for concurrent use.
type recent[K comparable, V any] struct {
	limit  int
	byKey  map[K]*list.Element
	byTime list.List // of *entry, the last one used first
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

func newRecent[K comparable, V any](limit int) *recent[K, V] {
	return &recent[K, V]{limit: limit, byKey: map[K]*list.Element{}}
}

// get is the value of a key, the zero value at first. The pointer stays valid
// when the key is forgotten.
func (r *recent[K, V]) get(key K) *V {
	if found := r.byKey[key]; found != nil {
		r.byTime.MoveToFront(found)
		return &found.Value.(*entry[K, V]).value
	}
	if len(r.byKey) >= r.limit {
		oldest := r.byTime.Back()
		r.byTime.Remove(oldest)
		delete(r.byKey, oldest.Value.(*entry[K, V]).key)
	}
	added := &entry[K, V]{key: key}
	r.byKey[key] = r.byTime.PushFront(added)
	return &added.value
}
