package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/eval"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/advantage"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/train"
)

// inputs are the problems of a run and how answers to them are checked.
type inputs struct {
	prompts   []rollout.Prompt
	verifier  rollout.Rewarder
	exam      *eval.ExactMatch
	gen       *generate.Generator // of the exam
	held      int
	longest   int // tokens of the longest prompt
	maxTokens int // of a completion
}

// open reads problems and prepares the exam on those that are held out.
func open(ctx context.Context, c *auto.Checkpoint, adapter string) (*inputs, error) {
	training, held, err := problems()
	if err != nil {
		return nil, err
	}
	renderer, err := flags.Renderer(c)
	if err != nil {
		return nil, err
	}
	in := &inputs{held: len(held), maxTokens: *longest}
	if in.maxTokens == 0 {
		if in.maxTokens = 256; flags.Model == "" {
			in.maxTokens = 8
		}
	}
	if in.prompts, err = rollout.Prompts(ctx, data.Slice[data.Row](training), rollout.PromptOptions{Encoder: c.Tokenizer, Renderer: renderer}); err != nil {
		return nil, err
	}
	in.drop(flags.MaxLength)
	verifier := reward.Exact()
	match := eval.ExactMatchOptions{Generate: generate.Options{MaxTokens: in.maxTokens}, Samples: 1}
	ask := eval.QuestionOptions{Encoder: c.Tokenizer, Renderer: renderer}
	if training[0].Shape == data.ShapeGSM8K {
		verifier = reward.GSM8K()
	} else {
		whole := func(completion string) (string, bool) { return strings.TrimSpace(completion), true }
		ask.Extract, match.Extract, match.Equal = whole, whole, func(got, want string) bool { return got == want }
	}
	in.verifier = rollout.Each(verifier.Name(), func(ctx context.Context, x *rollout.Completion) (float64, error) {
		return verifier.Verify(ctx, reward.Sample{Prompt: x.Prompt.Text, Completion: x.Text, Reference: x.Prompt.Reference})
	})
	questions, err := eval.Questions(ctx, data.Slice[data.Row](held), ask)
	if err != nil {
		return nil, err
	}
	room := in.longest
	for _, q := range questions {
		room = max(room, len(q.Prompt))
	}
	in.gen, err = generate.New(c.Model, generate.Config{
		Adapter: adapter, Sequences: 32, Context: room + in.maxTokens, Device: flags.Device(), Decode: generate.Text(c.Tokenizer.NewStream),
	})
	if err != nil {
		return nil, err
	}
	in.exam, err = eval.NewExactMatch(in.gen, questions, match)
	return in, err
}

// drop leaves out prompts that have no room for a completion.
func (in *inputs) drop(maxLength int) {
	kept := in.prompts[:0]
	for _, p := range in.prompts {
		if len(p.IDs)+in.maxTokens <= maxLength {
			kept = append(kept, p)
			in.longest = max(in.longest, len(p.IDs))
		}
	}
	in.prompts = kept
}

// table compares the exam before with that after; "" when there were not two.
func (in *inputs) table() (string, error) {
	before, after, ok := in.exam.FirstAndLast()
	if !ok {
		return "", nil
	}
	var t eval.Table
	if err := t.Add(&before.Measurement, &after.Measurement); err != nil {
		return "", err
	}
	return t.String(), nil
}

// losses are the policy losses that -loss names.
func losses() []rlhf.Loss {
	seen := map[string]bool{}
	var list []rlhf.Loss
	for _, l := range rlhf.Losses() {
		if !seen[l.Name()] {
			list = append(list, l)
		}
		seen[l.Name()] = true
	}
	return list
}

func names() string {
	var list []string
	for _, l := range losses() {
		list = append(list, l.Name())
	}
	return strings.Join(list, ", ")
}

// lossOf is the loss of that name with the advantages that its paper has.
func lossOf(name string, maxTokens int) (rlhf.Loss, rlhf.AdvantageEstimator, error) {
	switch name {
	case rlhf.DrGRPO{}.Name():
		return rlhf.DrGRPO{Length: float64(maxTokens)}, rlhf.GroupAdvantages{GroupOptions: advantage.GroupOptions{Scale: advantage.NoScale}}, nil
	case rlhf.RLOO{}.Name():
		return rlhf.RLOO{}, rlhf.LeaveOneOutAdvantages{}, nil
	case rlhf.GPG{}.Name():
		return rlhf.GPG{}, rlhf.GPGAdvantages{}, nil
	}
	for _, l := range losses() {
		if l.Name() == name {
			return l, nil, nil
		}
	}
	return nil, nil, fmt.Errorf("-loss: got %q, want one of %s", name, names())
}

// withAccuracy adds the share of right answers under its usual name.
func withAccuracy(e train.Event) train.Event {
	if e.Metrics == nil || e.Kind != train.EventEval && e.Kind != train.EventResult {
		return e
	}
	if v, ok := e.Metrics.Value("eval_exact_match"); ok {
		e.Fields = fmt.Appendf(nil, `{"accuracy":%g}`, v)
	}
	return e
}
