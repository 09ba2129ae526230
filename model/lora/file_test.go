package lora_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/safetensors"
	"github.com/stretchr/testify/require"
)

const (
	configName  = "adapter_config.json"
	weightsName = "adapter_model.safetensors"
)

func TestSaveAndLoad(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		m := tiny(t, llamaConfig, dt)
		c := everywhere
		c.RankPattern = lora.Patterns[int]{{Key: "q_proj", Value: 5}, {Key: "layers.0.*", Value: 1}}
		c.AlphaPattern = lora.Patterns[float64]{{Key: "lm_head", Value: 1.25}}
		a, err := lora.Attach(m, "a", c)
		require.NoError(t, err)
		scramble(a)
		for _, p := range a.Params() { // a value that float32 does not hold
			if d := p.Data64(); d != nil {
				d[0] = 1. / 3
			}
		}
		dir := filepath.Join(t.TempDir(), "new", "folder")
		require.NoError(t, a.Save(dir, "some/base"))
		b, err := lora.Load(m, "b", dir)
		require.NoError(t, err)
		require.Equal(t, "some/base", b.Config().BaseModel)
		require.Equal(t, c.RankPattern, b.Config().RankPattern)
		require.Equal(t, compute(t, m, "a"), compute(t, m, "b"))
		for _, p := range b.Params() {
			require.False(t, p.Trainable(), "a loaded adapter is frozen")
		}

		again := t.TempDir()
		require.NoError(t, b.Save(again, ""))
		for _, name := range []string{configName, weightsName} {
			first, err := os.ReadFile(filepath.Join(dir, name))
			require.NoError(t, err)
			second, err := os.ReadFile(filepath.Join(again, name))
			require.NoError(t, err)
			require.Equal(t, first, second, name)
		}
		names, err := os.ReadDir(again)
		require.NoError(t, err)
		require.Len(t, names, 2, "no scratch files are left")

		for _, p := range a.Params() {
			p.Set(make([]float64, p.Len()))
		}
		require.NoError(t, a.Restore(dir))
		require.Equal(t, compute(t, m, "b"), compute(t, m, "a"))
		for _, p := range a.Params() {
			require.True(t, p.Trainable(), "restoring leaves an adapter trainable")
		}
	}
}

// TestAllLinearIsWrittenAsNames: other readers need no rule for it.
func TestAllLinearIsWrittenAsNames(t *testing.T) {
	m := tiny(t, llamaConfig, tensor.Float32)
	a, err := lora.Attach(m, "a", lora.Config{Rank: 2})
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, a.Save(dir, ""))
	raw, err := os.ReadFile(filepath.Join(dir, configName))
	require.NoError(t, err)
	var f map[string]any
	require.NoError(t, json.Unmarshal(raw, &f))
	require.Equal(t, []any{"down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"}, f["target_modules"])
	require.Equal(t, map[string]any{}, f["rank_pattern"])
	require.Equal(t, 4.0, f["lora_alpha"])
	require.Equal(t, true, f["inference_mode"])
	require.Nil(t, f["base_model_name_or_path"])
	_, err = lora.Load(m, "b", dir)
	require.NoError(t, err)
}

// TestOracleAdaptersSurviveAFile: load, save, load gives equal tensors and
// settings.
func TestOracleAdaptersSurviveAFile(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, c := range adapterCases(t) {
		if _, other := otherAdapters[c.Name]; other || c.Base == "gpt2" {
			continue // TestOracleAdapters names them
		}
		t.Run(c.Name, func(t *testing.T) {
			m, dir := open(t, c, tensor.Float32), t.TempDir()
			a, err := lora.Load(m, "a", c.dir)
			require.NoError(t, err)
			require.NoError(t, a.Save(dir, ""))
			b, err := lora.Load(m, "b", dir)
			require.NoError(t, err)
			require.Equal(t, a.Config(), b.Config())
			require.Equal(t, tensors(t, c.dir), tensors(t, dir))
			tally.Compared(1)
		})
	}
}

// tensors are the contents of an adapter's file but for copies of base weights.
func tensors(t *testing.T, dir string) map[string][]float32 {
	f, err := safetensors.Open(filepath.Join(dir, weightsName))
	require.NoError(t, err)
	defer f.Close()
	all := map[string][]float32{}
	for name, x := range f.Tensors() {
		if !strings.HasSuffix(name, ".base_layer.weight") {
			all[name], err = x.Float32()
			require.NoError(t, err)
		}
	}
	return all
}

// fileTensor is one tensor of a test's adapter file.
type fileTensor struct {
	shape  []int
	values []float32
}

func writeTensors(t *testing.T, dir string, all map[string]fileTensor) {
	var infos []safetensors.Info
	for name, x := range all {
		infos = append(infos, safetensors.Info{Name: name, Dtype: safetensors.F32, Shape: x.shape})
	}
	w, err := safetensors.Create(filepath.Join(dir, weightsName), infos, nil)
	require.NoError(t, err)
	for name, x := range all {
		require.NoError(t, w.WriteFloat32(name, x.values))
	}
	require.NoError(t, w.Close())
}

