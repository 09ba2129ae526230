package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/train"
	"github.com/posttrain/posttrain/train/report"
)

// Memory are the flags by which training takes less memory.
type Memory struct {
	MicroTokens int // 0 for what the longest item needs; see Micro
	Recompute   bool

	least int
}

// MemoryFlags declares -micro-tokens, of at least so many tokens if nothing is said,
// and -recompute, for a run that learns from items such as pairs.
func MemoryFlags(item string, least int) *Memory {
	m := &Memory{least: least}
	flag.IntVar(&m.MicroTokens, "micro-tokens", 0, fmt.Sprintf("largest micro-batch in tokens; 0 for what the longest %s needs, at least %d", item, least))
	flag.BoolVar(&m.Recompute, "recompute", false, "save memory by computing activations twice")
	return m
}

// Micro is the size of micro-batches where the longest item has so many tokens.
func (m *Memory) Micro(longest int) int {
	if m.MicroTokens != 0 {
		return m.MicroTokens
	}
	return max(m.least, longest)
}

// Attach gives a model the adapter in -adapter, or a fresh one.
func (f *Flags) Attach(m model.Model) (*lora.Adapter, error) {
	if f.Adapter == "" {
		return lora.Attach(m, "default", lora.Config{Rank: f.Rank, Alpha: 2 * float64(f.Rank), Seed: f.Seed})
	}
	a, err := lora.Load(m, "default", f.Adapter)
	if err != nil {
		return nil, err
	}
	return a, a.SetTrainable(true)
}

// Export writes what -full trains as a model folder; nil, which writes the adapter,
// without it.
func (f *Flags) Export(c *auto.Checkpoint) func(dir string) error {
	if !f.Full {
		return nil
	}
	return func(dir string) error { return auto.Save(dir, c, auto.SaveOptions{}) }
}

// LearningRateOr is -lr; 0 is embedded for an adapter of the embedded model, which
// is small, and else what LearningRate says.
func (f *Flags) LearningRateOr(embedded float64) float64 {
	if f.LR == 0 && f.Model == "" && !f.Full {
		return embedded
	}
	return f.LearningRate()
}

// Loop is a training loop of AdamW with that learning rate, as long and as closely
// watched as the flags say.
func (f *Flags) Loop(rate float64) train.Options {
	return train.Options{
		Optimizer: train.AdamW{LR: rate}, MaxSteps: f.Steps, EvalEvery: f.EvalEvery, SaveEvery: f.SaveEvery,
		Out: f.Out, Resume: f.Resume, Reporter: report.Run{},
	}
}

// Trainer is a run that is ready.
type Trainer interface {
	Train(ctx context.Context, h train.Hooks) error
	Save() error
	Step() int
}

// Train trains to the end and shows what happens to event. An interrupted run with
// -out is saved.
func (f *Flags) Train(ctx context.Context, t Trainer, event func(train.Event) error) error {
	err := t.Train(ctx, train.Hooks{Event: event})
	if errors.Is(err, context.Canceled) && f.Out != "" {
		return errors.Join(fmt.Errorf("stopped after step %d; go on with -resume", t.Step()), t.Save())
	}
	return err
}
