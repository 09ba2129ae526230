package sft_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/safetensors"
)

func idle(t *testing.T, p sft.Policy, o sft.Options) *sft.Trainer {
	t.Helper()
	tr, err := sft.New(p, oneRow(1), o, trial.Loop(1))
	require.NoError(t, err)
	return tr
}

func TestWeightsComeBackBitForBit(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		for name, policy := range map[string]func() sft.Policy{
			"full":    func() sft.Policy { return sft.Policy{Model: trial.Model(t, "qwen3", dt)} },
			"adapter": func() sft.Policy { return adapted(t, trial.Model(t, "qwen3", dt), lora.Config{}) },
		} {
			t.Run(name+" "+dt.String(), func(t *testing.T) {
				dir := t.TempDir()
				tr := idle(t, policy(), sft.Options{})
				steps(t, tr, 0)
				require.NoError(t, tr.SaveWeights(dir))
				_, want := trial.Parameters(tr)
				again := idle(t, policy(), sft.Options{})
				_, before := trial.Parameters(again)
				require.NotEqual(t, want, before)
				param := again.Parameters()[0].(*tensor.Param)
				version := param.Version()
				require.NoError(t, again.LoadWeights(dir))
				require.Greater(t, param.Version(), version, "what was made of the old values is stale")
				_, got := trial.Parameters(again)
				require.Equal(t, want, got)
			})
		}
	}
}

func TestWrongWeightsChangeNothing(t *testing.T) {
	tr := idle(t, sft.Policy{Model: trial.Model(t, "llama", tensor.Float32)}, sft.Options{})
	_, want := trial.Parameters(tr)
	type file struct {
		infos []safetensors.Info
		data  map[string][]float32
	}
	for name, c := range map[string]struct {
		spoil func(*file)
		text  string
	}{
		"shape":   {func(f *file) { f.infos[3].Shape = []int{1, len(f.data[f.infos[3].Name])} }, "want F32 ["},
		"type":    {func(f *file) { f.infos[2].Dtype = safetensors.BF16 }, "is BF16"},
		"missing": {func(f *file) { f.infos = f.infos[:len(f.infos)-1] }, "lm_head.weight"},
		"unknown": {func(f *file) {
			f.infos = append(f.infos, safetensors.Info{Name: "stranger", Dtype: safetensors.F32, Shape: []int{1}})
			f.data["stranger"] = []float32{1}
		}, "stranger"},
	} {
		t.Run(name, func(t *testing.T) {
			f := file{data: map[string][]float32{}}
			for _, p := range tr.Parameters() {
				f.infos = append(f.infos, safetensors.Info{Name: p.Name(), Dtype: safetensors.F32, Shape: p.Shape()})
				f.data[p.Name()] = make([]float32, len(p.Data()))
			}
			c.spoil(&f)
			dir := t.TempDir()
			w, err := safetensors.Create(filepath.Join(dir, "model.safetensors"), f.infos, nil)
			require.NoError(t, err)
			for _, info := range f.infos {
				require.NoError(t, w.WriteFloat32(info.Name, f.data[info.Name]))
			}
			require.NoError(t, w.Close())
			err = tr.LoadWeights(dir)
			require.ErrorContains(t, err, c.text)
			assert.ErrorContains(t, err, "model.safetensors")
			_, got := trial.Parameters(tr)
			require.Equal(t, want, got)
		})
	}
	require.ErrorIs(t, tr.LoadWeights(t.TempDir()), os.ErrNotExist)
	require.Error(t, tr.SaveWeights(filepath.Join(t.TempDir(), "absent")))
	adapter := idle(t, adapted(t, trial.Model(t, "llama", tensor.Float32), lora.Config{}), sft.Options{})
	require.ErrorIs(t, adapter.LoadWeights(t.TempDir()), os.ErrNotExist)
}

func TestExport(t *testing.T) {
	finished := func(t *testing.T, p sft.Policy, o sft.Options) string {
		loop := trial.Loop(2)
		loop.Out = t.TempDir()
		tr, err := sft.New(p, oneRow(2), o, loop)
		require.NoError(t, err)
		steps(t, tr, 0)
		return loop.Out
	}
	t.Run("full", func(t *testing.T) {
		m := trial.Model(t, "llama", tensor.Float32)
		dir := finished(t, sft.Policy{Model: m}, sft.Options{})
		f, err := safetensors.Open(filepath.Join(dir, "model.safetensors"))
		require.NoError(t, err)
		defer f.Close()
		x, err := f.Tensor("model.norm.weight")
		require.NoError(t, err)
		_, err = x.Float32()
		require.NoError(t, err)
	})
	t.Run("adapter", func(t *testing.T) {
		p := adapted(t, trial.Model(t, "llama", tensor.Float32), lora.Config{})
		dir := finished(t, p, sft.Options{BaseModel: "some/base"})
		config, err := os.ReadFile(filepath.Join(dir, "adapter_config.json"))
		require.NoError(t, err)
		assert.Contains(t, string(config), `"base_model_name_or_path": "some/base"`)
		again, err := lora.Load(trial.Model(t, "llama", tensor.Float32), "default", dir)
		require.NoError(t, err)
		values := map[string][]float32{}
		for name, q := range p.Adapter.Params() {
			values[name] = q.Data()
		}
		for name, q := range again.Params() {
			require.Equal(t, values[name], q.Data(), name)
		}
	})
	t.Run("own", func(t *testing.T) {
		dir := finished(t, sft.Policy{Model: trial.Model(t, "llama", tensor.Float32)}, sft.Options{Export: func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "mine.txt"), []byte("mine"), 0o644)
		}})
		require.FileExists(t, filepath.Join(dir, "mine.txt"))
		require.NoFileExists(t, filepath.Join(dir, "model.safetensors"))
	})
}
