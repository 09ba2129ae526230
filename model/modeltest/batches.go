package modeltest

import (
	"slices"
	"testing"

	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// causality wants what is computed for a token not to depend on later ones: not
// at all on which they are, and on their number only where rotary positions do.
func (s *suite) causality(t *testing.T) {
	m := s.tiny(t, tensor.Float64)
	row := rows(m, 20)[0]
	whole := compute(t, m, [][]int32{row}, PassOptions{})
	width := len(whole.Hidden) / len(row)
	for _, n := range []int{1, 7, 19} {
		changed := slices.Clone(row)
		for i := n; i < len(row); i++ {
			changed[i] = (changed[i] + 1) % int32(m.Config().VocabSize)
		}
		p := compute(t, m, [][]int32{changed}, PassOptions{})
		assert.Equal(t, whole.Hidden[:n*width], p.Hidden[:n*width], "the first %d tokens, others changed", n)
		assert.NotEqual(t, whole.Hidden[n*width:], p.Hidden[n*width:], "the changed tokens")
		if !lengthDependent(m) {
			p = compute(t, m, [][]int32{row[:n]}, PassOptions{})
			near(t, whole.Hidden[:n*width], p.Hidden, "the first %d tokens alone", n)
		}
	}
}

// weighted is a loss weight for every token, different for each.
func weighted(rows [][]int32) [][]float64 {
	w := make([][]float64, len(rows))
	for i, row := range rows {
		w[i] = make([]float64, len(row))
		for t := 1; t < len(row); t++ {
			w[i][t] = 0.5 + float64((i+2*t)%3)
		}
	}
	return w
}

func total(w [][]float64) (sum float64) {
	for _, row := range w {
		for _, x := range row {
			sum += x
		}
	}
	return sum
}

// packing wants rows in one batch to give what each gives alone, hidden states,
// loss and gradients, with and without spare capacity.
func (s *suite) packing(t *testing.T) {
	m := s.tiny(t, tensor.Float64)
	require.NoError(t, Trainable(m, true))
	all := rows(m, 13, 1, 6, 9)
	w := weighted(all)
	packed := compute(t, m, all, PassOptions{Weights: w, Logits: true, Layers: true})
	spare := compute(t, m, all, PassOptions{Weights: w, Spare: 11})
	near(t, packed.Hidden, spare.Hidden, "spare capacity")
	sum := map[string][]float64{}
	loss := 0.0
	for i, row := range all {
		share := total(w[i:i+1]) / total(w)
		alone := compute(t, m, [][]int32{row}, PassOptions{Weights: w[i : i+1], Logits: true, Layers: true})
		near(t, alone.Hidden, packed.Row(packed.Hidden, i), "row %d", i)
		near(t, alone.LogProb, packed.Row(packed.LogProb, i), "log-probabilities of row %d", i)
		near(t, alone.Entropy, packed.Row(packed.Entropy, i), "entropies of row %d", i)
		near(t, alone.Logits, packed.Row(packed.Logits, i), "logits of row %d", i)
		for k := range alone.Layers {
			near(t, alone.Layers[k], packed.Row(packed.Layers[k], i), "layer %d of row %d", k, i)
		}
		if share == 0 {
			continue
		}
		loss += share * alone.Loss
		for name, g := range alone.Grads {
			if sum[name] == nil {
				sum[name] = make([]float64, len(g))
			}
			for k := range g {
				sum[name][k] += share * g[k]
			}
		}
	}
	near(t, []float64{loss}, []float64{packed.Loss}, "loss")
	for name, g := range packed.Grads {
		near(t, sum[name], g, "gradient of %s", name)
		near(t, g, spare.Grads[name], "gradient of %s with spare capacity", name)
	}
	assert.Positive(t, Norm(packed.Grads[m.Embedding().Weight.Name()]), "gradient of the embedding")
}

// order wants the place of a row in the batch not to matter.
func (s *suite) order(t *testing.T) {
	m := s.tiny(t, tensor.Float64)
	all := rows(m, 5, 12, 3, 8)
	forward := compute(t, m, all, PassOptions{})
	order := []int{2, 0, 3, 1}
	var moved [][]int32
	for _, i := range order {
		moved = append(moved, all[i])
	}
	p := compute(t, m, moved, PassOptions{})
	for k, i := range order {
		near(t, forward.Row(forward.Hidden, i), p.Row(p.Hidden, k), "row %d at place %d", i, k)
	}
}

// sharedPrefix wants a prompt that is computed once for several continuations to
// give what copies of it give.
func (s *suite) sharedPrefix(t *testing.T) {
	m := s.tiny(t, tensor.Float64)
	if lengthDependent(m) {
		t.Skip("rotary positions depend on the length of a sequence")
	}
	parts := rows(m, 8, 5, 7) // a prompt and two continuations
	share := compute(t, m, parts, PassOptions{Prefix: []int32{-1, 0, 0}})
	for i := 1; i < 3; i++ {
		whole := compute(t, m, [][]int32{slices.Concat(parts[0], parts[i])}, PassOptions{})
		width := len(whole.Hidden) / (len(parts[0]) + len(parts[i]))
		near(t, whole.Hidden[:len(parts[0])*width], share.Row(share.Hidden, 0), "prompt")
		near(t, whole.Hidden[len(parts[0])*width:], share.Row(share.Hidden, i), "continuation %d", i)
	}
}
