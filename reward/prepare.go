package reward

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
)

// ErrNoGroups is wrapped by the error about data of which nothing is left.
var ErrNoGroups = errors.New("reward: nothing to learn from")

// PrepareOptions steer Prepare. The zero value does what TRL's RewardTrainer does
// by default, except that EOS must be named.
type PrepareOptions struct {
	// MaxLength bounds the tokens of prompt and answer together; rows with a longer
	// text are dropped, not cut: the score stands at the end. 0 means 1024, TRL's
	// default; a negative number means no bound.
	MaxLength int
	// EOS is the text of the end-of-sequence token, appended to answers that do not
	// end with it; conversations are left to the template.
	EOS string
	// Renderer renders conversations; nil refuses them.
	Renderer data.Renderer
}

// Report counts what became of the rows.
type Report struct {
	Rows int `json:"rows"` // rows read
	Kept int `json:"kept"` // groups made

	Long    int `json:"long"`    // dropped: a text is longer than MaxLength
	Empty   int `json:"empty"`   // dropped: an answer without a token, or no answer
	Equal   int `json:"equal"`   // dropped: answers that are compared are the same tokens
	Unsound int `json:"unsound"` // dropped: a label or margin that is no finite number, or not one label an answer

	// Contradicted counts groups kept that compare two answers the other way round
	// than one before: each undoes the other.
	Contradicted int `json:"contradicted"`
	// Merged counts groups in which the tokenizer joined characters of prompt and
	// answer: the answers begin where the ids of one first leave those of the prompt
	// alone.
	Merged int `json:"merged"`

	Tokens int64 `json:"tokens"` // of the groups kept, prompts counted once an answer

	// Firsts are the places of the first rows dropped.
	FirstLong, FirstEmpty, FirstEqual, FirstUnsound data.Place
}

// String says in one line what happened.
func (r Report) String() string {
	return fmt.Sprintf("%d of %d rows kept, %d tokens", r.Kept, r.Rows, r.Tokens) +
		policy.CountedFrom(r.Long, "dropped with a text that is too long", r.FirstLong) +
		policy.CountedFrom(r.Empty, "dropped without an answer", r.FirstEmpty) +
		policy.CountedFrom(r.Equal, "dropped with equal answers", r.FirstEqual) +
		policy.CountedFrom(r.Unsound, "dropped with labels that cannot be used", r.FirstUnsound) +
		policy.Counted(r.Contradicted, "contradict another") +
		policy.Counted(r.Merged, "with tokens across prompt and answer")
}

// Prepare tokenises rows as TRL's RewardTrainer does: prompt and answer are
// tokenised as one text. Where the ids of all texts of a row agree with those of
// the prompt alone, they are its prompt. Rows that teach nothing are dropped and
// counted; when none is left the error wraps ErrNoGroups. Cancelling ctx ends the
// work between two rows.
func Prepare(ctx context.Context, rows data.Source[Row], enc data.Encoder, o PrepareOptions) ([]Group, Report, error) {
	p, err := data.NewPreparer(enc, data.PrepareOptions{MaxLength: -1, Loss: data.LossCompletion, EOS: o.EOS, Renderer: o.Renderer})
	if err != nil {
		return nil, Report{}, err
	}
	if o.MaxLength == 0 {
		o.MaxLength = 1024
	}
	t := &preparer{inner: p, opts: o, seen: map[string]bool{}}
	if err := data.Each(ctx, rows, t.add); err != nil {
		return nil, t.report, err
	}
	if len(t.groups) == 0 {
		return nil, t.report, fmt.Errorf("%w: %v", ErrNoGroups, t.report)
	}
	return t.groups, t.report, nil
}

// preparer is Prepare under way.
type preparer struct {
	inner  *data.Preparer
	opts   PrepareOptions
	groups []Group
	report Report
	seen   map[string]bool // comparisons kept
}

// add makes a group of a row, or counts why not.
func (t *preparer) add(row Row) error {
	t.report.Rows++
	merged := t.inner.Report().Merged
	g, ok, err := t.group(row)
	if err != nil {
		return err
	}
	if !ok {
		return nil
	}
	for _, a := range g.Answers {
		if t.opts.MaxLength > 0 && len(g.Prompt)+len(a.IDs) > t.opts.MaxLength {
			policy.Count(&t.report.Long, &t.report.FirstLong, row.At)
			return nil
		}
	}
	if g.repeats() {
		policy.Count(&t.report.Equal, &t.report.FirstEqual, row.At)
		return nil
	}
	if t.inner.Report().Merged > merged {
		t.report.Merged++
	}
	if t.contradicts(g) {
		t.report.Contradicted++
	}
	t.report.Kept++
	t.report.Tokens += int64(g.Len())
	t.groups = append(t.groups, g)
	return nil
}

// group tokenises a row; ok is false when it was dropped and counted.
func (t *preparer) group(row Row) (g Group, ok bool, err error) {
	if !row.sound() {
		policy.Count(&t.report.Unsound, &t.report.FirstUnsound, row.At)
		return g, false, nil
	}
	g = Group{Labelled: row.Labels != nil, Margin: row.Margin, At: row.At}
	prompt := math.MaxInt
	for i, answer := range row.Answers {
		e, ok, err := t.inner.Example(answer)
		if err != nil {
			return g, false, err
		}
		if !ok || len(e.IDs) == e.Prompt {
			prompt = -1
			break
		}
		a := Candidate{IDs: slices.Clone(e.IDs)}
		if g.Labelled {
			a.Label = row.Labels[i]
		}
		prompt = min(prompt, e.Prompt)
		g.Answers = append(g.Answers, a)
	}
	if prompt < 0 || len(row.Answers) == 0 {
		policy.Count(&t.report.Empty, &t.report.FirstEmpty, row.At)
		return g, false, nil
	}
	g.Prompt = g.Answers[0].IDs[:prompt:prompt]
	for i := range g.Answers {
		g.Answers[i].IDs = g.Answers[i].IDs[prompt:]
	}
	if g.Labelled {
		slices.SortStableFunc(g.Answers, func(a, b Candidate) int { return cmp.Compare(b.Label, a.Label) })
	}
	return g, true, nil
}

// sound says whether labels and margin can be used.
func (r Row) sound() bool {
	for _, v := range append([]float64{r.Margin}, r.Labels...) {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return r.Labels == nil || len(r.Labels) == len(r.Answers)
}

// repeats says that two answers that are compared are the same tokens.
func (g Group) repeats() bool {
	for i := range g.Answers {
		for j := i + 1; j < len(g.Answers); j++ {
			if g.compared(i, j) && slices.Equal(g.Answers[i].IDs, g.Answers[j].IDs) {
				return true
			}
		}
	}
	return false
}

// contradicts says that a comparison of g was seen the other way round, and
// remembers those of g.
func (t *preparer) contradicts(g Group) bool {
	opposed := false
	for i := range g.Answers {
		for j := i + 1; j < len(g.Answers); j++ {
			if !g.compared(i, j) {
				continue
			}
			better, worse := g.Answers[i].IDs, g.Answers[j].IDs
			opposed = opposed || t.seen[string(policy.AppendIDs(nil, g.Prompt, worse, better))]
			t.seen[string(policy.AppendIDs(nil, g.Prompt, better, worse))] = true
		}
	}
	return opposed
}
