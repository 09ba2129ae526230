package lora_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/require"
)

func TestFreshAdapterChangesNothing(t *testing.T) {
	for _, config := range []string{llamaConfig, gemmaConfig} {
		m := tiny(t, config, tensor.Float32)
		before := compute(t, m, "")
		a, err := lora.Attach(m, "a", everywhere)
		require.NoError(t, err)
		require.True(t, a.Zero())
		require.Equal(t, before, compute(t, m, "a"), "B = 0, and A = 0 of the embedding, add exact zeros")
		for name, p := range a.Params() {
			require.True(t, p.Trainable(), name)
		}
		require.NoError(t, a.SetTrainable(false))
		for name, p := range a.Params() {
			require.False(t, p.Trainable(), name)
		}
		scramble(a)
		require.False(t, a.Zero())
		require.NotEqual(t, before.Logits, compute(t, m, "a").Logits)
		require.Equal(t, before, compute(t, m, ""), "the base is computed bit for bit")
		a.Remove()
		require.Equal(t, before, compute(t, m, "a"), "a name without an adapter is the base")
		a.Remove()
		_, err = a.Merge()
		require.ErrorIs(t, err, lora.ErrDetached)
		_, err = a.Clone("b")
		require.ErrorIs(t, err, lora.ErrDetached)
	}
}

func TestInitialValuesDependOnSeedAndPathOnly(t *testing.T) {
	few := lora.Config{Rank: 4, Targets: []string{"layers.1.self_attn.q_proj"}, Seed: 3}
	many := lora.Config{Rank: 4, Seed: 3}
	m := tiny(t, llamaConfig, tensor.Float32)
	const q = "model.layers.1.self_attn.q_proj.lora_A."
	a, err := lora.Attach(m, "a", few)
	require.NoError(t, err)
	b, err := lora.Attach(m, "b", many)
	require.NoError(t, err)
	require.Equal(t, values(a)[q+"a"], values(b)[q+"b"])
	many.Seed = 4
	c, err := lora.Attach(m, "c", many)
	require.NoError(t, err)
	require.NotEqual(t, values(b)[q+"b"], values(c)[q+"c"])
	require.NotEqual(t, values(b)[q+"b"], values(b)[strings.ReplaceAll(q, "q_proj", "k_proj")+"b"])
}

func TestSeveralAdaptersOnOneBase(t *testing.T) {
	m := tiny(t, llamaConfig, tensor.Float32)
	before := compute(t, m, "")
	a, err := lora.Attach(m, "a", lora.Config{Rank: 2, Targets: []string{"q_proj"}})
	require.NoError(t, err)
	b, err := lora.Attach(m, "b", everywhere)
	require.NoError(t, err)
	scramble(a)
	scramble(b)
	withA, withB := compute(t, m, "a"), compute(t, m, "b")
	require.NotEqual(t, withA.Logits, withB.Logits)
	_, err = lora.Attach(m, "b", lora.Config{Targets: []string{"v_proj"}})
	require.ErrorContains(t, err, `the model has an adapter "b" already`)
	_, err = lora.Attach(m, "", lora.Config{})
	require.ErrorContains(t, err, "no name")

	frozen, err := b.Clone("ref")
	require.NoError(t, err)
	require.Equal(t, "ref", frozen.Name())
	require.Equal(t, b.Config(), frozen.Config())
	require.Equal(t, withB, compute(t, m, "ref"))
	for _, p := range frozen.Params() {
		require.False(t, p.Trainable())
	}
	for _, p := range b.Params() {
		p.Set(make([]float64, p.Len()))
	}
	require.Equal(t, withB, compute(t, m, "ref"), "a copy does not follow the original")
	require.Equal(t, before, compute(t, m, "b"))
	b.Remove()
	require.Equal(t, withA, compute(t, m, "a"))
	require.Equal(t, before, compute(t, m, ""))
}

// Tolerances of merged against active logits, relative to the largest: some ten
// roundings to the storage type in a row, of 2^-53, 2^-24, 2^-11 and 2^-9.
var mergeTolerance = map[tensor.Dtype]float64{tensor.Float64: 1e-14, tensor.Float32: 2e-6, tensor.Float16: 5e-3, tensor.BFloat16: 3e-2}

func TestMergedIsActive(t *testing.T) {
	for dt, tolerance := range mergeTolerance {
		m := tiny(t, llamaConfig, dt)
		before := weights(m)
		a, err := lora.Attach(m, "a", everywhere)
		require.NoError(t, err)
		scramble(a)
		active := compute(t, m, "a")
		report, err := a.Merge()
		require.NoError(t, err)
		merged := compute(t, m, "")
		largest := 0.0
		for _, x := range active.Logits {
			largest = max(largest, math.Abs(x))
		}
		require.InDeltaSlice(t, active.Logits, merged.Logits, tolerance*largest, "%v", dt)
		require.Equal(t, merged, compute(t, m, "a"), "the adapter is gone")

		largest, changed := 0.0, []string{}
		for name, p := range m.Params() {
			now := p.Float32s()
			if !slices.Equal(now, before[name]) {
				changed = append(changed, name)
			}
			for i := range now {
				largest = max(largest, math.Abs(float64(now[i])-float64(before[name][i])))
			}
		}
		require.ElementsMatch(t, changed, report.Changed)
		require.Len(t, changed, 2*7+2)
		require.InDelta(t, largest, report.Largest, 1e-6)
		require.Empty(t, report.Shared)
		if dt == tensor.Float64 {
			require.Zero(t, report.Rounding)
		} else {
			require.Positive(t, report.Rounding)
			require.Less(t, report.Rounding, report.Largest)
		}
	}
}

