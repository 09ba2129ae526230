package data

import (
	"io/fs"
	"iter"
	"strings"
)

// AnyRow is a row of a file of which it is not known what it holds: one of the
// kinds of this package, or a fault.
type AnyRow struct {
	At Place
	// Kind is a [Shape]'s name for an example, or one of "preference", "unpaired
	// preference", "stepwise" and "prompt only"; "" when no kind has these columns.
	Kind string
	// Examples are what the row is in tokens: one prompt with one completion, or,
	// of a comparison, the chosen and the rejected one; the steps of a stepwise row
	// are joined by line ends. None for a faulty row.
	Examples []Row
	// Fault says what is wrong with the row, or with the rest of its file.
	Fault error
}

// OpenAny returns the rows of files of any kind, faulty ones included: it is what
// looks a file over before use. Where [Open] ends at the first fault, this goes on
// with the next row, or, when what follows cannot be told apart from it, with the
// next file. Rows of several kinds may be mixed. opts.Shape decides where columns
// fit several shapes.
func OpenAny(path string, opts ReadOptions) (Source[AnyRow], error) {
	fsys, name := root(path)
	return OpenAnyFS(fsys, name, path, opts)
}

// OpenAnyFS is [OpenAny] for any file system. Errors call it label; "" means name.
func OpenAnyFS(fsys fs.FS, name, label string, opts ReadOptions) (Source[AnyRow], error) {
	list, err := members(fsys, name, label, opts)
	if err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	all := SourceFunc[AnyRow](func() iter.Seq2[AnyRow, error] {
		return func(yield func(AnyRow, error) bool) {
			for _, file := range list {
				if !file.any(opts, yield) {
					return
				}
			}
		}
	})
	return Limit[AnyRow](all, opts.Limit), nil
}

// any yields the rows of a file; false ends the walk.
func (m member) any(opts ReadOptions, yield func(AnyRow, error) bool) bool {
	one := &walker[AnyRow]{files: []member{m}, opts: opts, decoder: func() func([]byte, Place) (AnyRow, error) {
		return func(raw []byte, at Place) (AnyRow, error) { return anyRow(raw, at, opts), nil }
	}}
	for row, err := range one.All() {
		if err != nil {
			row = AnyRow{At: Place{File: m.label}, Fault: err}
		}
		if !yield(row, nil) {
			return false
		}
	}
	return true
}

// anyRow reads one object, whatever it is.
func anyRow(raw []byte, at Place, opts ReadOptions) AnyRow {
	row := AnyRow{At: at}
	r, err := newRowReader(raw, at, opts)
	if err != nil {
		row.Fault = err
		return row
	}
	switch c := &r.cols; {
	case c.has("chosen") || c.has("rejected"):
		row.Kind = "preference"
		chosen, rejected := pairRow(r).Answers()
		row.Examples = []Row{chosen, rejected}
	case c.has("prompt", "completions"):
		row.Kind = "stepwise"
		steps := stepRow(r)
		row.Examples = []Row{{Shape: ShapePromptCompletion, At: at, Prompt: steps.Prompt, Completion: strings.Join(steps.Completions, "\n")}}
	case judged(*c):
		row.Kind = "unpaired preference"
		row.Examples = []Row{labelledRow(r).Answer()}
	case c.has("prompt") && len(shapesOf(*c)) == 0:
		row.Kind = "prompt only"
		p := promptRow(r)
		row.Examples = []Row{{Shape: ShapeText, At: at, Text: p.Prompt}}
		if p.PromptMessages != nil {
			row.Examples[0] = Row{Shape: ShapeMessages, At: at, Messages: p.PromptMessages, Tools: p.Tools, TemplateArgs: p.TemplateArgs}
		}
	default:
		d := decoder{opts: opts, shape: opts.Shape}
		shape, err := d.resolve(*c, at)
		if err != nil {
			row.Fault = err
			return row
		}
		row.Kind = shape.String()
		row.Examples = []Row{r.read(shape)}
	}
	if r.err != nil {
		row.Fault, row.Examples = r.err, nil
	}
	return row
}

// Words returns the row's text: what is said in it, without what a template adds.
func (r Row) Words() string {
	var s strings.Builder
	for _, text := range [...]string{r.Text, r.Prompt, r.Completion} {
		s.WriteString(text)
	}
	for _, list := range [...][]Message{r.Messages, r.PromptMessages, r.CompletionMessages} {
		for _, m := range list {
			s.WriteString(m.Content)
			s.WriteByte('\n')
		}
	}
	return s.String()
}
