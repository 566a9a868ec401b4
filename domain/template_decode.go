package domain

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// decodingFaults says where a text that is no template goes wrong: which
// members are no durations, which the decoder does not tell, or else its error.
func decodingFaults(data []byte, err error) []string {
	if !errors.Is(err, ErrDuration) {
		return []string{err.Error()}
	}
	var faults []string
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch v := value.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(v)) {
				at := strings.TrimPrefix(path+"."+name, ".")
				text, isText := v[name].(string)
				if _, err := ParseDuration(text); isText && durationMembers[name] && err != nil {
					faults = append(faults, at+": "+err.Error())
				}
				if name != "parameters" {
					walk(at, v[name])
				}
			}
		case []any:
			for i, element := range v {
				walk(path+"["+strconv.Itoa(i)+"]", element)
			}
		}
	}
	var tree any
	if json.Unmarshal(data, &tree) == nil {
		walk("", tree)
	}
	if faults == nil {
		return []string{err.Error()}
	}
	return faults
}

// durationMembers are the members of a template that are durations.
var durationMembers = map[string]bool{"timeout": true, "estimatedDuration": true, "parkFor": true, "initialInterval": true, "maxInterval": true}
