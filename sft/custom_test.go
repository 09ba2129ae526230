package sft_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/tensor"
)

// TestOwnLossInGorgoniasOps trains with losses that are written in Gorgonia's
// operators, over batches that fill the capacity in part.
func TestOwnLossInGorgoniasOps(t *testing.T) {
	for name, c := range map[string]struct{ theirs, ours sft.LossFunc }{
		"nll": {
			theirs: func(in sft.Tokens) *tensor.Node { return gorgonia.Must(gorgonia.Neg(in.LogProb)) },
			ours:   sft.NLL{}.Build,
		},
		"focal": { // −(1−p)·log p
			theirs: func(in sft.Tokens) *tensor.Node {
				p := gorgonia.Must(gorgonia.Exp(in.LogProb))
				weighted := gorgonia.Must(gorgonia.HadamardProd(p, in.LogProb))
				return gorgonia.Must(gorgonia.Sub(weighted, in.LogProb))
			},
			ours: func(in sft.Tokens) *tensor.Node {
				return tensor.Sub(tensor.Mul(tensor.Exp(in.LogProb), in.LogProb), in.LogProb)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			run := func(loss sft.Loss) trial.Outcome {
				p := adapted(t, trial.Model(t, "llama", tensor.Float64), lora.Config{})
				one := cut(examples(8), [][]int{{0, 1, 2, 3, 4}, {5}, {6, 7}}, 0).List[0]
				return runSteps(t, p, &trial.Steps[data.Step]{List: append(cut(examples(8), [][]int{{7, 3}}, 0).List, one)}, sft.Options{Loss: loss, MicroTokens: 90, MaxSegments: 9}, trial.Loop(2))
			}
			want, got := run(c.ours), run(c.theirs)
			require.Len(t, got.Losses, 2)
			for i := range want.Losses {
				assert.InEpsilon(t, want.Losses[i], got.Losses[i], 1e-12)
			}
			assert.LessOrEqual(t, distant(want.Grads, got.Grads), 1e-12)
			assert.LessOrEqual(t, distant(want.Values, got.Values), 1e-12)
		})
	}
}
