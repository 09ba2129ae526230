package lora_test

import (
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/safetensors"
	"github.com/stretchr/testify/require"
)

// storageTolerance bounds a float64 run against references computed in float64
// and stored as float32: half a unit in the last place is 6e-8 of the value.
const storageTolerance = 1e-7

// lossSpacing bounds a float32 run's loss: numbers near 11 are 1e-6 apart, and
// some tolerances of the index, four times what one run deviated, are less.
const lossSpacing = 1.2e-7

// lossTolerance bounds a float64 run against a loss stored as float64.
const lossTolerance = 1e-11

// adapterCase is one adapter of oracle/models.
type adapterCase struct {
	Name      string                `json:"name"`
	Folder    string                `json:"folder"`
	Base      string                `json:"base"`
	Tolerance map[string][2]float64 `json:"tolerance_abs_rel"`
	root, dir string
	residual  string // file with base weights that PiSSA changed
}

// adapterReference is reference.json.
type adapterReference struct {
	Loss struct {
		Loss    float64
		Targets float64
	}
	Merged struct {
		Deviation float64 `json:"max_abs_dev_logits"`
		Changed   []string
	}
	Tensors map[string][]int `json:"adapter_tensors"`
	file    *safetensors.File
}

// otherAdapters are cases for other packages, with the field that must be refused.
var otherAdapters = map[string]string{
	"llama_prefix":  "peft_type",
	"llama_prompt":  "peft_type",
	"llama_ptuning": "peft_type",
	"qwen2_prefix":  "peft_type",
}

func TestOracleAdapters(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, c := range adapterCases(t) {
		t.Run(filepath.Base(filepath.Dir(c.root))+"/"+c.Name, func(t *testing.T) {
			if field, ok := otherAdapters[c.Name]; ok {
				tally.Skip(c.Name, "soft prompts are another package's")
				_, err := lora.Load(open(t, c, tensor.Float32), "x", c.dir)
				require.ErrorIs(t, err, lora.ErrConfig)
				require.ErrorContains(t, err, field)
				return
			}
			ref := c.reference(t)
			c.compare(t, ref, tensor.Float64, func(string) (float64, float64) { return 0, storageTolerance })
			c.compare(t, ref, tensor.Float32, c.float32Tolerance)
			if converted := filepath.Join(c.dir, "converted"); exists(converted) {
				c.dir, c.residual = converted, ""
				c.compareConverted(t, ref)
			}
			tally.Compared(1)
		})
	}
}

