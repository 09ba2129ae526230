package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/data/chat"
	"github.com/posttrain/posttrain/examples/internal/tiny"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/tensor"
)

// Open opens -model. All weights are float32 when they are to be trained.
func (f *Flags) Open() (*auto.Checkpoint, error) {
	var o auto.Options
	if f.Full {
		o.Weights = tensor.Float32
	}
	return OpenModel(f.Model, o)
}

// OpenModel opens a checkpoint; the path "" stands for the embedded tiny model.
func OpenModel(path string, o auto.Options) (*auto.Checkpoint, error) {
	if path == "" {
		return tiny.Open(o)
	}
	return auto.Open(path, o)
}

// held is the share of -data that is held out when there is no -eval-data, and
// mostHeld the most rows of it.
const (
	held     = 0.05
	mostHeld = 200
)

// Rows reads the training and evaluation rows.
func (f *Flags) Rows() (training, evaluation []data.Row, err error) {
	return Examples(f, data.Open, tiny.Rows)
}

// Limit is the first n rows; 0 is all of them.
func Limit[T any](rows []T, n int) []T {
	if n > 0 && n < len(rows) {
		return rows[:n]
	}
	return rows
}

// Renderer renders conversations with the template of the model or of -template;
// nil when there is neither.
func (f *Flags) Renderer(c *auto.Checkpoint) (data.Renderer, error) {
	t, err := Template(c, f.Template, nil)
	if t == nil || err != nil {
		return nil, err
	}
	return data.ChatRenderer(t), nil
}

// Template is the built-in chat template of that name, with "" the model's own;
// nil when there is neither. Templates that ask for the date need a clock.
func Template(c *auto.Checkpoint, name string, now func() time.Time) (*chat.Template, error) {
	o := chat.Options{Now: now}
	for _, token := range []struct {
		of   func() (int32, string, bool)
		text *string
	}{{c.Tokenizer.BOS, &o.BOS}, {c.Tokenizer.EOS, &o.EOS}, {c.Tokenizer.UNK, &o.UNK}, {c.Tokenizer.PAD, &o.PAD}} {
		if _, text, ok := token.of(); ok {
			*token.text = text
		}
	}
	switch {
	case name != "":
		t, err := chat.Builtin(name, o)
		if err != nil {
			return nil, fmt.Errorf("-template: %w", err)
		}
		return t, nil
	case c.Template != "":
		return chat.Parse(c.Path+": chat template", c.Template, o)
	}
	return nil, nil
}

// Inputs are the rows of a run and what became of them.
type Inputs struct {
	Training   *data.Dataset
	Evaluation *data.Dataset // nil without evaluation rows
	Rows       []data.Row    // of the evaluation

	report   data.Report
	renderer data.Renderer
	flags    *Flags
	from     *auto.Checkpoint
}

// Inputs reads and tokenises the training and evaluation rows. Of o, fields that
// flags or the model decide are filled in.
func (f *Flags) Inputs(ctx context.Context, c *auto.Checkpoint, o data.PrepareOptions) (*Inputs, error) {
	training, evaluation, err := f.Rows()
	if err != nil {
		return nil, err
	}
	if o, err = f.prepare(c, o); err != nil {
		return nil, err
	}
	if err := templated(training, o); err != nil {
		return nil, err
	}
	in := &Inputs{Rows: evaluation, renderer: o.Renderer, flags: f, from: c}
	if in.Training, in.report, err = data.Prepare(ctx, data.Slice[data.Row](training), c.Tokenizer, o); err != nil {
		return nil, err
	}
	return in, in.evaluate(ctx, o)
}

// prepare fills in what flags and the model decide.
func (f *Flags) prepare(c *auto.Checkpoint, o data.PrepareOptions) (data.PrepareOptions, error) {
	o.MaxLength = f.MaxLength
	if k := c.Model.Config(); k.LearnedPositions {
		o.MaxLength = min(o.MaxLength, k.MaxPositionEmbeddings)
	}
	if _, text, ok := c.Tokenizer.EOS(); ok {
		o.EOS = text
	}
	var err error
	o.Renderer, err = f.Renderer(c)
	return o, err
}

// templated refuses conversations that no template renders.
func templated(rows []data.Row, o data.PrepareOptions) error {
	if len(rows) > 0 && rows[0].Shape.Conversational() && o.Renderer == nil {
		return fmt.Errorf("%v: got a conversation and a model without a chat template, want -template with one of %s", rows[0].At, strings.Join(chat.Builtins(), ", "))
	}
	return nil
}

// evaluate tokenises the evaluation rows.
func (in *Inputs) evaluate(ctx context.Context, o data.PrepareOptions) error {
	if len(in.Rows) == 0 {
		return nil
	}
	var err error
	in.Evaluation, _, err = data.Prepare(ctx, data.Slice[data.Row](in.Rows), in.from.Tokenizer, o)
	return err
}

// String says what became of the training rows.
func (in *Inputs) String() string { return in.report.String() }

// Longest is the length of the longest example in tokens.
func (in *Inputs) Longest() int {
	longest := 0
	for _, set := range []*data.Dataset{in.Training, in.Evaluation} {
		for i := 0; set != nil && i < set.Len(); i++ {
			longest = max(longest, set.Length(i))
		}
	}
	return longest
}
