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
