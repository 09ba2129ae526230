package sft_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/tensor"
)

// TestMetricsAreWeightedMeans has weights other than 1, and a model that is
// right about every other target. However the step is cut, the means are the
// same; with MicroMeans they are means of means.
func TestMetricsAreWeightedMeans(t *testing.T) {
	rows := examples(8)
	m := trial.Model(t, "llama", tensor.Float64)
	var ids [][]int32
	for _, e := range rows {
		ids = append(ids, e.IDs)
	}
	pass, err := modeltest.Compute(m, ids, modeltest.PassOptions{Logits: true})
	require.NoError(t, err)
	for _, micro := range [][][]int{{{0, 1, 2, 3, 4, 5, 6, 7}}, {{0, 1, 2}, {3, 4, 5, 6}, {7}}} {
		for _, means := range []bool{false, true} {
			src := cut(rows, micro, 0)
			var entropy, hits, weight float64 // of the step
			var entropies, accuracies float64 // means of micro-batches
			for k, list := range micro {
				p := &src.List[0].Micro[k]
				var h, a, w float64
				for j, at := range p.Rows {
					segment := 0
					for int32(at) >= p.Ends[segment] {
						segment++
					}
					row := pass.Starts[list[segment]] + int(p.Positions[at])
					logits := pass.Logits[row*trial.Vocab : (row+1)*trial.Vocab]
					best := 0
					for v := range logits {
						if logits[v] > logits[best] {
							best = v
						}
					}
					p.Targets[j] = int32((best + j%2) % trial.Vocab)
					h += float64(p.Weights[j]) * pass.Entropy[row]
					a += float64(p.Weights[j]) * float64(1-j%2)
					w += float64(p.Weights[j])
				}
				entropy, hits, weight = entropy+h, hits+a, weight+w
				entropies, accuracies = entropies+h/w/float64(len(micro)), accuracies+a/w/float64(len(micro))
			}
			if !means {
				entropies, accuracies = entropy/weight, hits/weight
			}
			tr, err := sft.New(sft.Policy{Model: trial.Model(t, "llama", tensor.Float64)}, src, sft.Options{MicroTokens: 160, MicroMeans: means}, trial.Loop(1))
			require.NoError(t, err)
			for s, err := range tr.Steps(t.Context()) {
				require.NoError(t, err)
				got, _ := s.Metrics.Value("entropy")
				assert.InEpsilon(t, entropies, got, 1e-12)
				got, _ = s.Metrics.Value("mean_token_accuracy")
				assert.InEpsilon(t, accuracies, got, 1e-12)
			}
		}
	}
}
