package data

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
)

// GradedRow is a prompt with several answers of different worth: with Scores, of
// which the highest is the best, or, where they are nil, with the best one first.
type GradedRow struct {
	At          Place
	Prompt      string
	Completions []string
	Scores      []float64 // as many as Completions, or nil
}

// Answers are the row's examples, each a prompt with a completion.
func (r GradedRow) Answers() []Row {
	rows := make([]Row, len(r.Completions))
	for i, text := range r.Completions {
		rows[i] = Row{Shape: ShapePromptCompletion, At: r.At, Prompt: r.Prompt, Completion: text}
	}
	return rows
}

// OpenGraded returns the graded answers of a file as a Source, under the rules of
// [Open]. Rows have the columns prompt, completions (a list of texts) and perhaps
// scores (as many numbers). opts.Shape has no meaning here.
func OpenGraded(path string, opts ReadOptions) (Source[GradedRow], error) {
	fsys, name := root(path)
	return OpenGradedFS(fsys, name, path, opts)
}

// OpenGradedFS is [OpenGraded] for any file system. Errors call it label;
// "" means name.
func OpenGradedFS(fsys fs.FS, name, label string, opts ReadOptions) (Source[GradedRow], error) {
	return openRows(fsys, name, label, opts, gradedRow)
}

// gradedRow reads one object.
func gradedRow(r *rowReader) GradedRow {
	if !r.cols.has("prompt", "completions") {
		r.columns("prompt, completions and perhaps scores")
		return GradedRow{}
	}
	row := GradedRow{At: r.at, Prompt: r.text("prompt")}
	for i, raw := range r.list("completions") {
		var text string
		if kindOf(raw) != "a string" || json.Unmarshal(raw, &text) != nil {
			r.fail(fmt.Sprintf("completions[%d]", i), kindOf(raw), "a string")
		}
		row.Completions = append(row.Completions, text)
	}
	if r.cols.has("scores") {
		row.Scores = []float64{}
		for i, raw := range r.list("scores") {
			var v float64
			if json.Unmarshal(raw, &v) != nil || kindOf(raw) != "a number" || math.IsInf(v, 0) {
				r.fail(fmt.Sprintf("scores[%d]", i), kindOf(raw), "a number")
			}
			row.Scores = append(row.Scores, v)
		}
		if len(row.Scores) != len(row.Completions) {
			r.fail("scores", fmt.Sprintf("%d scores", len(row.Scores)), fmt.Sprintf("one for each of the %d completions", len(row.Completions)))
		}
	}
	r.refuseMedia()
	return row
}
