package cli

import (
	"context"
	"strings"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/data/answer"
	"github.com/posttrain/posttrain/eval"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/train"
)

// Measures are the evaluations of a run: the perplexity of held-out rows and,
// where rows have short answers, the share of right ones.
type Measures struct {
	perplexity *eval.Perplexity
	answers    *eval.ExactMatch // nil when rows are not questions with answers
	writer     *eval.ExactMatch // asks for samples; nil when rows have no prompts
	gen        *generate.Generator
}

// Limits of generated answers, in tokens.
const (
	longAnswer   = 320 // solutions of grade-school problems
	shortAnswer  = 16
	shortest     = 24 // longer completions, in bytes, are not compared as a whole
	sampledTexts = 4
)

// Measures prepares the evaluations with the adapter of that name, "" for none.
func (in *Inputs) Measures(ctx context.Context, adapter string) (*Measures, error) {
	m := &Measures{}
	if in.Evaluation == nil {
		return m, nil
	}
	o := eval.ScoreOptions{Adapter: adapter, Tokens: max(512, in.Longest()), Device: in.flags.Device()}
	src, err := eval.Examples(in.Evaluation, o)
	if err != nil {
		return nil, err
	}
	if m.perplexity, err = eval.NewPerplexity(in.from.Model, src, o, eval.Bootstrap{}); err != nil {
		return nil, err
	}
	return m, m.addQuestions(ctx, in, adapter)
}

// addQuestions prepares what needs generated text.
func (m *Measures) addQuestions(ctx context.Context, in *Inputs, adapter string) error {
	rows := prompted(in.Rows)
	if len(rows) == 0 {
		return nil
	}
	o := eval.QuestionOptions{Encoder: in.from.Tokenizer, Renderer: in.renderer}
	match := eval.ExactMatchOptions{Samples: sampledTexts, Generate: generate.Options{MaxTokens: longAnswer}}
	gsm8k := rows[0].Shape == data.ShapeGSM8K
	if !gsm8k {
		o.Extract, match.Extract, match.Equal = whole, whole, func(got, want string) bool { return got == want }
	}
	short := areShort(rows)
	if short {
		match.Generate.MaxTokens = shortAnswer
	}
	questions, err := eval.Questions(ctx, data.Slice[data.Row](rows), o)
	if err != nil {
		return err
	}
	longest := 0
	for _, q := range questions {
		longest = max(longest, len(q.Prompt))
	}
	m.gen, err = generate.New(in.from.Model, generate.Config{
		Adapter: adapter, Sequences: 32, Context: longest + match.Generate.MaxTokens, Device: in.flags.Device(), Decode: generate.Text(in.from.Tokenizer.NewStream),
	})
	if err != nil {
		return err
	}
	if m.writer, err = eval.NewExactMatch(m.gen, questions, match); err == nil && (gsm8k || short) {
		m.answers = m.writer
	}
	return err
}

var _ answer.Extractor = whole

// whole takes all of a completion as the answer.
func whole(completion string) (string, bool) { return strings.TrimSpace(completion), true }

// prompted turns conversations into a prompt and a last answer, and drops rows
// that have no prompt.
func prompted(rows []data.Row) []data.Row {
	var list []data.Row
	for _, r := range rows {
		if n := len(r.Messages); n > 1 && r.Messages[n-1].Role == "assistant" {
			r.Shape, r.PromptMessages, r.CompletionMessages, r.Messages = data.ShapeChatCompletion, r.Messages[:n-1], r.Messages[n-1:], nil
		}
		if r.Prompt != "" || len(r.PromptMessages) > 0 {
			list = append(list, r)
		}
	}
	return list
}

// areShort says whether completions can be compared as a whole.
func areShort(rows []data.Row) bool {
	for _, r := range rows {
		if r.Prompt == "" || len(r.Completion) > shortest {
			return false
		}
	}
	return true
}

// Evaluate implements train.Evaluator. eval_loss is the negative log-likelihood,
// whatever loss is trained with.
func (m *Measures) Evaluate(ctx context.Context, out *train.Metrics) error {
	if m.perplexity == nil {
		return nil
	}
	if err := m.perplexity.Evaluate(ctx, out); err != nil {
		return err
	}
	if nll, ok := out.Value("nll"); ok {
		out.Set("loss", nll)
	}
	if m.answers == nil {
		return nil
	}
	return m.answers.Evaluate(ctx, out)
}

// Sample implements train.Sampler.
func (m *Measures) Sample(ctx context.Context) ([]train.Sample, error) {
	if m.writer == nil {
		return nil, nil
	}
	return m.writer.Sample(ctx)
}

// Table compares the first evaluation with the last; "" when there were not two.
func (m *Measures) Table() (string, error) {
	var t eval.Table
	if m.perplexity != nil {
		if before, after, ok := m.perplexity.FirstAndLast(); ok {
			if err := t.Add(&before, &after); err != nil {
				return "", err
			}
		}
	}
	if m.answers != nil {
		if before, after, ok := m.answers.FirstAndLast(); ok {
			if err := t.Add(&before.Measurement, &after.Measurement); err != nil {
				return "", err
			}
		}
	}
	if len(t.Changes) == 0 {
		return "", nil
	}
	return t.String(), nil
}

// Close releases the memory of the evaluations.
func (m *Measures) Close() {
	if m.perplexity != nil {
		m.perplexity.Close()
	}
	if m.gen != nil {
		m.gen.Close()
	}
}
