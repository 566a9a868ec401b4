package coordination

import "encoding/json"

// List is a slice whose JSON form is always an array: a nil List is written as
// [], not as null. A plain slice can be assigned to it.
type List[T any] []T

// MarshalJSON writes the elements as an array.
func (l List[T]) MarshalJSON() ([]byte, error) {
	if l == nil {
		return []byte("[]"), nil
	}
	return json.Marshal([]T(l))
}

// Table is a map whose JSON form is always an object: a nil Table is written as
// {}, not as null. A plain map can be assigned to it.
type Table[K ~string, V any] map[K]V

// MarshalJSON writes the entries as an object, in the order of their keys.
func (t Table[K, V]) MarshalJSON() ([]byte, error) {
	if t == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(map[K]V(t))
}
