package sft_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"

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
			run := func(loss sft.Loss) outcome {
				p := adapted(t, tinyModel(t, "llama", tensor.Float64), lora.Config{})
				one := cut(examples(8), [][]int{{0, 1, 2, 3, 4}, {5}, {6, 7}}, 0).steps[0]
				return runSteps(t, p, &fixedSteps{steps: append(cut(examples(8), [][]int{{7, 3}}, 0).steps, one)}, sft.Options{Loss: loss, MicroTokens: 90, MaxSegments: 9}, plain(2))
			}
			want, got := run(c.ours), run(c.theirs)
			require.Len(t, got.losses, 2)
			for i := range want.losses {
				assert.InEpsilon(t, want.losses[i], got.losses[i], 1e-12)
			}
			assert.LessOrEqual(t, distant(want.grads, got.grads), 1e-12)
			assert.LessOrEqual(t, distant(want.values, got.values), 1e-12)
		})
	}
}
