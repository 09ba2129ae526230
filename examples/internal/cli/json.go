package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

// Line prints an event as one line of JSON: the fields of an object behind the
// event's name.
func Line(event string, fields any) error {
	var raw bytes.Buffer
	e := json.NewEncoder(&raw)
	e.SetEscapeHTML(false) // tokens such as <eos> stay readable
	if err := e.Encode(fields); err != nil {
		return fmt.Errorf("event %s: %w", event, err)
	}
	line := fmt.Appendf(nil, `{"event":%q`, event)
	if raw.Len() > len("{}\n") {
		line = append(line, ',')
	}
	_, err := os.Stdout.Write(append(line, raw.Bytes()[1:]...))
	return err
}
