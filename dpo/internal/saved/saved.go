package saved

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/posttrain/posttrain/train"
)

// Described is a name with the hyperparameters behind it; a function has none.
func Described(name string, v any) string {
	if raw, err := json.Marshal(v); err == nil && string(raw) != "{}" {
		return name + " " + string(raw)
	}
	return name
}

// Unchanged wants equal options, by name; the error wraps train.ErrOptionsChanged.
func Unchanged(now, before map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if now[name] != before[name] {
			return fmt.Errorf("%w since the run began: %s: got %s, want %s as before", train.ErrOptionsChanged, name, now[name], before[name])
		}
	}
	return nil
}
