package dpo_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// A file of log-probabilities gives the run that computes them itself, bit for
// bit, and is read the second time.
func TestReferenceFileIsTheReference(t *testing.T) {
	fresh := func() dpo.Policy { return adapted(t, trial.Model(t, "qwen3", tensor.Float32), false) }
	want := runSteps(t, fresh(), steps(t), dpo.Options{Reference: dpo.Reference{Cached: true}}, trial.Loop(4))
	o := dpo.Options{Reference: dpo.Reference{File: filepath.Join(t.TempDir(), "ref.safetensors")}}
	require.Equal(t, want, runSteps(t, fresh(), steps(t), o, trial.Loop(4)), "computed and written")
	before, err := os.Stat(o.Reference.File)
	require.NoError(t, err)
	require.Equal(t, want, runSteps(t, fresh(), steps(t), o, trial.Loop(4)), "read")
	after, err := os.Stat(o.Reference.File)
	require.NoError(t, err)
	require.Equal(t, before.ModTime(), after.ModTime(), "it is not written again")
	require.Equal(t, before.Size(), after.Size())
}

// With one micro-batch for all pairs, packed as the cache packs them, cached and
// live log-probabilities are the same bits.
func TestCachedIsLiveBitForBit(t *testing.T) {
	whole := func() *dpo.Batcher {
		return batcher(t, somePairs(6), dpo.BatchOptions{PairsPerStep: 6, Sequential: true})
	}
	for name, zero := range map[string]bool{"base": true, "copy of the adapter": false} {
		fresh := func() dpo.Policy { return adapted(t, trial.Model(t, "llama", tensor.Float32), zero) }
		want := runSteps(t, fresh(), whole(), dpo.Options{}, trial.Loop(4))
		got := runSteps(t, fresh(), whole(), dpo.Options{Reference: dpo.Reference{Cached: true}}, trial.Loop(4))
		assert.Equal(t, want, got, name)
	}
}

func TestReferenceFileRefusesWhatItIsNotOf(t *testing.T) {
	fresh := func(family string) dpo.Policy { return adapted(t, trial.Model(t, family, tensor.Float32), false) }
	path := filepath.Join(t.TempDir(), "ref.safetensors")
	with := func(r dpo.Reference) dpo.Options { r.File = path; return dpo.Options{Reference: r} }
	runSteps(t, fresh("llama"), steps(t), with(dpo.Reference{}), trial.Loop(1))
	stale := fresh("llama")
	for _, p := range stale.Adapter.Params() {
		v := make([]float64, p.Len())
		require.NoError(t, p.Set(v))
		break
	}
	renamed := trial.Model(t, "llama", tensor.Float32)
	_, err := adapted(t, renamed, false).Adapter.Clone("other")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		p    dpo.Policy
		src  *dpo.Batcher
		r    dpo.Reference
		says string
	}{
		"model":   {fresh("qwen3"), steps(t), dpo.Reference{}, "model differs"},
		"adapter": {stale, steps(t), dpo.Reference{}, "adapter differs"},
		"base":    {fresh("llama"), steps(t), dpo.Reference{Base: true}, "adapter differs"},
		"data":    {fresh("llama"), batcher(t, somePairs(11), dpo.BatchOptions{PairsPerStep: 4, TokensPerMicro: 64}), dpo.Reference{}, "data differs"},
		"layout":  {fresh("llama"), batcher(t, somePairs(12), dpo.BatchOptions{PairsPerStep: 4, TokensPerMicro: 64, Separate: true}), dpo.Reference{}, "layout differs"},
		"named":   {fresh("llama"), steps(t), dpo.Reference{Model: renamed, Adapter: "other"}, "adapter differs"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := dpo.New(c.p, c.src, with(c.r), trial.Loop(1))
			require.ErrorIs(t, err, dpo.ErrCache)
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, path)
		})
	}
}

// An adapter that no fingerprint sees, because it is only known by its name, is
// noticed by its numbers.
func TestReferenceFileNoticesAnotherAdapterOfTheSameName(t *testing.T) {
	named := func(scale float64) (model.Model, dpo.Options) {
		m := trial.Model(t, "llama", tensor.Float32)
		p := adapted(t, m, false)
		for _, q := range p.Adapter.Params() {
			v := make([]float64, q.Len())
			for i, x := range q.Data() {
				v[i] = scale * float64(x)
			}
			require.NoError(t, q.Set(v))
		}
		return m, dpo.Options{Reference: dpo.Reference{Model: m, Adapter: "default"}}
	}
	path := filepath.Join(t.TempDir(), "ref.safetensors")
	_, o := named(1)
	o.Reference.File = path
	runSteps(t, adapted(t, trial.Model(t, "llama", tensor.Float32), true), steps(t), o, trial.Loop(1))
	_, o = named(1.001)
	o.Reference.File = path
	_, err := dpo.New(adapted(t, trial.Model(t, "llama", tensor.Float32), true), steps(t), o, trial.Loop(1))
	require.ErrorIs(t, err, dpo.ErrCache)
	require.ErrorContains(t, err, "how the model computes, differs")
}

func TestReferenceFileRefusesOtherFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ref.safetensors")
	require.NoError(t, os.WriteFile(path, []byte("no safetensors file at all"), 0o600))
	_, err := dpo.New(adapted(t, trial.Model(t, "llama", tensor.Float32), false), steps(t), dpo.Options{Reference: dpo.Reference{File: path}}, trial.Loop(1))
	require.ErrorContains(t, err, path)
}

// Evaluations keep a file of their own.
func TestEvaluationHasAFileOfItsOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ref.safetensors")
	for range 2 {
		eval := batcher(t, somePairs(5), dpo.BatchOptions{Epochs: 1, Sequential: true})
		tr, err := dpo.New(adapted(t, trial.Model(t, "llama", tensor.Float32), true), steps(t), dpo.Options{EvalData: eval, Reference: dpo.Reference{File: path}}, trial.Loop(1))
		require.NoError(t, err)
		require.NoError(t, tr.Train(t.Context(), train.Hooks{}))
	}
	require.FileExists(t, filepath.Join(filepath.Dir(path), "ref.eval.safetensors"))
}

// A trainer that cannot be made leaves no adapter behind.
func TestFailedNewLeavesNoReferenceAttached(t *testing.T) {
	p := adapted(t, trial.Model(t, "llama", tensor.Float32), false)
	loop := trial.Loop(1)
	loop.Out = filepath.Join(t.TempDir(), "file", "below")
	require.NoError(t, os.WriteFile(filepath.Dir(loop.Out), nil, 0o600))
	for range 2 {
		_, err := dpo.New(p, steps(t), dpo.Options{}, loop)
		require.Error(t, err)
		require.False(t, model.HasAdapter(p.Model, "reference"))
	}
	_, err := dpo.New(p, steps(t), dpo.Options{}, trial.Loop(1))
	require.NoError(t, err)
	require.True(t, model.HasAdapter(p.Model, "reference"))
}
