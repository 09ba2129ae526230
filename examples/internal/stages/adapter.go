package stages

import (
	"slices"

	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
)

// Adapter is the one in -adapter, or a fresh one; nil with -full. The embedded model
// has never seen the tokens of fresh: their rows of the embedding, which is its head
// too, are trained along.
func Adapter(f *cli.Flags, c *auto.Checkpoint, fresh string) (*lora.Adapter, error) {
	switch {
	case f.Full:
		return nil, nil
	case f.Adapter != "":
		return f.Attach(c.Model)
	}
	return NamedAdapter(f, c, "default", fresh)
}

// NamedAdapter is a fresh one of that name, as Adapter makes it.
func NamedAdapter(f *cli.Flags, c *auto.Checkpoint, name, fresh string) (*lora.Adapter, error) {
	o := lora.Config{Rank: f.Rank, Alpha: 2 * float64(f.Rank), Seed: f.Seed}
	if f.Model == "" && fresh != "" {
		var rows []int
		for _, id := range c.Tokenizer.AppendIDs(nil, fresh, false) {
			rows = append(rows, int(id))
		}
		slices.Sort(rows)
		o.Tokens = lora.Patterns[[]int]{{Key: "", Value: slices.Compact(rows)}}
	}
	return lora.Attach(c.Model, name, o)
}

// LearningRate is -lr; without it so many times 1e-3 for an adapter of the embedded
// model, which is small, and so many times 5e-4 for all its weights.
func LearningRate(f *cli.Flags, times float64) float64 {
	switch {
	case f.LR > 0 || f.Model != "":
		return f.LearningRate()
	case f.Full:
		return 5e-4 * times
	}
	return 1e-3 * times
}