func TestLoadNamesWhatIsWrong(t *testing.T) {
	const prefix = "base_model.model.model.layers.0.self_attn.q_proj."
	m := tiny(t, llamaConfig, tensor.Float32)
	before := compute(t, m, "")
	for want, change := range map[string]func(all map[string]fileTensor){
		"tensor " + prefix + "lora_A.weight is missing, want shape [2 16]": func(all map[string]fileTensor) { delete(all, prefix+"lora_A.weight") },
		"tensor base_model.model.lm_head.weight is unknown": func(all map[string]fileTensor) {
			all["base_model.model.lm_head.weight"] = fileTensor{[]int{1}, []float32{1}}
		},
		"tensor " + prefix + "lora_B.weight has shape [2 16], want [16 2]": func(all map[string]fileTensor) {
			all[prefix+"lora_B.weight"] = fileTensor{[]int{2, 16}, make([]float32, 32)}
		},
		"tensor " + prefix + "lora_A.weight: element 3 is NaN": func(all map[string]fileTensor) {
			all[prefix+"lora_A.weight"].values[3] = float32(math.NaN())
		},
		"tensor " + prefix + "lora_B.weight: element 31 is -Inf": func(all map[string]fileTensor) {
			all[prefix+"lora_B.weight"].values[31] = float32(math.Inf(-1))
		},
	} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, configName), []byte(`{"peft_type":"LORA","r":2,"target_modules":["layers.0.self_attn.q_proj"]}`), 0o600))
		all := map[string]fileTensor{
			prefix + "lora_A.weight":     {[]int{2, 16}, make([]float32, 32)},
			prefix + "lora_B.weight":     {[]int{16, 2}, make([]float32, 32)},
			prefix + "base_layer.weight": {[]int{1}, []float32{1}}, // skipped
		}
		writeTensors(t, dir, all)
		a, err := lora.Load(m, "fine", dir)
		require.NoError(t, err)
		a.Remove()
		change(all)
		writeTensors(t, dir, all)
		_, err = lora.Load(m, "a", dir)
		require.ErrorIs(t, err, lora.ErrWeights)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, filepath.Join(dir, weightsName))
		require.Equal(t, before, compute(t, m, "a"), "nothing is attached")
	}
}

func TestLoadRefusesFolders(t *testing.T) {
	m, dir := tiny(t, llamaConfig, tensor.Float32), t.TempDir()
	_, err := lora.Load(m, "a", dir)
	require.ErrorIs(t, err, os.ErrNotExist)
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write(configName, `{"peft_type":"LORA","target_modules":["c_attn"]}`)
	_, err = lora.Load(m, "a", dir)
	require.ErrorIs(t, err, lora.ErrNoTarget)
	require.ErrorContains(t, err, `c_attn`)
	require.ErrorContains(t, err, configName)
	write(configName, `{"peft_type":"LORA","target_modules":["q_proj"],"r":60000}`)
	write("adapter_model.bin", "")
	_, err = lora.Load(m, "a", dir)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "pickle")
	write(weightsName, "no")
	_, err = lora.Load(m, "a", dir)
	require.ErrorContains(t, err, weightsName)
	writeTensors(t, dir, map[string]fileTensor{"x": {[]int{1}, []float32{1}}})
	_, err = lora.Load(m, "a", dir)
	require.ErrorContains(t, err, "want shape [60000 16]")
}

func TestAttachRefuses(t *testing.T) {
	m := tiny(t, llamaConfig, tensor.Float32)
	_, err := lora.Attach(m, "a", lora.Config{Targets: []string{"q_proj", "c_attn"}})
	require.ErrorIs(t, err, lora.ErrNoTarget)
	require.ErrorContains(t, err, `"c_attn"`)
	require.NotContains(t, err.Error(), "q_proj")
	_, err = lora.Attach(m, "a", lora.Config{TargetPattern: "x"})
	require.ErrorIs(t, err, lora.ErrNoTarget)
	_, err = lora.Attach(m, "a", lora.Config{Rank: -1})
	require.ErrorIs(t, err, lora.ErrConfig)
	_, err = lora.Attach(m, "a", lora.Config{})
	require.NoError(t, err, "a failed attempt leaves nothing behind")
}

// TestFailedSaveKeepsTheOlderAdapter: the config cannot be replaced because a
// folder has its name.
func TestFailedSaveKeepsTheOlderAdapter(t *testing.T) {
	m, dir := tiny(t, llamaConfig, tensor.Float32), t.TempDir()
	a, err := lora.Attach(m, "a", lora.Config{Rank: 2})
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, configName, "full"), 0o700))
	require.Error(t, a.Save(dir, ""))
	var names []string
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	require.Equal(t, []string{configName, weightsName}, names, "no scratch files are left")
	require.Error(t, a.Save(filepath.Join(dir, weightsName), ""), "a file is no folder")
}
