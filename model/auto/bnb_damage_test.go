package auto

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/tensor/bnb"
	"github.com/posttrain/posttrain/tensor/safetensors"
)

// stored is a tensor of a file that a test changes.
type stored struct {
	dtype safetensors.Dtype
	shape []int
	raw   []byte
}

// readStored reads the tensors of a folder.
func readStored(t testing.TB, dir string) map[string]stored {
	folder, err := safetensors.OpenFolder(dir)
	require.NoError(t, err)
	defer folder.Close()
	all := map[string]stored{}
	for name, x := range folder.Tensors() {
		raw, err := x.Bytes()
		require.NoError(t, err)
		all[name] = stored{x.Dtype(), x.Shape(), bytes.Clone(raw)}
	}
	return all
}

func writeStored(t testing.TB, path string, all map[string]stored) {
	var infos []safetensors.Info
	names := slices.Sorted(maps.Keys(all))
	for _, name := range names {
		infos = append(infos, safetensors.Info{Name: name, Dtype: all[name].dtype, Shape: all[name].shape})
	}
	w, err := safetensors.Create(path, infos, nil)
	require.NoError(t, err)
	for _, name := range names {
		require.NoError(t, w.Write(name, all[name].raw))
	}
	require.NoError(t, w.Close())
}

// stateOf is a tensor that holds the text of a state.
func stateOf(text string) stored { return stored{safetensors.U8, []int{len(text)}, []byte(text)} }

// TestOracleDamagedBitsandbytes damages folders of bitsandbytes in one place at a
// time: each is refused with the file, the tensor, what was got and what is wanted.
func TestOracleDamagedBitsandbytes(t *testing.T) {
	const nf4, double, eight = "llama3-nf4", "llama-nf4-double", "llama-int8"
	const layer = "model.layers.0.mlp.up_proj"
	const weight = layer + ".weight"
	const state = weight + ".quant_state.bitsandbytes__nf4"
	half := func(name string) func(map[string]stored) {
		return func(all map[string]stored) {
			x := all[name]
			x.shape = slices.Clone(x.shape)
			x.shape[0] /= 2
			x.raw = x.raw[:len(x.raw)/2]
			all[name] = x
		}
	}
	without := func(name string) func(map[string]stored) { return func(all map[string]stored) { delete(all, name) } }
	retyped := func(name string, to safetensors.Dtype, per int) func(map[string]stored) {
		return func(all map[string]stored) {
			x := all[name]
			n := len(x.raw) / per
			all[name] = stored{to, []int{n}, x.raw[:n*per]}
		}
	}
	text := func(from, to string) func(map[string]stored) {
		return func(all map[string]stored) {
			require.Contains(t, string(all[state].raw), from)
			all[state] = stateOf(string(bytes.Replace(all[state].raw, []byte(from), []byte(to), 1)))
		}
	}
	for name, c := range map[string]struct {
		folder string
		damage func(map[string]stored)
		want   []string
	}{
		"truncated codes":        {nf4, half(weight), []string{weight, "bytes for the shape", "want half as many as elements"}},
		"shape in the state":     {nf4, text(`"shape": [`, `"shape": [2, `), []string{weight, "bytes for the shape [2 ", "want half as many"}},
		"another shape":          {nf4, swapShape(t, state), []string{weight, "has shape", "want ["}},
		"dtype of the state":     {nf4, text(`"dtype": "`, `"dtype": "u`), []string{state, `got dtype "u`, "want float32, bfloat16 or float16"}},
		"type in the state":      {nf4, text(`"nf4"`, `"nf5"`), []string{state, `got quantisation type "nf5"`, "want nf4 or fp4"}},
		"blocks in the state":    {nf4, text(`"blocksize": 64`, `"blocksize": 128`), []string{weight, "scales for", "in blocks of 128, want"}},
		"no JSON":                {nf4, func(all map[string]stored) { all[state] = stateOf("{") }, []string{state, "unexpected end of JSON input"}},
		"no absmax":              {nf4, without(weight + ".absmax"), []string{weight + ".absmax", "not found among"}},
		"no quant_map":           {nf4, without(weight + ".quant_map"), []string{weight + ".quant_map", "not found among"}},
		"no state":               {nf4, without(state), []string{weight, "U8"}},
		"no codes":               {nf4, without(weight), []string{weight}},
		"short absmax":           {nf4, half(weight + ".absmax"), []string{weight, "scales for", "want"}},
		"short quant_map":        {nf4, half(weight + ".quant_map"), []string{weight + ".quant_map", "got 8 elements of F32, want 16 of F32"}},
		"absmax of another type": {nf4, retyped(weight+".absmax", safetensors.F16, 2), []string{weight + ".absmax", "of F16, want", "F32"}},
		"codes of another type":  {nf4, retyped(weight, safetensors.F32, 4), []string{weight, "F32, want U8"}},
		"state of another type":  {nf4, retyped(state, safetensors.F32, 4), []string{state, "F32, want U8"}},
		"no nested absmax":       {double, without(weight + ".nested_absmax"), []string{weight + ".nested_absmax", "not found among"}},
		"no nested map":          {double, without(weight + ".nested_quant_map"), []string{weight + ".nested_quant_map", "not found among"}},
		"short nested map":       {double, half(weight + ".nested_quant_map"), []string{weight + ".nested_quant_map", "got 128 elements of F32, want 256 of F32"}},
		"more nested absmax": {double, func(all map[string]stored) {
			all[weight+".nested_absmax"] = stored{safetensors.F32, []int{9}, make([]byte, 36)}
		}, []string{weight, "got 9 nested scales for", "want 1"}},
		"short nested codes":      {double, half(weight + ".absmax"), []string{weight, "scales for", "want"}},
		"no nesting in the state": {double, text(`"nested_blocksize": 256`, `"nested_blocksize": 0`), []string{weight + ".absmax", "of U8, want"}},
		"short SCB":               {eight, half(layer + ".SCB"), []string{weight, "scales, want a matrix of I8 with one a row"}},
		"no SCB":                  {eight, without(layer + ".SCB"), []string{weight, "I8"}},
		"SCB of another type":     {eight, retyped(layer+".SCB", safetensors.F16, 2), []string{weight, "want"}},
		"weight of another type":  {eight, func(all map[string]stored) { x := all[weight]; x.dtype = safetensors.U8; all[weight] = x }, []string{weight, "got U8", "want a matrix of I8"}},
		"columns first": {eight, func(all map[string]stored) {
			x := all[weight]
			x.shape = []int{x.shape[1], x.shape[0]}
			all[weight] = x
		}, []string{weight, "want a matrix of I8 with one a row"}},
		"tiles": {eight, func(all map[string]stored) {
			all[layer+".weight_format"] = stored{safetensors.U8, []int{}, []byte{2}}
		}, []string{weight, "got weight_format [2], want 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := oracle.Roots(t, "formats/bnb")[0]
			dir := t.TempDir()
			config, err := os.ReadFile(filepath.Join(root, c.folder, configFile))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, configFile), config, 0o600))
			all := readStored(t, filepath.Join(root, c.folder))
			c.damage(all)
			writeStored(t, filepath.Join(dir, "model.safetensors"), all)
			opened, err := Open(dir, Options{NoTokenizer: true})
			require.Nil(t, opened)
			require.Error(t, err)
			for _, want := range append(c.want, dir) {
				assert.ErrorContains(t, err, want)
			}
		})
	}
}

