package main

import (
	"bufio"
	"context"
	_ "embed"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"strings"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/examples/internal/shapes"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// lengths are the tokens of prompt and completion of the first 512 GSM8K
// training rows under the tokenizer of Qwen, at most 512 in all.
//
//go:embed lengths.txt
var lengths string

// open makes or loads the model.
func (s *settings) open() (model.Model, error) {
	dt, err := s.weights()
	if err != nil {
		return nil, err
	}
	if s.model == "" {
		return shapes.New(s.shape, dt, s.seed)
	}
	c, err := auto.Open(s.model, auto.Options{Weights: dt, SkipFiniteCheck: true, NoTokenizer: true})
	if err != nil {
		return nil, err
	}
	return c.Model, c.Close()
}

// adapter is a fresh one on all linear layers of a model; nil with -full.
func (s *settings) adapter(m model.Model) (*lora.Adapter, error) {
	if s.full {
		return nil, nil
	}
	return lora.Attach(m, "default", lora.Config{Rank: s.rank, Alpha: 2 * float64(s.rank), Seed: s.seed})
}

// loop is as many steps as are timed, and those before the clock starts.
func (s *settings) loop(rate float64) train.Options {
	return train.Options{Optimizer: train.AdamW{LR: rate}, Schedule: train.Constant{}, MaxSteps: s.warm + s.steps}
}

// rows are examples with the lengths of real ones and random ids: speed does
// not depend on which tokens they are.
func (s *settings) rows(vocab int) (*data.Dataset, error) {
	set := &data.Dataset{}
	r := rand.New(rand.NewPCG(s.seed, 1))
	for lines := bufio.NewScanner(strings.NewReader(lengths)); lines.Scan(); {
		var prompt, completion int
		if _, err := fmt.Sscan(lines.Text(), &prompt, &completion); err != nil {
			return nil, err
		}
		n := prompt + completion
		e := data.Example{IDs: make([]int32, n), Roles: make([]data.Role, n), Mask: make([]bool, n), Prompt: prompt}
		for i := range n {
			e.IDs[i] = r.Int32N(int32(vocab))
			e.Mask[i] = i >= prompt
		}
		if err := set.Append(e); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// measureSFT times optimizer steps of supervised fine-tuning.
func measureSFT(ctx context.Context, s *settings, r *result) error {
	m, err := s.open()
	if err != nil {
		return err
	}
	p := sft.Policy{Model: m}
	rate := 2e-5
	if !s.full {
		rate = 2e-4
	}
	if p.Adapter, err = s.adapter(m); err != nil {
		return err
	}
	set, err := s.rows(m.Config().VocabSize)
	if err != nil {
		return err
	}
	src, err := data.NewBatcher(set, data.BatchOptions{TokensPerStep: s.batchTokens, TokensPerMicro: s.microTokens, Seed: s.seed})
	if err != nil {
		return err
	}
	o := sft.Options{MicroTokens: s.microTokens, Recompute: s.recompute, Device: s.device(), Debug: tensor.Debug{Timing: s.profile}}
	t, err := sft.New(p, src, o, s.loop(rate))
	if err != nil {
		return err
	}
	return s.timeSteps(ctx, t, r)
}

// trainer is a run whose steps are timed.
type trainer interface {
	Steps(ctx context.Context) iter.Seq2[train.Step, error]
	Timings() []tensor.Timing
	Memory() (train.Memory, error)
}

// timeSteps times the steps of a trainer.
func (s *settings) timeSteps(ctx context.Context, t trainer, r *result) error {
	return s.timeStepsWith(ctx, t, r, func(train.Step) {})
}

// timeStepsWith shows each step to note.
func (s *settings) timeStepsWith(ctx context.Context, t trainer, r *result, note func(train.Step)) error {
	r.BeforeKernel = sinceStart()
	var c clock
	c.start()
	tokens := int64(0)
	for step, err := range t.Steps(ctx) {
		if err != nil {
			return err
		}
		c.stop(int(step.Tokens - tokens))
		tokens = step.Tokens
		note(step)
		if step.N == 1 {
			r.StartupSeconds, r.FirstStep = sinceStart(), c.seconds[0]
		}
		c.start()
	}
	r.StepSeconds, r.TokensPerSecond = median(c.seconds[s.warm:]), median(c.rates[s.warm:])
	if s.profile {
		return printProfile(t)
	}
	return nil
}

// printProfile lists where time and memory went.
func printProfile(t trainer) error {
	for _, t := range t.Timings() {
		fmt.Fprintf(os.Stderr, "%-32s %6d calls %10.3f s\n", t.Op, t.Calls, t.Total.Seconds())
	}
	m, err := t.Memory()
	fmt.Fprintln(os.Stderr, m)
	return err
}
