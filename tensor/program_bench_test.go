package tensor_test

import (
	"testing"

	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/require"
)

// BenchmarkTrainingStep times forward and backward pass of two layers of a
// 0.5B-shaped decoder with adapters, by op. Run it with -v for the table.
func BenchmarkTrainingStep(b *testing.B) {
	hollow = true
	defer func() { hollow = false }()
	shape := modelShape{layers: 2, dim: 896, heads: 14, hidden: 4864, vocab: 16384, tokens: 2048 + 3, scored: 1500 + 3, segments: 4, rank: 16}
	m := newModel[float32](b, shape)
	for _, p := range m.params {
		for i := range p.Data() {
			p.Data()[i] = float32(i%17-8) / 100
		}
	}
	p := m.training(b, tensor.CompileOptions{Debug: tensor.Debug{Timing: true}})
	b.Log(p.Plan())
	for b.Loop() {
		require.NoError(b, p.Run())
	}
	for _, op := range p.Timings() {
		b.Logf("%-24s %4d calls %8.2f ms", op.Op, op.Calls, float64(op.Total.Microseconds())/1e3/float64(b.N))
	}
}
