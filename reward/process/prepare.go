package process

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/reward"
)

// Row is a solution in steps.
type Row struct {
	At     data.Place
	Prompt string
	Steps  []string
	Labels []float64 // probability that each step is good
}

// Rows makes rows of solutions whose steps are right or wrong.
func Rows(src data.Source[data.StepRow]) data.Source[Row] {
	return data.SourceFunc[Row](func() iter.Seq2[Row, error] {
		return func(yield func(Row, error) bool) {
			for s, err := range src.All() {
				row := Row{At: s.At, Prompt: s.Prompt, Steps: s.Completions}
				for _, right := range s.Labels {
					y := 0.0
					if right {
						y = 1
					}
					row.Labels = append(row.Labels, y)
				}
				if !yield(row, err) {
					return
				}
			}
		}
	})
}

// Format says how solutions are tokenised. The zero value is that of TRL's
// PRMTrainer, for a tokenizer without a token that begins texts.
type Format struct {
	// Separator stands behind every step; "" means a line feed.
	Separator string
	// Start are ids before the prompt: the BOS token of a tokenizer that has one.
	Start []int32
}

func (f Format) separator() string {
	if f.Separator == "" {
		return "\n"
	}
	return f.Separator
}

// append tokenises a solution; marks are the places of the separators' last
// tokens in answer.
func (f Format) append(enc data.Encoder, prompt string, steps []string) (ids, answer []int32, marks []int) {
	ids = enc.AppendIDs(append(ids, f.Start...), prompt, false)
	for _, s := range steps {
		answer = enc.AppendIDs(enc.AppendIDs(answer, s, false), f.separator(), false)
		marks = append(marks, len(answer)-1)
	}
	return ids, answer, marks
}

// PrepareOptions steer Prepare. The zero value does what TRL's PRMTrainer does by
// default.
type PrepareOptions struct {
	Format
	// MaxLength bounds the tokens of prompt and steps together; solutions are cut at
	// their end. 0 means 1024, TRL's default; a negative number means no bound.
	MaxLength int
	// LastStepOnly learns from the label of the last step alone.
	LastStepOnly bool
}

// Report counts what became of the rows.
type Report struct {
	Rows  int `json:"rows"`  // rows read
	Kept  int `json:"kept"`  // solutions made
	Cut   int `json:"cut"`   // solutions kept that lost steps at their end
	Long  int `json:"long"`  // dropped: no whole step is left
	Empty int `json:"empty"` // dropped: no prompt, no step, or a step without text
	// Unsound counts solutions dropped for labels outside [0, 1], or not one a step.
	Unsound int `json:"unsound"`
	// Contradicted counts solutions kept whose steps stand with other labels in one
	// before.
	Contradicted int `json:"contradicted"`

	Steps  int   `json:"steps"`  // labelled steps kept
	Good   int   `json:"good"`   // of them, those with a label above a half
	Tokens int64 `json:"tokens"` // of the solutions kept

	// Firsts are the places of the first rows dropped.
	FirstLong, FirstEmpty, FirstUnsound data.Place
}

// String says in one line what happened.
func (r Report) String() string {
	return fmt.Sprintf("%d of %d solutions kept, %d tokens, %d steps of which %d are good", r.Kept, r.Rows, r.Tokens, r.Steps, r.Good) +
		policy.CountedFrom(r.Long, "dropped without room for a step", r.FirstLong) +
		policy.CountedFrom(r.Empty, "dropped without a prompt or a step", r.FirstEmpty) +
		policy.CountedFrom(r.Unsound, "dropped with labels that cannot be used", r.FirstUnsound) +
		policy.Counted(r.Cut, "truncated") +
		policy.Counted(r.Contradicted, "contradict another")
}

// Prepare tokenises solutions as TRL's PRMTrainer does: prompt, steps and
// separators each on their own. Rows that teach nothing are dropped and counted;
// when none is left the error wraps reward.ErrNoGroups. Cancelling ctx ends the
// work between two rows.
func Prepare(ctx context.Context, rows data.Source[Row], enc data.Encoder, o PrepareOptions) ([]reward.Group, Report, error) {
	if enc == nil {
		return nil, Report{}, errors.New("process: got no encoder, want one")
	}
	if o.MaxLength == 0 {
		o.MaxLength = 1024
	}
	t := &preparer{enc: enc, opts: o, seen: map[string][]reward.Mark{}}
	err := data.Each(ctx, rows, func(row Row) error {
		t.add(row)
		return nil
	})
	if err != nil {
		return nil, t.report, err
	}
	if len(t.groups) == 0 {
		return nil, t.report, fmt.Errorf("%w: %v", reward.ErrNoGroups, t.report)
	}
	return t.groups, t.report, nil
}

// preparer is Prepare under way.
type preparer struct {
	enc    data.Encoder
	opts   PrepareOptions
	groups []reward.Group
	report Report
	seen   map[string][]reward.Mark // labels of solutions kept, by their ids
}

// add makes a group of a row, or counts why not.
func (t *preparer) add(row Row) {
	r := &t.report
	r.Rows++
	switch {
	case row.empty():
		policy.Count(&r.Empty, &r.FirstEmpty, row.At)
		return
	case !row.sound():
		policy.Count(&r.Unsound, &r.FirstUnsound, row.At)
		return
	}
	prompt, answer, places := t.opts.append(t.enc, row.Prompt, row.Steps)
	marks := make([]reward.Mark, len(places))
	for i, token := range places {
		marks[i] = reward.Mark{Token: token, Label: row.Labels[i]}
	}
	if t.opts.LastStepOnly {
		marks = marks[len(marks)-1:]
	}
	answer, marks = t.truncate(len(prompt), answer, marks)
	if len(marks) == 0 || len(prompt) == 0 {
		policy.Count(&r.Long, &r.FirstLong, row.At)
		return
	}
	t.keep(reward.Group{Prompt: prompt, Answers: []reward.Candidate{{IDs: answer, Marks: marks}}, At: row.At})
}

// truncate applies MaxLength.
func (t *preparer) truncate(prompt int, answer []int32, marks []reward.Mark) ([]int32, []reward.Mark) {
	room := t.opts.MaxLength - prompt
	if t.opts.MaxLength < 0 || len(answer) <= room {
		return answer, marks
	}
	answer = answer[:max(0, room)]
	for len(marks) > 0 && marks[len(marks)-1].Token >= len(answer) {
		marks = marks[:len(marks)-1]
	}
	if len(marks) > 0 {
		t.report.Cut++
	}
	return answer, marks
}

// keep books a group.
func (t *preparer) keep(g reward.Group) {
	r, a := &t.report, g.Answers[0]
	key := string(policy.AppendIDs(nil, g.Prompt, a.IDs))
	if before, ok := t.seen[key]; ok && !slices.Equal(before, a.Marks) {
		r.Contradicted++
	}
	t.seen[key] = a.Marks
	r.Kept++
	r.Steps += len(a.Marks)
	for _, m := range a.Marks {
		if m.Label > 0.5 {
			r.Good++
		}
	}
	r.Tokens += int64(g.Len())
	t.groups = append(t.groups, g)
}

func (row Row) empty() bool {
	for _, s := range row.Steps {
		if s == "" {
			return true
		}
	}
	return row.Prompt == "" || len(row.Steps) == 0
}

func (row Row) sound() bool {
	for _, y := range row.Labels {
		if math.IsNaN(y) || y < 0 || y > 1 {
			return false
		}
	}
	return len(row.Labels) == len(row.Steps)
}
