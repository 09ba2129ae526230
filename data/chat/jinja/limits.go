package jinja

import (
	"errors"
	"fmt"
)

// Limits bounds what a template may use. Zero fields take their defaults.
type Limits struct {
	SourceBytes int // size of the template (256 KiB)
	Depth       int // nested evaluations: expressions, statements, macro calls, values (4000)
	// Steps bounds the work of one rendering (20 million, a few seconds): one for
	// each operation and list item, one for each 64 bytes of text made or looked at.
	Steps int
	// Bytes bounds what one rendering makes, still in use or not: texts, lists,
	// dicts (256 MiB).
	Bytes       int
	OutputBytes int // length of the text and of any string on the way (16 MiB)
	RangeItems  int // length of range(…) (100,000, as Jinja's sandbox)
}

// Validate reports every negative field.
func (l Limits) Validate() error {
	var errs []error
	for _, f := range []struct {
		name string
		got  int
	}{
		{"SourceBytes", l.SourceBytes}, {"Depth", l.Depth}, {"Steps", l.Steps}, {"Bytes", l.Bytes},
		{"OutputBytes", l.OutputBytes}, {"RangeItems", l.RangeItems},
	} {
		if f.got < 0 {
			errs = append(errs, fmt.Errorf("jinja: Limits.%s: got %d, want 0 (default) or more", f.name, f.got))
		}
	}
	return errors.Join(errs...)
}

func (l Limits) withDefaults() Limits {
	for _, f := range []struct {
		field *int
		value int
	}{
		{&l.SourceBytes, 256 << 10}, {&l.Depth, 4000}, {&l.Steps, 20_000_000}, {&l.Bytes, 256 << 20},
		{&l.OutputBytes, 16 << 20}, {&l.RangeItems, 100_000},
	} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	return l
}
