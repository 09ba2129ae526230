package prefs

import (
	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
)

// Policy is what the flags train: the model with -full, else the adapter in
// -adapter, or a fresh one.
func Policy(f *cli.Flags, c *auto.Checkpoint) (dpo.Policy, error) {
	p := dpo.Policy{Model: c.Model}
	if f.Full {
		return p, nil
	}
	var err error
	if f.Adapter == "" {
		p.Adapter, err = lora.Attach(c.Model, "default", lora.Config{Rank: f.Rank, Alpha: 2 * float64(f.Rank), Seed: f.Seed})
		return p, err
	}
	if p.Adapter, err = lora.Load(c.Model, "default", f.Adapter); err != nil {
		return p, err
	}
	return p, p.Adapter.SetTrainable(true)
}

// Export writes what -full trains as a model folder; nil, which writes the adapter,
// without it.
func Export(f *cli.Flags, c *auto.Checkpoint) func(dir string) error {
	if !f.Full {
		return nil
	}
	return func(dir string) error { return auto.Save(dir, c, auto.SaveOptions{}) }
}

// LearningRate is -lr; 0 is 1e-3 for an adapter of the embedded model, which is
// small, and else what cli.Flags says.
func LearningRate(f *cli.Flags) float64 {
	if f.LR == 0 && f.Model == "" && !f.Full {
		return 1e-3
	}
	return f.LearningRate()
}
