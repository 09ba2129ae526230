package online

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/train"
)

// Generator continues prompts with the policy as it stands; *generate.Generator is
// one.
type Generator interface {
	Generate(ctx context.Context, prompts [][]int32, o generate.Options) ([]generate.Completion, error)
}

// Source yields pairs of the policy's own answers, round after round. It implements
// what dpo.New wants of a source: dpo.StepSource, dpo.Waiter, dpo.Stateful and
// dpo.Measured. It is not safe for concurrent use.
type Source struct {
	gen       Generator
	judge     Judge
	questions []Question
	opts      Options
	walk      *data.Walk
	print     string

	at      position
	batches *dpo.Batcher // of the round's pairs; nil before the first
	fresh   bool         // the round was begun by the step drawn last
}

// position is what a checkpoint has to know.
type position struct {
	Round  int         `json:"round"`  // rounds begun
	Asked  int         `json:"asked"`  // questions answered so far, the round's included
	Steps  int         `json:"steps"`  // taken in the round
	Pairs  []savedPair `json:"pairs"`  // of the round
	Cursor data.Cursor `json:"cursor"` // in the questions
	Inside data.Cursor `json:"inside"` // in the pairs
	Seen   tally       `json:"seen"`   // of the round
}

// savedPair is a pair as token ids.
type savedPair struct {
	Prompt   []int32 `json:"prompt"`
	Chosen   []int32 `json:"chosen"`
	Rejected []int32 `json:"rejected"`
	File     string  `json:"file,omitempty"`
	Line     int     `json:"line,omitempty"`
}

// New makes a Source. The generator decodes with the policy that is trained, and
// into text where the judge reads any.
func New(gen Generator, judge Judge, questions []Question, o Options) (*Source, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if gen == nil || judge == nil {
		return nil, errors.New("online: New: got no generator or no judge, want both")
	}
	if len(questions) == 0 {
		return nil, errors.New("online: New: got no questions, want at least one")
	}
	longest := 0
	for _, q := range questions {
		if len(q.Prompt) == 0 {
			return nil, fmt.Errorf("online: %v: got a question without tokens, want one at least", q.At)
		}
		longest = max(longest, len(q.Prompt))
	}
	o = o.withDefaults(longest)
	s := &Source{gen: gen, judge: judge, questions: questions, opts: o}
	s.walk = data.NewWalk(len(questions), data.WalkOptions{Seed: o.Seed})
	if need := s.most(longest); need > o.TokensPerMicro {
		return nil, fmt.Errorf("online: Options.TokensPerMicro: got %d, want at least %d for the longest question with two answers of %d tokens", o.TokensPerMicro, need, o.Generate.MaxTokens)
	}
	return s, nil
}

// most is the tokens of the largest pair.
func (s *Source) most(longest int) int {
	if s.opts.Separate {
		longest *= 2
	}
	return longest + 2*s.opts.Generate.MaxTokens
}

// Options are those of the micro-batches, as dpo.New asks for them.
func (s *Source) Options() dpo.BatchOptions { return s.opts.batch(0) }

// MaxPairs is the largest number of pairs a micro-batch can have.
func (s *Source) MaxPairs() int { return min(s.opts.PairsPerStep, s.opts.Prompts) }

// Round is the number of the round under way, counted from 1; 0 before the first.
func (s *Source) Round() int { return s.at.Round }

// Steps is the number of steps of all rounds where Options.Rounds says how many.
func (s *Source) Steps(int) int { return s.opts.Rounds * s.opts.StepsPerRound }

// Fingerprint identifies questions, judge and options.
func (s *Source) Fingerprint() string {
	if s.print == "" {
		questions := policy.Fingerprint(s.questions, func(buf []byte, q Question) []byte { return append(policy.AppendIDs(buf, q.Prompt), q.Reference...) })
		o, _ := json.Marshal(s.opts) // plain numbers always encode
		s.print = fmt.Sprintf("questions %s (%d), judged by %s, %s", questions, len(s.questions), s.judge.Name(), o)
	}
	return s.print
}

// Next is NextContext without an end.
func (s *Source) Next(step *dpo.Step) error { return s.NextContext(context.Background(), step) }

// NextContext implements dpo.Waiter: it answers and judges when a round begins.
func (s *Source) NextContext(ctx context.Context, step *dpo.Step) error {
	s.fresh = false
	if s.batches == nil || s.at.Steps == s.opts.StepsPerRound {
		if err := s.begin(ctx); err != nil {
			return err
		}
	}
	if err := s.batches.Next(step); err != nil {
		return err
	}
	s.at.Steps++
	s.at.Inside = s.batches.Cursor()
	done := float64(s.at.Asked) / float64(len(s.questions))
	step.Epoch = done
	return nil
}

// mostEmpty is the number of rounds without any pair after which nothing will come.
const mostEmpty = 10

