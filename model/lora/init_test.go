package lora_test

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"
)

// initCase is one entry of init_stats.json: a linear layer or an embedding.
type initCase struct {
	In, Out, R int
	Init       json.RawMessage `json:"init_lora_weights"`
	Formula    struct {
		Law        string
		Bound, Std float64
	} `json:"formula_A"`
	Embedding []int
}

// initTolerance bounds the moments of 30,000 samples relative to the standard
// deviation: five standard errors of their mean are 0.029, of their standard
// deviation less.
const initTolerance = 0.03

func TestOracleInitialValues(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "models/peft") {
		if !exists(filepath.Join(root, "init_stats.json")) {
			continue
		}
		var cases []initCase
		oracle.ReadJSON(t, filepath.Join(root, "init_stats.json"), &cases)
		for _, c := range cases {
			switch init := string(c.Init); {
			case init == "true" || init == `"gaussian"`:
				t.Run(fmt.Sprintf("%s/in %d r %d", init, c.In, c.R), c.compareLinear)
			case c.Embedding != nil:
				t.Run("embedding", compareEmbedding)
			case init == "":
				t.Run("dora", compareDoRA)
			default:
				tally.Skip(fmt.Sprintf("init_lora_weights %s in %d", init, c.In), "not offered")
				continue
			}
			tally.Compared(1)
		}
	}
}

// sized is a configuration of a llama whose first down_proj maps in to out.
func sized(in, out int) string {
	return fmt.Sprintf(`{"model_type":"llama","vocab_size":5000,"hidden_size":%d,"intermediate_size":%d,"num_hidden_layers":1,"num_attention_heads":1,
		"max_position_embeddings":64,"hidden_act":"silu","tie_word_embeddings":false}`, out, in)
}

// compareLinear draws A under many seeds.
func (c initCase) compareLinear(t *testing.T) {
	m := tiny(t, sized(c.In, c.Out), tensor.Float32)
	var a []float64
	for seed := uint64(0); len(a) < 30_000; seed++ {
		ad, err := lora.Attach(m, "a", lora.Config{Rank: c.R, Targets: []string{"down_proj"}, Seed: seed, Gaussian: string(c.Init) != "true"})
		require.NoError(t, err)
		for name, p := range ad.Params() {
			if name == "model.layers.0.mlp.down_proj.lora_A.a" {
				a = append(a, wide(p)...)
			} else {
				require.Zero(t, largest(wide(p)), name)
			}
		}
		ad.Remove()
	}
	mean, std := moments(a)
	require.InDelta(t, 0, mean, initTolerance*c.Formula.Std)
	require.InDelta(t, c.Formula.Std, std, initTolerance*c.Formula.Std)
	if c.Formula.Bound > 0 {
		require.LessOrEqual(t, largest(a), c.Formula.Bound)
		require.Greater(t, largest(a), 0.999*c.Formula.Bound)
	}
}

// compareEmbedding: A is zero, B from N(0, 1).
func compareEmbedding(t *testing.T) {
	a, err := lora.Attach(tiny(t, sized(8, 2500), tensor.Float32), "a", lora.Config{Rank: 12, Targets: []string{"embed_tokens"}})
	require.NoError(t, err)
	for name, p := range a.Params() {
		if name == "model.embed_tokens.lora_embedding_A.a" {
			require.Equal(t, []int{5000, 12}, p.Shape())
			require.Zero(t, largest(wide(p)))
			continue
		}
		mean, std := moments(wide(p))
		require.InDelta(t, 0, mean, initTolerance)
		require.InDelta(t, 1, std, initTolerance)
	}
}

// compareDoRA: the magnitude is the length of each row.
func compareDoRA(t *testing.T) {
	m := tiny(t, sized(30, 20), tensor.Float64)
	a, err := lora.Attach(m, "a", lora.Config{Rank: 4, DoRA: true, Targets: []string{"down_proj"}})
	require.NoError(t, err)
	w := matrixOf(t, m, "model.layers.0.mlp.down_proj.weight")
	for name, p := range a.Params() {
		if name != "model.layers.0.mlp.down_proj.lora_magnitude_vector.a" {
			continue
		}
		require.Equal(t, []int{20}, p.Shape())
		for o, m := range p.Data64() {
			require.InEpsilon(t, mat.Norm(w.RowView(o), 2), m, 1e-14)
		}
		return
	}
	require.Fail(t, "no magnitude")
}

func wide(p *tensor.Param) []float64 {
	var v []float64
	for _, x := range p.Float32s() {
		v = append(v, float64(x))
	}
	return v
}

func largest(v []float64) float64 {
	m := 0.0
	for _, x := range v {
		m = max(m, math.Abs(x))
	}
	return m
}

func moments(v []float64) (mean, std float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		std += (x - mean) * (x - mean) / float64(len(v))
	}
	return mean, math.Sqrt(std)
}
