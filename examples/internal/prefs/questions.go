package prefs

import (
	"context"
	"fmt"
	"strings"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/data/answer"
	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/online"
	"github.com/posttrain/posttrain/eval"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model/auto"
)

// Questions are the prompts of a run whose answers the policy writes itself.
type Questions struct {
	Training, Evaluation []online.Question
	held                 []eval.Question
	extract              answer.Extractor // of the answer in a text
}

// OpenQuestions reads the prompts of -data and -eval-data; completions hold the
// right answers, those of GSM8K rows a number. Without -data they are the sums of
// package tiny.
func OpenQuestions(ctx context.Context, f *cli.Flags, c *auto.Checkpoint) (*Questions, error) {
	training, evaluation, err := f.Rows()
	if err != nil {
		return nil, err
	}
	if len(training)*len(evaluation) == 0 {
		return nil, fmt.Errorf("-data: got %d training and %d evaluation rows, want some of each", len(training), len(evaluation))
	}
	q := &Questions{extract: whole}
	if training[0].Shape == data.ShapeGSM8K {
		q.extract = answer.GSM8K
	}
	o := eval.QuestionOptions{Encoder: c.Tokenizer, Extract: q.extract}
	if o.Renderer, err = f.Renderer(c); err != nil {
		return nil, err
	}
	list, err := eval.Questions(ctx, data.Slice[data.Row](training), o)
	if err != nil {
		return nil, err
	}
	if q.held, err = eval.Questions(ctx, data.Slice[data.Row](evaluation), o); err != nil {
		return nil, err
	}
	q.Training, q.Evaluation = asked(list, f.MaxLength), asked(q.held, f.MaxLength)
	if len(q.Training) == 0 {
		return nil, fmt.Errorf("-max-length: got %d, want more than the shortest question has", f.MaxLength)
	}
	return q, nil
}

// whole takes all of a text as the answer.
func whole(text string) (string, bool) { return strings.TrimSpace(text), true }

// asked turns questions of an exam into those of a run; those that are too long are
// left out.
func asked(list []eval.Question, longest int) []online.Question {
	var out []online.Question
	for _, q := range list {
		if len(q.Prompt) < longest {
			out = append(out, online.Question{Prompt: q.Prompt, Text: q.Text, Reference: q.Answer, At: q.At})
		}
	}
	return out
}

// embedded is what the command line calls the embedded tiny model as a judge.
const embedded = "embedded"

// OpenJudge is a rule, 1 for the right answer and 0 for others, or with a path the
// language model there, asked in both orders. Close releases it.
func OpenJudge(f *cli.Flags, path string, q *Questions) (j online.Judge, done func() error, err error) {
	done = func() error { return nil }
	if path == "" {
		return online.Scored("right answer", func(_ context.Context, question online.Question, a online.Answer) (float64, error) {
			if got, ok := q.extract(a.Text); ok && answer.Equal(got, question.Reference) {
				return 1, nil
			}
			return 0, nil
		}), done, nil
	}
	name := path
	if path == embedded {
		path = ""
	}
	c, err := cli.OpenModel(path, auto.Options{})
	if err != nil {
		return nil, done, fmt.Errorf("-judge: %w", err)
	}
	read, err := online.NewReader(c.Model, "", c.Tokenizer, online.ReaderOptions{AddSpecial: true, Score: dpo.ScoreOptions{MicroTokens: 4096, Device: f.Device()}})
	return online.BothOrders("reader "+name, read), c.Close, err
}

// Exam asks held-out questions: it is a train.Evaluator and train.Sampler, and its
// generator writes the answers of training too.
type Exam struct {
	*eval.ExactMatch
	gen *generate.Generator
}

// NewExam prepares answers of at most so many tokens.
func NewExam(f *cli.Flags, c *auto.Checkpoint, p dpo.Policy, q *Questions, most int) (*Exam, error) {
	longest := 0
	for _, list := range [][]online.Question{q.Training, q.Evaluation} {
		for _, x := range list {
			longest = max(longest, len(x.Prompt))
		}
	}
	g, err := generate.New(p.Model, generate.Config{
		Adapter: p.AdapterName(), Sequences: 32, Context: longest + most, Device: f.Device(), Decode: generate.Text(c.Tokenizer.NewStream),
	})
	if err != nil {
		return nil, err
	}
	exam, err := eval.NewExactMatch(g, q.held, eval.ExactMatchOptions{Extract: q.extract, Generate: generate.Options{MaxTokens: most}})
	return &Exam{exam, g}, err
}

// Generator answers questions with the policy as it stands.
func (e *Exam) Generator() *generate.Generator { return e.gen }

// Close releases the memory of generation.
func (e *Exam) Close() error { return e.gen.Close() }
