package unpaired

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
)

// ErrNoRows is wrapped by the error about data of which no row is left.
var ErrNoRows = errors.New("unpaired: no row to learn from")

// PrepareOptions steer Prepare. The zero value does what TRL's KTOTrainer does by
// default, except that EOS must be named.
type PrepareOptions struct {
	// MaxLength bounds the tokens of prompt and completion together; completions
	// are cut at their end. 0 means 1024, TRL's default; a negative number means no
	// bound.
	MaxLength int
	// EOS is the text of the end-of-sequence token, appended to completions that do
	// not end with it; conversations are left to the template.
	EOS string
	// Renderer renders conversations; nil refuses them.
	Renderer data.Renderer
}

// Report counts what became of the labelled answers.
type Report struct {
	Rows        int `json:"rows"`      // rows read
	Kept        int `json:"kept"`      // rows made
	Desirable   int `json:"desirable"` // rows made that are desirable
	Undesirable int `json:"undesirable"`
	Cut         int `json:"cut"` // rows kept whose completion was cut

	Long  int `json:"long"`  // dropped: the prompt leaves no room for a completion
	Empty int `json:"empty"` // dropped: no prompt, or an empty completion

	// Contradicted counts rows kept of which the same texts are there with the
	// other label too.
	Contradicted int `json:"contradicted"`
	// Merged counts rows in which the tokenizer joined characters of prompt and
	// completion: the completion begins where the ids of both first leave those of
	// the prompt alone.
	Merged int `json:"merged"`

	Tokens int64 `json:"tokens"` // of the rows kept

	// Firsts are the places of the first rows dropped as Long and Empty.
	FirstLong, FirstEmpty data.Place
}

// String says in one line what happened.
func (r Report) String() string {
	return fmt.Sprintf("%d of %d answers kept (%d desirable, %d not), %d tokens", r.Kept, r.Rows, r.Desirable, r.Undesirable, r.Tokens) +
		policy.CountedFrom(r.Long, "dropped with a prompt that is too long", r.FirstLong) +
		policy.CountedFrom(r.Empty, "dropped without a prompt or a completion", r.FirstEmpty) +
		policy.Counted(r.Cut, "truncated") +
		policy.Counted(r.Contradicted, "contradict another") +
		policy.Counted(r.Merged, "with tokens across prompt and completion")
}

// Prepare tokenises labelled answers: prompt and completion as one text, whose
// prompt ends where its ids first leave those of the prompt alone. Rows that teach
// nothing are dropped and counted; when none is left the error wraps ErrNoRows.
// Whether both classes are there is for NewBatcher to say. Cancelling ctx ends the
// work between two rows.
func Prepare(ctx context.Context, rows data.Source[data.LabelledRow], enc data.Encoder, o PrepareOptions) ([]Row, Report, error) {
	inner, err := data.NewPreparer(enc, data.PrepareOptions{MaxLength: -1, Loss: data.LossCompletion, EOS: o.EOS, Renderer: o.Renderer})
	if err != nil {
		return nil, Report{}, err
	}
	if o.MaxLength == 0 {
		o.MaxLength = 1024
	}
	p := &preparer{inner: inner, most: o.MaxLength, labels: map[string]bool{}}
	if err := data.Each(ctx, rows, p.add); err != nil {
		return nil, p.report, err
	}
	if len(p.rows) == 0 {
		return nil, p.report, fmt.Errorf("%w: %v", ErrNoRows, p.report)
	}
	return p.rows, p.report, nil
}

// preparer is Prepare under way.
type preparer struct {
	inner  *data.Preparer
	most   int // tokens; negative for any number
	rows   []Row
	report Report
	labels map[string]bool // of the rows kept, by their texts
}

// add makes a row, or counts why not.
func (p *preparer) add(row data.LabelledRow) error {
	p.report.Rows++
	merged := p.inner.Report().Merged
	e, ok, err := p.inner.Example(row.Answer())
	if err != nil {
		return err
	}
	if !ok || e.Prompt == 0 || row.CompletionMessages == nil && row.Completion == "" {
		policy.Count(&p.report.Empty, &p.report.FirstEmpty, row.At)
		return nil
	}
	if p.most >= 0 && e.Prompt >= p.most {
		policy.Count(&p.report.Long, &p.report.FirstLong, row.At)
		return nil
	}
	ids := slices.Clone(e.IDs)
	if p.most >= 0 && len(ids) > p.most {
		ids = ids[:p.most]
		p.report.Cut++
	}
	if p.inner.Report().Merged > merged {
		p.report.Merged++
	}
	p.keep(Row{Prompt: ids[:e.Prompt:e.Prompt], Completion: ids[e.Prompt:], Desirable: row.Label, At: row.At})
	return nil
}

// keep takes a row in.
func (p *preparer) keep(r Row) {
	key := Fingerprint([]Row{{Prompt: r.Prompt, Completion: r.Completion}})
	if other, ok := p.labels[key]; ok && other != r.Desirable {
		p.report.Contradicted++
	} else {
		p.labels[key] = r.Desirable
	}
	p.report.Kept++
	if r.Desirable {
		p.report.Desirable++
	} else {
		p.report.Undesirable++
	}
	p.report.Tokens += int64(r.Len())
	p.rows = append(p.rows, r)
}