// adapterCases lists the adapters of all roots whose folders are there.
func adapterCases(t *testing.T) []adapterCase {
	var cases []adapterCase
	for _, root := range oracle.Roots(t, "models") {
		var index struct{ Adapters []adapterCase }
		oracle.ReadJSON(t, filepath.Join(root, "index.json"), &index)
		for _, c := range index.Adapters {
			c.root, c.dir = root, filepath.Join(root, c.Folder)
			if r := filepath.Join(c.dir, "base_residual.safetensors"); exists(r) {
				c.residual = r
			}
			if exists(c.dir) { // a selection only is committed
				cases = append(cases, c)
			}
		}
	}
	return cases
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// float32Tolerance is what the index allows, and for merged weights one rounding.
func (c adapterCase) float32Tolerance(quantity string) (abs, rel float64) {
	if quantity == "merged" {
		return 0, storageTolerance
	}
	bound, ok := c.Tolerance[quantity]
	if !ok {
		return 0, 0
	}
	if quantity == "loss" {
		bound[1] = max(bound[1], lossSpacing)
	}
	return bound[0], bound[1]
}

func open(t *testing.T, c adapterCase, dt tensor.Dtype) model.Model {
	base, err := auto.Open(filepath.Join(c.root, c.Base), auto.Options{Weights: dt, NoTokenizer: true})
	require.NoError(t, err)
	if c.residual == "" {
		return base.Model
	}
	f, err := safetensors.Open(c.residual)
	require.NoError(t, err)
	defer f.Close()
	replaced := 0
	for name, p := range base.Model.Params() {
		if _, err := f.Tensor(name); err == nil {
			p.Set(floats(t, f, name))
			replaced++
		}
	}
	require.Equal(t, f.Len(), replaced)
	return base.Model
}

func (c adapterCase) reference(t *testing.T) *adapterReference {
	r := &adapterReference{}
	oracle.ReadJSON(t, filepath.Join(c.dir, "reference.json"), r)
	var err error
	r.file, err = safetensors.Open(filepath.Join(c.dir, "reference.safetensors"))
	require.NoError(t, err)
	t.Cleanup(func() { r.file.Close() })
	return r
}

func floats(t *testing.T, f *safetensors.File, name string) []float64 {
	x, err := f.Tensor(name)
	require.NoError(t, err)
	narrow, err := x.Float32()
	require.NoError(t, err)
	wide := make([]float64, len(narrow))
	for i, v := range narrow {
		wide[i] = float64(v)
	}
	return wide
}

// rows are the token ids of the base's reference.
func (c adapterCase) rows(t *testing.T) [][]int32 {
	f, err := safetensors.Open(filepath.Join(c.root, c.Base, "reference.safetensors"))
	require.NoError(t, err)
	defer f.Close()
	rows := make([][]int32, 3)
	for i, name := range []string{"row0.input_ids", "row1.input_ids", "row2.input_ids"} {
		for _, x := range floats(t, f, name) { // ids are small: exact in float32
			rows[i] = append(rows[i], int32(x))
		}
	}
	return rows
}

// trained shows the parameters of an adapter as those of its model.
type trained struct {
	model.Model
	adapter *lora.Adapter
}

// Params lists the adapter's parameters.
func (m trained) Params() iter.Seq2[string, *tensor.Param] { return m.adapter.Params() }

// compare runs the adapter in one type and compares everything. Tolerance gives
// an absolute bound and one relative to the largest element; the larger counts.
func (c adapterCase) compare(t *testing.T, ref *adapterReference, dt tensor.Dtype, tolerance func(quantity string) (abs, rel float64)) {
	near := func(quantity, name string, want, got []float64) {
		t.Helper()
		require.Len(t, got, len(want), name)
		abs, rel := tolerance(quantity)
		largest := 0.0
		for _, x := range want {
			largest = max(largest, math.Abs(x))
		}
		for i := range want {
			if d := math.Abs(want[i] - got[i]); !(d <= max(abs, rel*largest)) {
				t.Fatalf("%v: %s[%d]: got %.9g, want %.9g within %.3g", dt, name, i, got[i], want[i], max(abs, rel*largest))
			}
		}
	}
	m, rows := open(t, c, dt), c.rows(t)
	before, err := modeltest.Compute(m, rows, modeltest.PassOptions{Logits: true})
	require.NoError(t, err)
	a, err := lora.Load(m, "a", c.dir)
	require.NoError(t, err)
	require.NoError(t, a.SetTrainable(true))
	pass, err := modeltest.Compute(trained{m, a}, rows, modeltest.PassOptions{Adapter: "a", Logits: true, Weights: ones(rows)})
	require.NoError(t, err)
	v := m.Config().VocabSize
	for i, row := range rows {
		prefix, n := []string{"row0.", "row1.", "row2."}[i], len(row)
		near("logprob", prefix+"logprob", floats(t, ref.file, prefix+"logprob"), pass.Row(pass.LogProb, i)[:n-1])
		near("logprob", prefix+"entropy", floats(t, ref.file, prefix+"entropy"), pass.Row(pass.Entropy, i))
		if i < 2 {
			near("logits", prefix+"logits_last2", floats(t, ref.file, prefix+"logits_last2"), pass.Row(pass.Logits, i)[(n-2)*v:])
		} else {
			near("logits", prefix+"logits", floats(t, ref.file, prefix+"logits"), pass.Row(pass.Logits, i))
		}
	}
	if dt == tensor.Float64 {
		require.InEpsilon(t, ref.Loss.Loss, pass.Loss, lossTolerance)
	} else {
		near("loss", "loss", []float64{ref.Loss.Loss}, []float64{pass.Loss})
	}
	c.compareGradients(t, ref, a, pass.Grads, near)
	after, err := modeltest.Compute(m, rows, modeltest.PassOptions{Logits: true})
	require.NoError(t, err)
	require.Equal(t, before, after, "without the adapter the base is computed bit for bit")
	c.compareMerged(t, ref, m, a, near)
}

// ones weighs every prediction alike.
func ones(rows [][]int32) [][]float64 {
	w := make([][]float64, len(rows))
	for i, row := range rows {
		w[i] = slices.Repeat([]float64{1}, len(row))
	}
	return w
}

// compareGradients compares the gradients of all tensors of the adapter's file.
func (c adapterCase) compareGradients(t *testing.T, ref *adapterReference, a *lora.Adapter, grads map[string][]float64, near func(quantity, name string, want, got []float64)) {
	compared := 0
	for name, shape := range ref.Tensors {
		if strings.HasSuffix(name, ".base_layer.weight") {
			continue
		}
		got, ok := grads[parameterOf(name)]
		require.True(t, ok, name)
		want := floats(t, ref.file, "grad."+name)
		if filepath.Ext(name) == ".lora_embedding_A" {
			want = transposed(want, shape[0], shape[1])
		}
		near("grad", "grad."+name, want, got)
		compared++
	}
	require.Len(t, grads, compared)
}

// parameterOf is the name of the parameter of adapter "a" behind a file's tensor.
func parameterOf(name string) string {
	name = strings.Replace(name[len("base_model.model."):], ".base_layer.", ".", 1)
	if strings.Contains(name, ".lora_") {
		name = strings.TrimSuffix(name, ".weight")
	}
	return name + ".a"
}

func transposed(x []float64, rows, cols int) []float64 {
	y := make([]float64, len(x))
	for i := range x {
		y[i%cols*rows+i/cols] = x[i]
	}
	return y
}

// compareMerged merges the adapter and compares what changed and what the model
// computes then.
func (c adapterCase) compareMerged(t *testing.T, ref *adapterReference, m model.Model, a *lora.Adapter, near func(quantity, name string, want, got []float64)) {
	old := map[string][]float32{}
	for name, p := range m.Params() {
		old[name] = p.Float32s()
	}
	report, err := a.Merge()
	require.NoError(t, err)
	require.ElementsMatch(t, ref.Merged.Changed, report.Changed)
	var changed []string
	for name, p := range m.Params() {
		if !slices.Equal(old[name], p.Float32s()) {
			changed = append(changed, name)
		}
		if x, err := ref.file.Tensor("merged." + name); err == nil {
			want := floats(t, ref.file, x.Name())
			wide, err := p.Convert(tensor.Float64)
			require.NoError(t, err)
			near("merged", x.Name(), want, wide.Data64())
		}
	}
	require.ElementsMatch(t, ref.Merged.Changed, changed)
	pass, err := modeltest.Compute(m, c.rows(t), modeltest.PassOptions{Logits: true})
	require.NoError(t, err)
	near("logits", "merged.row2.logits", floats(t, ref.file, "merged.row2.logits"), pass.Row(pass.Logits, 2))
	require.Equal(t, ref.Merged.Deviation > 1, len(report.Shared) > 0, "merged differs from active where embedding and head are one")
}

// compareConverted compares the log-probabilities of a PiSSA adapter that was
// converted to a plain one on the original base.
func (c adapterCase) compareConverted(t *testing.T, ref *adapterReference) {
	m, rows := open(t, c, tensor.Float32), c.rows(t)
	_, err := lora.Load(m, "a", c.dir)
	require.NoError(t, err)
	pass, err := modeltest.Compute(m, rows, modeltest.PassOptions{Adapter: "a"})
	require.NoError(t, err)
	abs, _ := c.float32Tolerance("logprob")
	for i, row := range rows {
		require.InDeltaSlice(t, floats(t, ref.file, []string{"row0.", "row1.", "row2."}[i]+"logprob"), pass.Row(pass.LogProb, i)[:len(row)-1], abs)
	}
}