// begin starts the next round that has pairs. When it fails nothing has changed.
func (s *Source) begin(ctx context.Context) error {
	at := s.at
	defer func() { _ = s.walk.Seek(s.at.Cursor) }() // a cursor of its own
	for range mostEmpty {
		if s.opts.Rounds > 0 && at.Round == s.opts.Rounds {
			return io.EOF
		}
		next, err := s.round(ctx, at)
		if err != nil {
			return err
		}
		if at = next; len(at.Pairs) == 0 {
			continue
		}
		batches, err := s.pack(at)
		if err != nil {
			return err
		}
		s.at, s.batches, s.fresh = at, batches, true
		return nil
	}
	return fmt.Errorf("%w in %d rounds of %d questions: every case was a tie, unknown or dropped", ErrNoPreference, mostEmpty, s.opts.Prompts)
}

// round answers and judges the next questions.
func (s *Source) round(ctx context.Context, at position) (position, error) {
	rest, err := s.walk.Rest()
	if err != nil {
		return at, err
	}
	list := rest[:min(s.opts.Prompts, len(rest))]
	cases, err := s.answer(ctx, list, at.Asked)
	if err != nil {
		return at, err
	}
	verdicts, err := s.judge.Judge(ctx, cases)
	if err != nil {
		return at, err
	}
	if len(verdicts) != len(cases) {
		return at, fmt.Errorf("online: judge %s: got %d verdicts, want one for each of %d cases", s.judge.Name(), len(verdicts), len(cases))
	}
	next := position{Round: at.Round + 1, Asked: at.Asked + len(list)}
	for i, c := range cases {
		if err := verdicts[i].check(c); err != nil {
			return at, fmt.Errorf("%w (judge %s, %v)", err, s.judge.Name(), c.Question.At)
		}
		if p, ok := next.Seen.add(c, verdicts[i], s.opts); ok {
			next.Pairs = append(next.Pairs, p)
		}
	}
	s.walk.Advance(len(list))
	next.Cursor = s.walk.Cursor()
	return next, nil
}

// answer samples the answers of a list of questions. Their random numbers are
// counted on from those of all questions before.
func (s *Source) answer(ctx context.Context, list []int32, asked int) ([]Case, error) {
	var prompts [][]int32
	for _, i := range list {
		for range s.opts.Answers {
			prompts = append(prompts, s.questions[i].Prompt)
		}
	}
	o := s.opts.Generate
	o.First = asked * s.opts.Answers
	texts, err := s.gen.Generate(ctx, prompts, o)
	if err != nil {
		return nil, fmt.Errorf("online: answers: %w", err)
	}
	if len(texts) != len(prompts) {
		return nil, fmt.Errorf("online: answers: got %d, want %d", len(texts), len(prompts))
	}
	cases := make([]Case, len(list))
	for k, i := range list {
		cases[k].Question = s.questions[i]
		for j := range s.opts.Answers {
			c := &texts[k*s.opts.Answers+j]
			a := Answer{IDs: c.IDs(), Text: c.Text, Finish: c.Finish}
			for _, t := range c.Tokens {
				a.LogProb += t.LogProb
			}
			cases[k].Answers = append(cases[k].Answers, a)
		}
	}
	return cases, nil
}

// pack makes batches of a round's pairs.
func (s *Source) pack(at position) (*dpo.Batcher, error) {
	pairs := make([]dpo.Pair, len(at.Pairs))
	for i, p := range at.Pairs {
		pairs[i] = dpo.Pair{Prompt: p.Prompt, Chosen: p.Chosen, Rejected: p.Rejected, At: data.Place{File: p.File, Line: p.Line}}
	}
	return dpo.NewBatcher(pairs, s.opts.batch(at.Round))
}

// State implements dpo.Stateful.
func (s *Source) State() (json.RawMessage, error) { return json.Marshal(s.at) }

// Restore implements dpo.Stateful.
func (s *Source) Restore(raw json.RawMessage) error {
	var at position
	if err := json.Unmarshal(raw, &at); err != nil {
		return fmt.Errorf("online: state: %w", err)
	}
	if at.Round < 0 || at.Asked < 0 || at.Steps < 0 || at.Steps > s.opts.StepsPerRound || (at.Round > 0) != (len(at.Pairs) > 0) {
		return fmt.Errorf("online: state: got round %d after %d questions, step %d of %d pairs, want a place in a round", at.Round, at.Asked, at.Steps, len(at.Pairs))
	}
	var batches *dpo.Batcher
	if at.Round > 0 {
		var err error
		if batches, err = s.pack(at); err != nil {
			return fmt.Errorf("online: state: %w", err)
		}
		if err := batches.Seek(at.Inside); err != nil {
			return fmt.Errorf("online: state: %w", err)
		}
	}
	if err := s.walk.Seek(at.Cursor); err != nil {
		return fmt.Errorf("online: state: %w", err)
	}
	s.at, s.batches, s.fresh = at, batches, false
	return nil
}

// Measure implements dpo.Measured: what a round gave, in the line of its first step.
func (s *Source) Measure(m *train.Metrics) {
	if s.fresh {
		s.at.Seen.report(m, s.at.Round)
	}
}

var (
	_ dpo.Stateful = (*Source)(nil)
	_ dpo.Waiter   = (*Source)(nil)
	_ dpo.Measured = (*Source)(nil)
)
