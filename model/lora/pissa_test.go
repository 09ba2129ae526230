package lora_test

import (
	"math"
	"slices"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/safetensors"
	"github.com/stretchr/testify/require"
)

// residualTolerance bounds a residual of our float64 decomposition against PEFT's in
// float32, relative to the largest weight: rounding of 6e-8 grows where singular
// values are close to each other.
const residualTolerance = 2e-5

// TestOraclePiSSA decomposes the original base as the fixture's maker did: B·A, which
// has no arbitrary signs, and the residual are the fixture's, and of the trained one
// the saved folder, which is a plain adapter, computes what the fixture's does.
func TestOraclePiSSA(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, c := range adapterCases(t) {
		if c.residual == "" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			residual := c.residual
			c.residual = ""
			m := open(t, c, tensor.Float64)
			whole := compute(t, m, "")
			made, err := lora.Load(open(t, c, tensor.Float64), "file", c.dir)
			require.NoError(t, err)
			config := made.Config()
			config.Init = lora.PiSSA
			a, err := lora.Attach(m, "a", config)
			require.NoError(t, err)
			require.False(t, a.Zero(), "the base alone is a residual")
			near(t, whole.Logits, compute(t, m, "a").Logits, "fresh")
			f, err := safetensors.Open(residual)
			require.NoError(t, err)
			defer f.Close()
			for name, p := range m.Params() {
				if _, err := f.Tensor(name); err == nil {
					d, size := modeltest.Farthest(p.Data64(), floats(t, f, name))
					require.LessOrEqual(t, d, residualTolerance*max(1, size), name)
				}
			}
			// Values of the fixture on our residual: what was trained there is restored
			// here, up to the difference of the decompositions.
			values := map[string][]float64{}
			for name, p := range made.Params() {
				values[name[:len(name)-len(".file")]] = p.Data64()
			}
			for name, p := range a.Params() {
				require.NoError(t, p.Set(values[name[:len(name)-len(".a")]]))
			}
			ref := c.reference(t)
			pass, err := modeltest.Compute(m, c.rows(t), modeltest.PassOptions{Adapter: "a"})
			require.NoError(t, err)
			abs, _ := c.float32Tolerance("logprob")
			require.InDeltaSlice(t, floats(t, ref.file, "row2.logprob"), pass.Row(pass.LogProb, 2)[:len(c.rows(t)[2])-1], abs)
			tally.Compared(1)
		})
	}
}

// TestResidualBase holds what adapters that take a part of the base promise, for every
// way of finding it.
func TestResidualBase(t *testing.T) {
	for name, c := range map[string]lora.Config{
		"pissa":        {Rank: 3, Init: lora.PiSSA},
		"fast pissa":   {Rank: 3, Init: lora.PiSSA, PowerIterations: 8, RankStabilised: true, AlphaPattern: lora.Patterns[float64]{{Key: "q_proj", Value: 5}}},
		"olora":        {Rank: 3, Init: lora.OLoRA, RankPattern: lora.Patterns[int]{{Key: "down_proj", Value: 5}}},
		"pissa, whole": {Rank: 16, Init: lora.PiSSA, Targets: []string{"q_proj", "o_proj"}},
	} {
		for _, dt := range []tensor.Dtype{tensor.Float64, tensor.Float32, tensor.BFloat16} {
			t.Run(name+" "+dt.String(), func(t *testing.T) {
				m := tiny(t, llamaConfig, dt)
				before, held := compute(t, m, ""), weights(m)
				a, err := lora.Attach(m, "a", c)
				require.NoError(t, err)
				close := func(want, got []float64, what string) {
					d, size := modeltest.Farthest(got, want)
					require.LessOrEqual(t, d, mergeTolerance[dt]*3*size, what)
				}
				close(before.Logits, compute(t, m, "a").Logits, "fresh")
				require.NotEqual(t, before.Logits, compute(t, m, "").Logits)
				_, err = lora.Attach(m, "b", c)
				require.ErrorContains(t, err, "init takes a part of the weights away from the other adapters")
				shift(t, a)
				active := compute(t, m, "a")
				dir := t.TempDir()
				require.NoError(t, a.Save(dir, ""))
				for _, p := range a.Params() {
					require.NoError(t, p.Set(make([]float64, p.Len())))
				}
				require.NoError(t, a.Restore(dir))
				require.Equal(t, active.Logits, compute(t, m, "a").Logits, "restored")
				a.Remove()
				require.Equal(t, held, weights(m), "the base is what it was, bit for bit")

				b, err := lora.Load(m, "plain", dir)
				require.NoError(t, err)
				require.Equal(t, 2*c.Rank, b.Config().Rank)
				require.Equal(t, lora.RandomInit, b.Config().Init)
				close(active.Logits, compute(t, m, "plain").Logits, "as a plain adapter")
				b.Remove()

				again, err := lora.Attach(m, "again", c)
				require.NoError(t, err)
				require.NoError(t, again.Restore(dir))
				require.Equal(t, active.Logits, compute(t, m, "again").Logits, "the same seed decomposes the same")
				_, err = again.Merge()
				require.NoError(t, err)
				close(active.Logits, compute(t, m, "").Logits, "merged")
			})
		}
	}
}

// TestRestoreWantsItsOwnBase: initial values of another base are not taken for one's
// own.
func TestRestoreWantsItsOwnBase(t *testing.T) {
	c := lora.Config{Rank: 3, Init: lora.PiSSA}
	m := tiny(t, llamaConfig, tensor.Float32)
	a, err := lora.Attach(m, "a", c)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, a.Save(dir, ""))
	a.Remove()
	for _, p := range m.Params() {
		x := slices.Clone(p.Data())
		slices.Reverse(x)
		copy(p.Data(), x)
		p.Changed()
	}
	b, err := lora.Attach(m, "b", c)
	require.NoError(t, err)
	require.ErrorContains(t, b.Restore(dir), "has other initial values, want those of the adapter's own base")
}

// TestPiSSATakesTheLargest: no other matrix of the rank leaves less, by the theorem of
// Eckart and Young; the fast way comes close.
func TestPiSSATakesTheLargest(t *testing.T) {
	left := func(c lora.Config) float64 {
		m := tiny(t, llamaConfig, tensor.Float64)
		c.Rank, c.Targets = 3, []string{"down_proj"}
		_, err := lora.Attach(m, "a", c)
		require.NoError(t, err)
		sum := 0.0
		for _, x := range matrixOf(t, m, "model.layers.0.mlp.down_proj.weight").RawMatrix().Data {
			sum += x * x
		}
		return math.Sqrt(sum)
	}
	exact := left(lora.Config{Init: lora.PiSSA})
	require.InEpsilon(t, exact, left(lora.Config{Init: lora.PiSSA, PowerIterations: 16}), 1e-6)
	require.Greater(t, left(lora.Config{}), 1.1*exact)
}
