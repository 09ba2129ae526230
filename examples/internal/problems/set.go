package problems

import (
	"context"
	"fmt"
	"strings"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/eval"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/train"
)

// Set are the problems of a run and how answers to them are checked.
type Set struct {
	Prompts   []rollout.Prompt
	Verifier  rollout.Rewarder
	Exam      *eval.ExactMatch
	Held      int // problems of the exam
	Longest   int // tokens of the longest prompt
	MaxTokens int // of a completion

	gen *generate.Generator // of the exam
}

// Open reads problems and prepares the exam on those that are held out, with the
// adapter of that name. Completions have at most maxTokens; 0 means 8 with the
// embedded model, else 256.
func Open(ctx context.Context, f *cli.Flags, c *auto.Checkpoint, adapter string, maxTokens int) (*Set, error) {
	training, held, err := Rows(f)
	if err != nil {
		return nil, err
	}
	renderer, err := f.Renderer(c)
	if err != nil {
		return nil, err
	}
	s := &Set{Held: len(held), MaxTokens: maxTokens}
	if s.MaxTokens == 0 {
		if s.MaxTokens = 256; f.Model == "" {
			s.MaxTokens = 8
		}
	}
	if s.Prompts, err = rollout.Prompts(ctx, data.Slice[data.Row](training), rollout.PromptOptions{Encoder: c.Tokenizer, Renderer: renderer}); err != nil {
		return nil, err
	}
	s.drop(f.MaxLength)
	verifier := reward.Exact()
	match := eval.ExactMatchOptions{Generate: generate.Options{MaxTokens: s.MaxTokens}, Samples: 1}
	ask := eval.QuestionOptions{Encoder: c.Tokenizer, Renderer: renderer}
	if training[0].Shape == data.ShapeGSM8K {
		verifier = reward.GSM8K()
	} else {
		whole := func(completion string) (string, bool) { return strings.TrimSpace(completion), true }
		ask.Extract, match.Extract, match.Equal = whole, whole, func(got, want string) bool { return got == want }
	}
	s.Verifier = rollout.Each(verifier.Name(), func(ctx context.Context, x *rollout.Completion) (float64, error) {
		return verifier.Verify(ctx, reward.Sample{Prompt: x.Prompt.Text, Completion: x.Text, Reference: x.Prompt.Reference})
	})
	questions, err := eval.Questions(ctx, data.Slice[data.Row](held), ask)
	if err != nil {
		return nil, err
	}
	room := s.Longest
	for _, q := range questions {
		room = max(room, len(q.Prompt))
	}
	if s.gen, err = generate.New(c.Model, generate.Config{
		Adapter: adapter, Sequences: 32, Context: room + s.MaxTokens, Device: f.Device(), Decode: generate.Text(c.Tokenizer.NewStream),
	}); err != nil {
		return nil, err
	}
	s.Exam, err = eval.NewExactMatch(s.gen, questions, match)
	return s, err
}

// drop leaves out prompts that have no room for a completion.
func (s *Set) drop(maxLength int) {
	kept := s.Prompts[:0]
	for _, p := range s.Prompts {
		if len(p.IDs)+s.MaxTokens <= maxLength {
			kept = append(kept, p)
			s.Longest = max(s.Longest, len(p.IDs))
		}
	}
	s.Prompts = kept
}

// Generator decodes with the policy of the exam.
func (s *Set) Generator() *generate.Generator { return s.gen }

// Close releases the generator.
func (s *Set) Close() error { return s.gen.Close() }

// Table compares the exam before with that after; "" when there were not two.
func (s *Set) Table() (string, error) {
	before, after, ok := s.Exam.FirstAndLast()
	if !ok {
		return "", nil
	}
	var t eval.Table
	if err := t.Add(&before.Measurement, &after.Measurement); err != nil {
		return "", err
	}
	return t.String(), nil
}

// WithAccuracy adds the share of right answers under its usual name.
func WithAccuracy(e train.Event) train.Event {
	if e.Metrics == nil || e.Kind != train.EventEval && e.Kind != train.EventResult {
		return e
	}
	v, ok := e.Metrics.Value("eval_exact_match")
	if !ok {
		v, ok = e.Metrics.Value("eval_accuracy")
	}
	switch {
	case ok && len(e.Fields) > len("{}"): // why the run was stopped
		e.Fields = fmt.Appendf(nil, `{"accuracy":%g,%s`, v, e.Fields[1:])
	case ok:
		e.Fields = fmt.Appendf(nil, `{"accuracy":%g}`, v)
	}
	return e
}
