package sft

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// Policy is what is trained: the adapter when there is one, else all weights of
// the model.
type Policy struct {
	Model   model.Model
	Adapter *lora.Adapter // attached to Model; nil trains Model itself
}

// AdapterName is the name of the adapter, "" without one.
func (p Policy) AdapterName() string {
	if p.Adapter == nil {
		return ""
	}
	return p.Adapter.Name()
}

// params lists what is trained.
func (p Policy) params() []*tensor.Param {
	all := p.Model.Params()
	if p.Adapter != nil {
		all = p.Adapter.Params()
	}
	var list []*tensor.Param
	for _, q := range all {
		list = append(list, q)
	}
	return list
}

// makeTrainable gives every parameter a gradient accumulator.
func makeTrainable(params []*tensor.Param) error {
	var faults []error
	for _, q := range params {
		faults = append(faults, q.SetTrainable(true))
	}
	return errors.Join(faults...)
}

// seeker is a source whose position can be saved; data.Batcher is one.
type seeker interface {
	Cursor() data.Cursor
	Seek(data.Cursor) error
}

// stage implements train.Stage.
type stage struct {
	policy Policy
	opts   Options
	src    data.StepSource
	params []*tensor.Param
	list   []train.Parameter
	prog   *program

	step  data.Step
	count uint64 // optimizer steps begun: keys dropout and noise

	loss, entropy, hits, weight float64 // sums over the step so far
}

// Name is "sft".
func (s *stage) Name() string { return "sft" }

// Parameters implements train.Stage.
func (s *stage) Parameters() []train.Parameter { return s.list }

// Next implements train.Stage.
func (s *stage) Next(ctx context.Context, b *train.Batch) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("sft: %w", err)
	}
	if err := s.src.Next(&s.step); err != nil {
		return err
	}
	s.count++
	s.loss, s.entropy, s.hits, s.weight = 0, 0, 0, 0
	b.Weights = b.Weights[:0]
	for i := range s.step.Micro {
		b.Weights = append(b.Weights, sumWeights(s.step.Micro[i].Weights))
	}
	b.Tokens, b.Epoch = s.step.Tokens, s.step.Epoch
	return nil
}

func sumWeights(w []float32) float64 {
	sum := 0.0
	for _, x := range w {
		sum += float64(x)
	}
	return sum
}

// Backward implements train.Stage.
func (s *stage) Backward(micro int, seed float64) error {
	b := &s.step.Micro[micro]
	s.prog.run.SetRandom(s.opts.Seed, s.count<<16|uint64(micro))
	loss, err := s.prog.compute(b, seed)
	if err != nil {
		return fmt.Errorf("sft: micro-batch %d: %w", micro, err)
	}
	entropy, hits, err := s.prog.statistics(b)
	if err != nil {
		return err
	}
	s.loss += loss * seed
	w := sumWeights(b.Weights)
	if w == 0 {
		return nil
	}
	share := 1.0 // of a token in the means that are logged
	if s.opts.MicroMeans {
		share = 1 / w
	}
	s.entropy += entropy * share
	s.hits += hits * share
	s.weight += w * share
	return nil
}

// Collect implements train.Stage.
func (s *stage) Collect(m *train.Metrics) error {
	m.Set("loss", s.loss)
	if s.weight > 0 {
		m.Set("entropy", s.entropy/s.weight)
		m.Set("mean_token_accuracy", s.hits/s.weight)
	}
	return nil
}

// state is what the stage adds to a checkpoint.
type state struct {
	Cursor *data.Cursor `json:"cursor,omitempty"`
	Steps  uint64       `json:"steps"`
}

// State implements train.Stage. A source without a cursor cannot be resumed.
func (s *stage) State() (json.RawMessage, error) {
	st := state{Steps: s.count}
	if src, ok := s.src.(seeker); ok {
		c := src.Cursor()
		st.Cursor = &c
	}
	return json.Marshal(st)
}

// Restore implements train.Stage.
func (s *stage) Restore(raw json.RawMessage) error {
	var st state
	if err := json.Unmarshal(raw, &st); err != nil {
		return fmt.Errorf("sft: state: %w", err)
	}
	src, ok := s.src.(seeker)
	if !ok || st.Cursor == nil {
		return fmt.Errorf("sft: the source (%T) has no cursor, so a run over it cannot be resumed", s.src)
	}
	s.count = st.Steps
	return src.Seek(*st.Cursor)
}

// CountSteps implements train.StepCounter where the source can count.
func (s *stage) CountSteps(epochs float64) (int, error) {
	src, ok := s.src.(interface{ Steps(epochs int) int })
	if !ok || epochs != float64(int(epochs)) {
		return 0, fmt.Errorf("sft: cannot count the steps of %g epochs of a %T; set MaxSteps", epochs, s.src)
	}
	return src.Steps(int(epochs)), nil
}
