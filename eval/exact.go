package eval

import (
	"context"
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/data/answer"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/train"
)

// ExactMatchOptions control ExactMatch. The zero value decodes greedily and reads
// answers as GSM8K has them.
type ExactMatchOptions struct {
	Generate generate.Options
	// Extract finds the answer in a completion; nil means answer.GSM8K.
	Extract answer.Extractor
	// Equal compares it with the right one; nil means answer.Equal.
	Equal     func(got, want string) bool
	Bootstrap Bootstrap
	// Samples is how many questions, the first ones, Sample shows; 0 means 4.
	Samples int
}

// ExactMatch lets a model answer questions and counts the right answers. It
// implements train.Evaluator and train.Sampler.
type ExactMatch struct {
	gen       *generate.Generator
	questions []Question
	prompts   [][]int32
	opt       ExactMatchOptions
	record[Answers]
}

// Answers are the results of one evaluation.
type Answers struct {
	Measurement
	Records []Record // one a question
}

// Record is what became of one question.
type Record struct {
	Question   int             `json:"question"` // its number, from 0
	Prompt     string          `json:"prompt"`
	Completion string          `json:"completion"`
	Answer     string          `json:"answer"` // what was read in the completion
	Answered   bool            `json:"answered"`
	Want       string          `json:"want"`
	Correct    bool            `json:"correct"`
	Finish     generate.Finish `json:"finish"`
	Tokens     int             `json:"tokens"`
	LogProb    float64         `json:"logprob"` // of the completion under the model, nats
}

// NewExactMatch prepares an evaluation of the generator's model. The generator
// needs Config.Decode.
func NewExactMatch(g *generate.Generator, questions []Question, o ExactMatchOptions) (*ExactMatch, error) {
	if len(questions) == 0 {
		return nil, errors.New("eval: exact match: got no questions")
	}
	err := errors.Join(o.Generate.Validate(), o.Bootstrap.Validate())
	if !g.Decodes() {
		err = errors.Join(err, errors.New("eval: exact match: generator has no Config.Decode, so completions would have no text"))
	}
	if o.Samples < 0 {
		err = errors.Join(err, fmt.Errorf("eval: exact match: Samples: got %d, want a positive number or 0 for 4", o.Samples))
	}
	e := &ExactMatch{gen: g, questions: questions, opt: o}
	if o.Extract == nil {
		e.opt.Extract = answer.GSM8K
	}
	if o.Equal == nil {
		e.opt.Equal = answer.Equal
	}
	if o.Samples == 0 {
		e.opt.Samples = 4
	}
	for _, q := range questions {
		if n := len(q.Prompt); n == 0 || n >= g.Context() {
			err = errors.Join(err, fmt.Errorf("eval: exact match: %v: question has %d tokens, want 1 to %d", q.At, n, g.Context()-1))
		}
		e.prompts = append(e.prompts, q.Prompt)
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Measure lets the model answer every question.
func (e *ExactMatch) Measure(ctx context.Context) (Answers, error) {
	records, err := e.ask(ctx, len(e.questions))
	if err != nil {
		return Answers{}, err
	}
	a := Answers{Measurement: Measurement{Name: "exact_match", Kind: KindShare}, Records: records}
	for _, r := range records {
		right := 0.0
		if r.Correct {
			right = 1
		}
		a.Num, a.Den = append(a.Num, right), append(a.Den, 1)
	}
	return a, nil
}

// ask lets the model answer the first n questions.
func (e *ExactMatch) ask(ctx context.Context, n int) ([]Record, error) {
	completions, err := e.gen.Generate(ctx, e.prompts[:n], e.opt.Generate)
	if err != nil {
		return nil, fmt.Errorf("eval: exact match: %w", err)
	}
	records := make([]Record, n)
	for i := range completions {
		c, q := &completions[i], &e.questions[i]
		r := Record{Question: i, Prompt: q.Text, Completion: c.Text, Want: q.Answer, Finish: c.Finish, Tokens: len(c.Tokens)}
		r.Answer, r.Answered = e.opt.Extract(c.Text)
		r.Correct = r.Answered && e.opt.Equal(r.Answer, q.Answer)
		for _, t := range c.Tokens {
			r.LogProb += t.LogProb
		}
		records[i] = r
	}
	return records, nil
}

// Evaluate implements train.Evaluator: the share of right answers with its
// interval, how many completions had an answer at all, and their lengths.
func (e *ExactMatch) Evaluate(ctx context.Context, m *train.Metrics) error {
	_, err := e.Assess(ctx, m)
	return err
}

// Assess is Evaluate, and returns the answers for a caller that measures more of
// them.
func (e *ExactMatch) Assess(ctx context.Context, m *train.Metrics) (Answers, error) {
	a, err := e.Measure(ctx)
	if err != nil {
		return a, err
	}
	e.keep(a)
	share := a.Estimate(e.opt.Bootstrap)
	m.Set("exact_match", share.Value)
	m.Set("exact_match_low", share.Low)
	m.Set("exact_match_high", share.High)
	for _, r := range a.Records {
		m.Add("answered", indicator(r.Answered), 1)
		m.Add("completions/mean_length", float64(r.Tokens), 1)
		m.Add("completions/clipped_ratio", indicator(r.Finish == generate.FinishLength), 1)
	}
	return a, nil
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Sample implements train.Sampler: the answers to the first few questions.
func (e *ExactMatch) Sample(ctx context.Context) ([]train.Sample, error) {
	records, err := e.ask(ctx, min(e.opt.Samples, len(e.questions)))
	if err != nil {
		return nil, err
	}
	samples := make([]train.Sample, len(records))
	for i, r := range records {
		finish := "stop"
		if r.Finish == generate.FinishLength {
			finish = "length"
		}
		samples[i] = train.Sample{Prompt: r.Prompt, Completion: r.Completion, Reference: e.questions[i].Reference, Finish: finish,
			Scores: map[string]float64{"exact_match": indicator(r.Correct)}}
	}
	return samples, nil
}
