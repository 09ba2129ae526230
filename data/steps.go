package data

import (
	"encoding/json"
	"fmt"
	"io/fs"
)

// StepRow is a solution in steps, each of them judged: Labels[i] is true where
// Completions[i] is a good step after those before it.
type StepRow struct {
	At          Place
	Prompt      string
	Completions []string
	Labels      []bool // as many as Completions
}

// OpenSteps returns the solutions of a file as a Source, under the rules of
// [Open]. Rows have the columns prompt, completions and labels (TRL's stepwise
// supervision format), with as many labels as completions, true or false (1 and 0
// are taken too). A solution may have no step. opts.Shape has no meaning here.
func OpenSteps(path string, opts ReadOptions) (Source[StepRow], error) {
	fsys, name := root(path)
	return OpenStepsFS(fsys, name, path, opts)
}

// OpenStepsFS is [OpenSteps] for any file system. Errors call it label;
// "" means name.
func OpenStepsFS(fsys fs.FS, name, label string, opts ReadOptions) (Source[StepRow], error) {
	return openRows(fsys, name, label, opts, stepRow)
}

// stepRow reads one object.
func stepRow(r *rowReader) StepRow {
	if !r.cols.has("prompt", "completions", "labels") {
		r.columns("prompt, completions and labels")
		return StepRow{}
	}
	row := StepRow{At: r.at, Prompt: r.text("prompt")}
	for i, raw := range r.list("completions") {
		var text string
		if kindOf(raw) != "a string" || json.Unmarshal(raw, &text) != nil {
			r.fail(fmt.Sprintf("completions[%d]", i), kindOf(raw), "a string")
		}
		row.Completions = append(row.Completions, text)
	}
	for i, raw := range r.list("labels") {
		value, ok := truth(raw)
		if !ok {
			r.fail(fmt.Sprintf("labels[%d]", i), kindOf(raw), "true or false")
		}
		row.Labels = append(row.Labels, value)
	}
	if len(row.Labels) != len(row.Completions) {
		r.fail("labels", fmt.Sprintf("%d labels", len(row.Labels)), fmt.Sprintf("one for each of the %d completions", len(row.Completions)))
	}
	r.refuseMedia()
	return row
}

// list returns a column that must be a list.
func (r *rowReader) list(column string) []json.RawMessage {
	raw, _ := r.cols.get(column)
	items, err := parseList(raw, r.opts.MaxMessages)
	if err != nil {
		r.fail(column, err.Error(), "a list")
	}
	return items
}
