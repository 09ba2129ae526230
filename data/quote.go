package data

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// quote returns s as a JSON string without HTML escapes. Marshalling a string
// cannot fail.
func quote(s string) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return []byte(`""`)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

func lengths(e Example) string {
	return fmt.Sprintf("%d ids, %d roles and %d mask entries", len(e.IDs), len(e.Roles), len(e.Mask))
}
