package cli

import (
	"encoding/json"
	"fmt"
	"os"
)

// Line prints an event as one line of JSON: the fields of an object behind the
// event's name.
func Line(event string, fields any) error {
	raw, err := json.Marshal(fields)
	if err != nil {
		return fmt.Errorf("event %s: %w", event, err)
	}
	line := fmt.Appendf(nil, `{"event":%q`, event)
	if len(raw) > len("{}") {
		line = append(append(line, ','), raw[1:len(raw)-1]...)
	}
	_, err = os.Stdout.Write(append(line, "}\n"...))
	return err
}
