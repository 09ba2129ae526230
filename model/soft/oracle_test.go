package soft_test

import (
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/model/soft"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/safetensors"
	"github.com/stretchr/testify/require"
)

// storageTolerance bounds a float64 run against references computed in float64
// and stored as float32: half a unit in the last place is 6e-8 of the value.
const storageTolerance = 1e-7

// lossTolerance bounds a float64 run against a loss stored as float64.
const lossTolerance = 1e-11

// lossSpacing bounds a float32 run's loss: numbers near 11 are 1e-6 apart, and
// some tolerances of the index, four times what one run deviated, are less.
const lossSpacing = 1.2e-7

// promptCase is one adapter with virtual tokens.
type promptCase struct {
	Name      string                `json:"name"`
	Folder    string                `json:"folder"`
	Base      string                `json:"base"`
	Type      string                `json:"peft_type"`
	Tolerance map[string][2]float64 `json:"tolerance_abs_rel"`
	root, dir string
}

type promptReference struct {
	Loss struct{ Loss float64 }
	// Reload is how far the reference is from what the file holds: an encoder ran
	// in float64, and its result is stored as float32.
	Reload float64 `json:"max_abs_dev_after_reload"`
	file   *safetensors.File
}

// promptCases lists the virtual tokens among the adapters of all roots.
func promptCases(t *testing.T) []promptCase {
	var cases []promptCase
	for _, root := range oracle.Roots(t, "models") {
		var index struct{ Adapters []promptCase }
		oracle.ReadJSON(t, filepath.Join(root, "index.json"), &index)
		for _, c := range index.Adapters {
			c.root, c.dir = root, filepath.Join(root, c.Folder)
			_, err := os.Stat(c.dir)
			if err == nil && slices.Contains([]string{"PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING"}, c.Type) {
				cases = append(cases, c)
			}
		}
	}
	require.NotEmpty(t, cases)
	return cases
}

// TestOraclePrompts compares log-probabilities, entropies, logits, losses and the
// gradient of what the files hold.
func TestOraclePrompts(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, c := range promptCases(t) {
		for _, dt := range []tensor.Dtype{tensor.Float64, tensor.Float32} {
			t.Run(c.Name+"/"+dt.String(), func(t *testing.T) {
				c.compare(t, dt)
				tally.Compared(1)
			})
		}
	}
}

// trained shows the parameters of a prompt as those of its model.
type trained struct {
	model.Model
	prompt *soft.Prompt
}

// Params lists the prompt's parameters.
func (m trained) Params() iter.Seq2[string, *tensor.Param] { return m.prompt.Params() }

func (c promptCase) compare(t *testing.T, dt tensor.Dtype) {
	var ref promptReference
	oracle.ReadJSON(t, filepath.Join(c.dir, "reference.json"), &ref)
	var err error
	ref.file, err = safetensors.Open(filepath.Join(c.dir, "reference.safetensors"))
	require.NoError(t, err)
	defer ref.file.Close()
	near := func(quantity, name string, want, got []float64) {
		t.Helper()
		require.Len(t, got, len(want), name)
		abs, rel := 0.0, storageTolerance
		if dt == tensor.Float32 {
			abs, rel = c.Tolerance[quantity][0], c.Tolerance[quantity][1]
			require.Positive(t, rel, quantity)
		}
		largest := 0.0
		for _, x := range want {
			largest = max(largest, math.Abs(x))
		}
		d, _ := modeltest.Farthest(got, want)
		require.LessOrEqual(t, d, max(abs, rel*largest)+ref.Reload, name)
	}
	base, err := auto.Open(filepath.Join(c.root, c.Base), auto.Options{Weights: dt, NoTokenizer: true})
	require.NoError(t, err)
	m, rows := base.Model, c.rows(t)
	before, err := modeltest.Compute(m, rows, modeltest.PassOptions{Logits: true})
	require.NoError(t, err)
	p, err := soft.Load(m, "p", c.dir)
	require.NoError(t, err)
	require.NoError(t, p.SetTrainable(true))
	pass, err := modeltest.Compute(trained{m, p}, rows, modeltest.PassOptions{Adapter: "p", Logits: true, Weights: ones(rows)})
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
	bound := lossTolerance
	if dt == tensor.Float32 {
		bound = max(c.Tolerance["loss"][1], lossSpacing)
	}
	require.InDelta(t, ref.Loss.Loss, pass.Loss, bound*ref.Loss.Loss+ref.Reload)
	near("grad", "grad", floats(t, ref.file, "grad.prompt_encoder.default.embedding.weight"), pass.Grads["prompt_encoder.embedding.weight"])
	require.Len(t, pass.Grads, 1)
	after, err := modeltest.Compute(m, rows, modeltest.PassOptions{Logits: true})
	require.NoError(t, err)
	require.Equal(t, before, after, "without the prompt the base is computed bit for bit")
}

// rows are the token ids of the base's reference.
func (c promptCase) rows(t *testing.T) [][]int32 {
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

// ones weighs every prediction alike.
func ones(rows [][]int32) [][]float64 {
	w := make([][]float64, len(rows))
	for i, row := range rows {
		w[i] = slices.Repeat([]float64{1}, len(row))
	}
	return w
}
