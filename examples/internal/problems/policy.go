package problems

import (
	"context"
	"flag"

	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/rlhf"
)

// Main is cli.Main with what -batch-tokens and -max-length mean where the policy
// writes the completions.
func Main(f *cli.Flags, about string, run func(ctx context.Context) error) {
	f.Register(flag.CommandLine)
	flag.Lookup("batch-tokens").Usage = "tokens of a micro-batch at most; -prompts and -completions say how large a step is"
	flag.Lookup("max-length").Usage = "prompts that leave no room for a completion in so many tokens are dropped"
	cli.Run(about, f.Checked(run))
}

// Policy is what the flags train: the model with -full, else the adapter in
// -adapter, or a fresh one.
func Policy(f *cli.Flags, c *auto.Checkpoint) (p rlhf.Policy, err error) {
	if p.Model = c.Model; !f.Full {
		p.Adapter, err = f.Attach(c.Model)
	}
	return p, err
}

// LearningRate is -lr; the embedded model, which is small, takes larger steps.
func LearningRate(f *cli.Flags) float64 {
	if f.LR == 0 && f.Model == "" && f.Full {
		return 2e-4
	}
	return f.LearningRateOr(1e-3)
}
