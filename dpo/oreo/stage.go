package oreo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/internal/saved"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// stage implements train.Stage.
type stage struct {
	policy    dpo.Policy
	opts      Options
	src       *Batcher
	reference *dpo.Frozen
	params    []*tensor.Param // of the policy, then of the value
	worth     []*tensor.Param // of the value alone
	list      []train.Parameter
	prog      *program
	live      *policy.Live // of a reference that is another model; else nil

	step    step
	count   uint64
	loss    float64
	metrics train.Metrics
	values  []float64
	first   bool
}

// foreign says whether the reference is another model than the policy's: its
// weights, which have the same names, cannot stand in one graph with the policy's.
func (s *stage) foreign() bool { return s.reference.Model != s.policy.Model }

// Name is "oreo".
func (s *stage) Name() string { return "oreo" }

// Parameters implements train.Stage.
func (s *stage) Parameters() []train.Parameter { return s.list }

// Next implements train.Stage.
func (s *stage) Next(ctx context.Context, b *train.Batch) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("oreo: %w", err)
	}
	if err := s.src.next(&s.step); err != nil {
		return err
	}
	s.first = s.count == 0
	s.count++
	s.loss = 0
	s.metrics.Reset()
	b.Weights, b.Tokens, b.Epoch = b.Weights[:0], 0, s.step.epoch
	for i := range s.step.micro {
		b.Weights = append(b.Weights, float64(len(s.step.micro[i].Examples)))
		b.Tokens += len(s.step.micro[i].Tokens)
	}
	return nil
}

// Backward implements train.Stage.
func (s *stage) Backward(micro int, seed float64) error {
	b := &s.step.micro[micro]
	err := s.prog.bind(b, s.src.list, seed)
	if err == nil && s.foreign() {
		if s.values, err = s.live.Score(s.values[:0], b); err == nil {
			err = s.prog.reference.Bind(s.prog.run, s.values...)
		}
	}
	if err == nil {
		err = s.prog.run.Run()
	}
	if err == nil {
		s.values, err = policy.AppendValues(s.values[:0], s.prog.run, s.prog.loss)
	}
	if err != nil {
		return fmt.Errorf("oreo: micro-batch %d: %w", micro, err)
	}
	s.loss += s.values[0] * seed
	return s.measure(b)
}

// measure books the metrics of a micro-batch: means over actions, over trajectories
// for rewards, over tokens for the KL.
func (s *stage) measure(b *data.Packed) error {
	pr := s.prog
	for _, m := range []struct {
		name string
		node *tensor.Node
	}{{"policy_loss", pr.policy}, {"value_loss", pr.value}, {"values", pr.values}, {"log_ratio", pr.ratios}, {"kl", pr.kl}} {
		if m.node == nil {
			continue
		}
		var err error
		if s.values, err = policy.AppendValues(s.values[:0], pr.run, m.node); err != nil {
			return err
		}
		sum := 0.0
		for _, v := range s.values {
			sum += v
		}
		s.metrics.Add(m.name, sum/float64(len(s.values)), float64(len(s.values)))
		if m.node == pr.ratios && s.first && s.reference.Start {
			if err := checkStart(s.values); err != nil {
				return err
			}
		}
	}
	for _, i := range b.Examples {
		s.metrics.Add("reward", s.src.list[i].Reward, 1)
	}
	return nil
}

// startTol is how far, in nats, log-ratios may be from 0 where policy and reference
// are the same: both are computed in one graph, from the same bits.
const startTol = 1e-3

// checkStart asserts that the policy is its reference.
func checkStart(ratios []float64) error {
	for i, v := range ratios {
		if !(math.Abs(v) <= startTol) {
			return fmt.Errorf("%w: action %d: log-ratio is %g, want 0", dpo.ErrReference, i, v)
		}
	}
	return nil
}

// Collect implements train.Stage.
func (s *stage) Collect(m *train.Metrics) error {
	m.Set("loss", s.loss)
	for name, value := range s.metrics.All() {
		m.Set(name, value)
	}
	return nil
}

// state is what the stage adds to a checkpoint.
type state struct {
	Cursor  data.Cursor       `json:"cursor"`
	Data    string            `json:"data"`
	Steps   uint64            `json:"steps"`
	Options map[string]string `json:"options"`
}

// identity lists what decides what a step computes.
func (s *stage) identity() map[string]string {
	critic := "the policy's hidden states"
	if s.opts.Critic.Model != nil {
		critic = "a model of its own"
	}
	return map[string]string{
		"level":          s.opts.Level.String(),
		"beta":           fmt.Sprint(s.opts.Beta),
		"regularisation": fmt.Sprint(*s.opts.Regularisation),
		"value_weight":   fmt.Sprint(s.opts.ValueWeight),
		"critic":         critic,
		"reference":      s.reference.Name,
	}
}

// State implements train.Stage.
func (s *stage) State() (json.RawMessage, error) {
	return json.Marshal(state{s.src.walk.Cursor(), s.src.Fingerprint(), s.count, s.identity()})
}

// Restore implements train.Stage.
func (s *stage) Restore(raw json.RawMessage) error {
	var st state
	if err := json.Unmarshal(raw, &st); err != nil {
		return fmt.Errorf("oreo: state: %w", err)
	}
	if err := saved.Unchanged(s.identity(), st.Options); err != nil {
		return err
	}
	if got := s.src.Fingerprint(); got != st.Data {
		return fmt.Errorf("%w: got %s, want %s as before", dpo.ErrDataChanged, got, st.Data)
	}
	if err := s.src.walk.Seek(st.Cursor); err != nil {
		return fmt.Errorf("oreo: state: %w", err)
	}
	s.count = st.Steps
	return nil
}

// CountSteps implements train.StepCounter.
func (s *stage) CountSteps(epochs float64) (int, error) {
	if epochs != float64(int(epochs)) {
		return 0, fmt.Errorf("oreo: cannot count the steps of %g epochs; set MaxSteps", epochs)
	}
	return s.src.Steps(int(epochs)), nil
}

// valueFile holds the value head and what is trained of the critic.
const valueFile = "value.safetensors"

// SaveWeights implements train.Stage: the policy, and value.safetensors.
func (s *stage) SaveWeights(dir string) error {
	return errors.Join(s.policy.Save(dir, s.opts.BaseModel), policy.SaveParams(filepath.Join(dir, valueFile), s.worth))
}

// LoadWeights implements train.Stage.
func (s *stage) LoadWeights(dir string) error {
	return errors.Join(s.policy.Restore(dir), policy.LoadParams(filepath.Join(dir, valueFile), s.worth))
}
