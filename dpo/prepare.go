package dpo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
)

// ErrNoPairs is wrapped by the error about data of which no pair is left.
var ErrNoPairs = errors.New("dpo: no pair to learn from")

// PrepareOptions steer Prepare. The zero value does what TRL's DPOTrainer does by
// default, except that EOS must be named.
type PrepareOptions struct {
	// MaxLength bounds the tokens of prompt and answer together; answers are cut at
	// their end. 0 means 1024, TRL's default; a negative number means no bound.
	MaxLength int
	// EOS is the text of the end-of-sequence token, appended to answers that do not
	// end with it; conversations are left to the template.
	EOS string
	// Renderer renders conversations; nil refuses them.
	Renderer data.Renderer
}

// Report counts what became of the comparisons.
type Report struct {
	Rows int `json:"rows"` // rows read
	Kept int `json:"kept"` // pairs made
	Cut  int `json:"cut"`  // pairs kept of which an answer was cut

	Long  int `json:"long"`  // dropped: the prompt leaves no room for an answer
	Empty int `json:"empty"` // dropped: no prompt, or an answer without a token
	Equal int `json:"equal"` // dropped: both answers are the same tokens, so nothing is preferred

	// Contradicted counts pairs kept whose opposite is there too: each undoes the
	// other.
	Contradicted int `json:"contradicted"`
	// Merged counts pairs in which the tokenizer joined characters of prompt and
	// answer: the answers begin where the ids of both first leave those of the
	// prompt alone.
	Merged int `json:"merged"`

	Tokens int64 `json:"tokens"` // of the pairs kept, prompts counted once an answer

	// Firsts are the places of the first rows dropped as Long, Empty and Equal.
	FirstLong, FirstEmpty, FirstEqual data.Place
}

// String says in one line what happened.
func (r Report) String() string {
	return fmt.Sprintf("%d of %d comparisons kept, %d tokens", r.Kept, r.Rows, r.Tokens) +
		policy.CountedFrom(r.Long, "dropped with a prompt that is too long", r.FirstLong) +
		policy.CountedFrom(r.Empty, "dropped without a prompt or an answer", r.FirstEmpty) +
		policy.CountedFrom(r.Equal, "dropped with equal answers", r.FirstEqual) +
		policy.Counted(r.Cut, "truncated") +
		policy.Counted(r.Contradicted, "contradict another") +
		policy.Counted(r.Merged, "with tokens across prompt and answer")
}

// Prepare tokenises comparisons as TRL's DPOTrainer does: prompt and answer are
// tokenised as one text, and the prompt ends where the ids of either text first
// leave those of the prompt alone. Rows that teach nothing are
// dropped and counted; when no pair is left the error wraps ErrNoPairs. Cancelling
// ctx ends the work between two rows.
func Prepare(ctx context.Context, rows data.Source[data.PairRow], enc data.Encoder, o PrepareOptions) ([]Pair, Report, error) {
	p, err := data.NewPreparer(enc, data.PrepareOptions{MaxLength: -1, Loss: data.LossCompletion, EOS: o.EOS, Renderer: o.Renderer})
	if err != nil {
		return nil, Report{}, err
	}
	if o.MaxLength == 0 {
		o.MaxLength = 1024
	}
	t := &preparer{inner: p, opts: o, opposites: map[string]int{}}
	if err := data.Each(ctx, rows, t.add); err != nil {
		return nil, t.report, err
	}
	if len(t.pairs) == 0 {
		return nil, t.report, fmt.Errorf("%w: %v", ErrNoPairs, t.report)
	}
	return t.pairs, t.report, nil
}

// preparer is Prepare under way.
type preparer struct {
	inner     *data.Preparer
	opts      PrepareOptions
	pairs     []Pair
	report    Report
	opposites map[string]int // pairs kept, by fingerprint
}

// add makes a pair of a row, or counts why not.
func (t *preparer) add(row data.PairRow) error {
	t.report.Rows++
	merged := t.inner.Report().Merged
	var texts [2]data.Example
	chosen, rejected := row.Answers()
	for i, answer := range [...]data.Row{chosen, rejected} {
		e, ok, err := t.inner.Example(answer)
		if err != nil {
			return err
		}
		if !ok || e.Prompt == 0 {
			policy.Count(&t.report.Empty, &t.report.FirstEmpty, row.At)
			return nil
		}
		e.IDs = slices.Clone(e.IDs)
		texts[i] = e
	}
	n := min(texts[0].Prompt, texts[1].Prompt)
	pair := Pair{Prompt: texts[0].IDs[:n:n], Chosen: texts[0].IDs[n:], Rejected: texts[1].IDs[n:], At: row.At}
	cut, ok := t.truncate(&pair)
	switch {
	case !ok:
		policy.Count(&t.report.Long, &t.report.FirstLong, row.At)
		return nil
	case slices.Equal(pair.Chosen, pair.Rejected):
		policy.Count(&t.report.Equal, &t.report.FirstEqual, row.At)
		return nil
	}
	if cut {
		t.report.Cut++
	}
	if t.inner.Report().Merged > merged {
		t.report.Merged++
	}
	opposite := pair
	opposite.Chosen, opposite.Rejected = pair.Rejected, pair.Chosen
	if t.opposites[Fingerprint([]Pair{opposite})] > 0 {
		t.report.Contradicted++
	}
	t.opposites[Fingerprint([]Pair{pair})]++
	t.report.Kept++
	t.report.Tokens += int64(pair.Len())
	t.pairs = append(t.pairs, pair)
	return nil
}

// truncate applies MaxLength; ok is false when it leaves no token of an answer.
func (t *preparer) truncate(p *Pair) (cut, ok bool) {
	if t.opts.MaxLength < 0 {
		return false, true
	}
	room := t.opts.MaxLength - len(p.Prompt)
	if room <= 0 {
		return false, false
	}
	cut = len(p.Chosen) > room || len(p.Rejected) > room
	p.Chosen, p.Rejected = p.Chosen[:min(room, len(p.Chosen))], p.Rejected[:min(room, len(p.Rejected))]
	return cut, true
}
