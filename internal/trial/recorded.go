package trial

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/tensor/safetensors"
)

// Gradients wants the gradients of the first step, times factor, to be those in a
// folder with a recorded run, relative to the largest of a parameter.
func Gradients(t testing.TB, dir string, tr Trainer, factor, tol float64) {
	t.Helper()
	f, err := safetensors.Open(filepath.Join(dir, "grads_step1.safetensors"))
	require.NoError(t, err)
	defer f.Close()
	for _, p := range tr.Parameters() {
		want := recorded(t, f, p.Name())
		limit := 0.0
		for _, v := range want {
			limit = math.Max(limit, math.Abs(float64(v)))
		}
		for i, g := range p.Grad() {
			require.InDelta(t, want[i], float64(g)*factor, tol*limit+1e-9, "gradient %s[%d]", p.Name(), i)
		}
	}
}

// Weights wants the trained weights to be those at the end of a recorded run.
func Weights(t testing.TB, dir string, tr Trainer, tol float64) {
	t.Helper()
	f, err := safetensors.Open(filepath.Join(dir, "final.safetensors"))
	require.NoError(t, err)
	defer f.Close()
	for _, p := range tr.Parameters() {
		want := recorded(t, f, p.Name())
		for i, v := range p.Data() {
			require.InDelta(t, want[i], v, tol, "weight %s[%d]", p.Name(), i)
		}
	}
}

// recorded finds a parameter by our name or by PEFT's.
func recorded(t testing.TB, f *safetensors.File, name string) []float32 {
	t.Helper()
	for _, n := range []string{name, "base_model.model." + name + ".weight"} {
		if x, err := f.Tensor(n); err == nil {
			v, err := x.Float32()
			require.NoError(t, err)
			return v
		}
	}
	require.Fail(t, "the recorded run lacks "+name)
	return nil
}