func weights(m model.Model) map[string][]float32 {
	w := map[string][]float32{}
	for name, p := range m.Params() {
		w[name] = p.Float32s()
	}
	return w
}

// TestMergingATiedEmbedding: the active adapter leaves the head alone, the merged
// one does not; the scale of Gemma's embedding applies to both.
func TestMergingATiedEmbedding(t *testing.T) {
	m := tiny(t, gemmaConfig, tensor.Float64)
	a, err := lora.Attach(m, "a", lora.Config{Rank: 3, Targets: []string{"embed_tokens"}})
	require.NoError(t, err)
	scramble(a)
	active := compute(t, m, "a")
	report, err := a.Merge()
	require.NoError(t, err)
	require.Equal(t, []string{"model.embed_tokens.weight"}, report.Changed)
	require.Equal(t, report.Changed, report.Shared)
	merged := compute(t, m, "")
	require.InDeltaSlice(t, active.Hidden, merged.Hidden, 1e-12, "lookups are the same")
	require.NotEqual(t, active.Logits, merged.Logits)
}

func TestMergeFailsAsAWhole(t *testing.T) {
	m := tiny(t, llamaConfig, tensor.Float16)
	a, err := lora.Attach(m, "a", lora.Config{Rank: 2, Targets: []string{"q_proj", "down_proj"}})
	require.NoError(t, err)
	scramble(a)
	for name, p := range a.Params() {
		if strings.Contains(name, "layers.1.mlp.down_proj") {
			p.Set(slices.Repeat([]float64{1e3}, p.Len()))
		}
	}
	before := weights(m)
	_, err = a.Merge()
	require.ErrorContains(t, err, `merging "a" into model.layers.1.mlp.down_proj.weight: element 0 becomes +Inf, want a finite number of type F16`)
	require.Equal(t, before, weights(m))
	_, err = a.Clone("b")
	require.NoError(t, err, "the adapter is still there")
}

// TestDropoutIsForTrainingOnly builds the forward pass with and without dropout.
func TestDropoutIsForTrainingOnly(t *testing.T) {
	m := tiny(t, llamaConfig, tensor.Float32)
	c := everywhere
	a, err := lora.Attach(m, "dry", c)
	require.NoError(t, err)
	c.Dropout = 0.5
	b, err := lora.Attach(m, "wet", c)
	require.NoError(t, err)
	scramble(a)
	scramble(b)
	dry := logProbs(t, m, model.Inputs{Adapter: "dry", Training: true}, 1)
	require.Equal(t, dry, logProbs(t, m, model.Inputs{Adapter: "dry"}, 2))
	require.Equal(t, dry, logProbs(t, m, model.Inputs{Adapter: "wet"}, 1))
	wet := logProbs(t, m, model.Inputs{Adapter: "wet", Training: true}, 1)
	require.NotEqual(t, dry, wet)
	require.Equal(t, wet, logProbs(t, m, model.Inputs{Adapter: "wet", Training: true}, 1))
	require.NotEqual(t, wet, logProbs(t, m, model.Inputs{Adapter: "wet", Training: true}, 2))
}

// logProbs scores the first tiny row; seed keys the dropout.
func logProbs(t *testing.T, m model.Model, in model.Inputs, seed uint64) []float32 {
	row := tinyRows[0]
	n := len(row)
	var score *tensor.Node
	var rows, targets *tensor.Node
	g, err := tensor.Build(func(g *tensor.Graph) {
		in.Tokens, in.Positions = tensor.Input(g, tensor.Int32, "tokens", n), tensor.Input(g, tensor.Int32, "positions", n)
		in.Ends, in.Prefix = tensor.Input(g, tensor.Int32, "ends", 1), tensor.Input(g, tensor.Int32, "prefix", 1)
		rows, targets = tensor.Input(g, tensor.Int32, "rows", n), tensor.Input(g, tensor.Int32, "targets", n)
		score = model.Distribution(m, &in, m.Hidden(g, &in)).LogProbs(rows, targets).LogProb
	})
	require.NoError(t, err)
	p, err := tensor.Compile(g, tensor.Nodes{score}, tensor.CompileOptions{})
	require.NoError(t, err)
	defer p.Close()
	p.SetRandom(seed, 0)
	index := make([]int32, n)
	for i := range index {
		index[i] = int32(i)
	}
	for node, data := range map[*tensor.Node][]int32{in.Tokens: row, in.Positions: index, in.Ends: {int32(n)}, in.Prefix: {-1}, rows: index, targets: row} {
		require.NoError(t, tensor.Bind(p, node, data))
	}
	require.NoError(t, p.Run())
	v, err := tensor.Values[float32](p, score)
	require.NoError(t, err)
	return slices.Clone(v)
}
