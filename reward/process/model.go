package process

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/tensor"
)

// Model scores the steps of solutions with a trained reward.Net. It is a
// reward.Verifier, and safe for concurrent use; calls take turns.
type Model struct {
	opts  ModelOptions
	inner *reward.Model
}

// ModelOptions say how solutions are scored. Encoder is required.
type ModelOptions struct {
	// Name is what metrics call the model; "" means "process".
	Name    string
	Encoder data.Encoder
	// Format is that of training.
	Format Format
	// Aggregate makes a sample's reward of the scores of its steps; "" means Last.
	Aggregate Aggregation
	// Tokens is the largest number of tokens scored at once, which bounds the length
	// of a solution; 0 means 2,048.
	Tokens int
	// Device computes; nil means tensor.DefaultDevice.
	Device *tensor.Device
}

// Solution is a prompt with steps.
type Solution struct {
	Prompt string
	Steps  []string
}

// NewModel prepares scoring with n as it is; see reward.NewModel.
func NewModel(n reward.Net, o ModelOptions) (*Model, error) {
	if o.Encoder == nil {
		return nil, errors.New("process: ModelOptions.Encoder: got none, want the model's tokenizer")
	}
	if err := o.Aggregate.Validate(); err != nil {
		return nil, err
	}
	if o.Name == "" {
		o.Name = "process"
	}
	inner, err := reward.NewModel(n, reward.ModelOptions{Name: o.Name, Encoder: o.Encoder, Tokens: o.Tokens, Device: o.Device})
	return &Model{opts: o, inner: inner}, err
}

// Name is the name that metrics carry.
func (m *Model) Name() string { return m.opts.Name }

// Score returns the probability that each step of each solution is good.
// Neighbours with equal prompts share them.
func (m *Model) Score(ctx context.Context, solutions []Solution) ([][]float64, error) {
	texts, marks := make([]reward.Text, len(solutions)), make([][]int, len(solutions))
	for i, s := range solutions {
		if len(s.Steps) == 0 {
			return nil, fmt.Errorf("process: %s: solution %d has no steps, want one at least", m.opts.Name, i)
		}
		texts[i].Prompt, texts[i].Completion, marks[i] = m.opts.Format.append(m.opts.Encoder, s.Prompt, s.Steps)
	}
	scores, err := m.inner.ScoreAt(ctx, texts, marks)
	for _, steps := range scores {
		for k, r := range steps {
			steps[k] = 1 / (1 + math.Exp(-r))
		}
	}
	return scores, err
}

// Verify implements reward.Verifier: the completion is divided at separators, and
// the scores of its steps are aggregated. A completion without a step has reward
// 0.
func (m *Model) Verify(ctx context.Context, s reward.Sample) (float64, error) {
	steps := m.Steps(s.Completion)
	if len(steps) == 0 {
		return 0, ctx.Err()
	}
	scores, err := m.Score(ctx, []Solution{{s.Prompt, steps}})
	if err != nil {
		return 0, err
	}
	return m.opts.Aggregate.Of(scores[0]), nil
}

// Steps divides a completion at separators; steps of white space are left out.
func (m *Model) Steps(completion string) (steps []string) {
	for _, s := range strings.Split(completion, m.opts.Format.separator()) {
		if strings.TrimSpace(s) != "" {
			steps = append(steps, s)
		}
	}
	return steps
}

var _ reward.Verifier = (*Model)(nil)