// swapShape exchanges the two sizes in a state.
func swapShape(t *testing.T, name string) func(map[string]stored) {
	return func(all map[string]stored) {
		s, err := bnb.ParseState(all[name].raw)
		require.NoError(t, err)
		require.Len(t, s.Shape, 2)
		require.NotEqual(t, s.Shape[0], s.Shape[1])
		all[name] = stateOf(`{"quant_type": "nf4", "blocksize": 64, "dtype": "` + s.Dtype + `", "shape": [` + strconv.Itoa(s.Shape[1]) + `, ` + strconv.Itoa(s.Shape[0]) + `]}`)
	}
}

// FuzzBnb looks for folders of bitsandbytes, of one file, that crash what decodes
// them or make it allocate more than the file can hold.
func FuzzBnb(f *testing.F) {
	w := map[string]stored{
		"a.weight":                               {safetensors.U8, []int{4, 1}, []byte{1, 2, 3, 4}},
		"a.weight.absmax":                        {safetensors.F32, []int{1}, make([]byte, 4)},
		"a.weight.quant_map":                     {safetensors.F32, []int{16}, make([]byte, 64)},
		"a.weight.quant_state.bitsandbytes__nf4": stateOf(`{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [2, 4]}`),
		"b.weight":                               {safetensors.I8, []int{2, 2}, []byte{1, 2, 3, 4}},
		"b.SCB":                                  {safetensors.F32, []int{2}, make([]byte, 8)},
	}
	add := func() {
		path := filepath.Join(f.TempDir(), "m")
		writeStored(f, path, w)
		raw, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(raw)
	}
	add()
	w["a.weight.absmax"] = stored{safetensors.U8, []int{1}, []byte{7}}
	w["a.weight.nested_absmax"] = stored{safetensors.F32, []int{1}, make([]byte, 4)}
	w["a.weight.nested_quant_map"] = stored{safetensors.F32, []int{256}, make([]byte, 1024)}
	w["a.weight.quant_state.bitsandbytes__nf4"] = stateOf(`{"quant_type": "nf4", "blocksize": 8, "dtype": "float16", "shape": [8], "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.5}`)
	w["b.weight_format"] = stored{safetensors.U8, []int{}, []byte{0}}
	add()
	f.Fuzz(func(t *testing.T, raw []byte) {
		folder, err := safetensors.OpenFS(fstest.MapFS{"model.safetensors": {Data: raw}}, ".")
		if err != nil {
			return
		}
		defer folder.Close()
		s := bnbSource{&folderSource{folder: folder}}
		for _, name := range s.Names() {
			p, err := s.Param(name)
			if (p == nil) == (err == nil) {
				t.Fatal("want either a parameter or an error")
			}
			if err == nil && p.Len() > 2*len(raw) {
				t.Fatalf("got %d elements of %d bytes", p.Len(), len(raw))
			}
		}
	})
}
