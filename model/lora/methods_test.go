package lora_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/safetensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"
)

// methods are configurations of every kind of adapter for the tiny models.
func methods() map[string]lora.Config {
	return map[string]lora.Config{
		"lora":         {Rank: 3},
		"dora":         {Rank: 3, DoRA: true},
		"ia3":          {Method: lora.IA3, Targets: []string{"k_proj", "o_proj", "down_proj"}, Feedforward: []string{"down_proj"}},
		"adalora":      {Method: lora.AdaLoRA, Rank: 3, Budget: lora.Budget{TotalSteps: 9}},
		"curlora":      {Method: lora.CURLoRA, Rank: 3},
		"loha":         {Method: lora.LoHa, Rank: 2},
		"heads":        {Method: lora.CURLoRA, Rank: 3, Targets: []string{"lm_head", "q_proj"}},
		"ada heads":    {Method: lora.AdaLoRA, Rank: 3, Targets: []string{"lm_head", "q_proj"}, Budget: lora.Budget{TotalSteps: 9}},
		"ia3 head":     {Method: lora.IA3, Targets: []string{"lm_head", "q_proj"}, Feedforward: []string{"lm_head"}},
		"tokens":       {Rank: 2, Targets: []string{"q_proj"}, Tokens: lora.Patterns[[]int]{{Value: []int{4, 1}}}},
		"head's rows":  {Method: lora.TrainableTokens, Tokens: lora.Patterns[[]int]{{Key: "lm_head", Value: []int{4, 1}}}},
		"tokens alone": {Method: lora.TrainableTokens, Tokens: lora.Patterns[[]int]{{Value: []int{4, 1}}}},
	}
}

// shift moves every parameter of an adapter away from its first values.
func shift(t *testing.T, a *lora.Adapter) {
	k := 0
	for _, p := range a.Params() {
		wide, err := p.Convert(tensor.Float64)
		require.NoError(t, err)
		v := wide.Data64()
		for i := range v {
			k++
			v[i] += float64(k*7919%101-50) / 250
		}
		require.NoError(t, p.Set(v))
	}
}

// TestEveryMethod holds what all kinds of adapters promise: nothing changes at
// first, gradients are right, a file has everything, merging computes the same, and
// removing leaves no trace.
func TestEveryMethod(t *testing.T) {
	for name, c := range methods() {
		for _, config := range []string{llamaConfig, gemmaConfig} {
			if strings.Contains(name, "head") && config == gemmaConfig {
				continue // one matrix for embedding and head; TestTiedTokens
			}
			if c.Targets == nil && c.Method != lora.TrainableTokens {
				c.Targets = []string{"q_proj", "down_proj"} // differences take their time
			}
			t.Run(name, func(t *testing.T) {
				m := tiny(t, config, tensor.Float64)
				before := compute(t, m, "")
				a, err := lora.Attach(m, "a", c)
				require.NoError(t, err)
				require.True(t, a.Zero())
				first := compute(t, m, "a")
				near(t, before.Logits, first.Logits, "fresh")
				shift(t, a)
				require.False(t, a.Zero())
				active := compute(t, m, "a")
				require.NotEqual(t, before.Logits, active.Logits)
				require.Equal(t, before, compute(t, m, ""), "the base is computed bit for bit")
				checkGradients(t, m, a)
				b, err := a.Clone("b")
				require.NoError(t, err)
				require.Equal(t, active.Logits, compute(t, m, "b").Logits, "a copy")
				b.Remove()
				checkFile(t, m, a, active)
				_, err = a.Merge()
				require.NoError(t, err)
				merged := compute(t, m, "")
				near(t, active.Hidden, merged.Hidden, "merged")
				if !model.Tied(m) {
					near(t, active.Logits, merged.Logits, "merged")
				}
			})
		}
	}
}

// differenceTolerance bounds gradients against central differences with steps of
// 1e-5: rounding is 1e-16/1e-5 of the loss, curvature 1e-10.
const differenceTolerance = 1e-6

// checkGradients compares an element of every parameter's gradient in the first layer
// and outside of layers with differences of the loss. The length of DoRA's rows has no gradient by design, so
// that A and B of DoRA are compared by TestOracleAdapters only.
func checkGradients(t *testing.T, m model.Model, a *lora.Adapter) {
	loss := func() *modeltest.Pass {
		p, err := modeltest.Compute(trained{m, a}, tinyRows, modeltest.PassOptions{Adapter: "a", Weights: ones(tinyRows)})
		require.NoError(t, err)
		return p
	}
	grads := loss().Grads
	for name, p := range a.Params() {
		if a.Config().DoRA && !strings.Contains(name, "magnitude") || strings.Contains(name, ".layers.1.") {
			continue
		}
		const h = 1e-5
		x := p.Data64()
		i := len(x) / 3
		old := x[i]
		at := func(d float64) float64 {
			x[i] = old + d
			p.Changed()
			return loss().Loss
		}
		want := (at(h) - at(-h)) / (2 * h)
		at(0)
		assert.InDelta(t, want, grads[name][i], differenceTolerance*max(1, math.Abs(want)), "%s[%d]", name, i)
	}
}

// checkFile saves, restores into a and loads into a new model.
func checkFile(t *testing.T, m model.Model, a *lora.Adapter, want *modeltest.Pass) {
	dir := t.TempDir()
	require.NoError(t, a.Save(dir, "base"))
	for _, p := range a.Params() {
		require.NoError(t, p.Set(make([]float64, p.Len())))
	}
	require.NoError(t, a.Restore(dir))
	require.Equal(t, want.Logits, compute(t, m, "a").Logits, "restored")
	b, err := lora.Load(m, "loaded", dir)
	require.NoError(t, err)
	require.Equal(t, want.Logits, compute(t, m, "loaded").Logits, "loaded")
	again := t.TempDir()
	require.NoError(t, b.Save(again, ""))
	for _, name := range []string{configName, weightsName} {
		first, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		second, err := os.ReadFile(filepath.Join(again, name))
		require.NoError(t, err)
		require.Equal(t, first, second, name)
	}
	b.Remove()
}

// TestEveryMethodMergesIntoEveryType compares merged with active logits in all storage
// types.
func TestEveryMethodMergesIntoEveryType(t *testing.T) {
	for name, c := range methods() {
		for dt, tolerance := range mergeTolerance {
			m := tiny(t, llamaConfig, dt)
			a, err := lora.Attach(m, "a", c)
			require.NoError(t, err)
			shift(t, a)
			active := compute(t, m, "a").Logits
			report, err := a.Merge()
			require.NoError(t, err)
			d, size := modeltest.Farthest(compute(t, m, "").Logits, active)
			assert.LessOrEqual(t, d, 3*tolerance*size, "%s into %v", name, dt)
			assert.NotEmpty(t, report.Changed)
			assert.Positive(t, report.Largest)
			exact := dt == tensor.Float64 || dt == tensor.Float32 && c.Method == lora.TrainableTokens // rows are float32 themselves
			assert.Equal(t, exact, report.Rounding == 0, "%s into %v: rounding %g", name, dt, report.Rounding)
		}
	}
}

// TestUpdatesHaveTheRankTheySay is F8's and F16's check: singular values of the change
// that merging makes.
func TestUpdatesHaveTheRankTheySay(t *testing.T) {
	const path = "model.layers.0.mlp.down_proj.weight"
	for _, name := range []string{"lora", "adalora", "curlora"} {
		m := tiny(t, llamaConfig, tensor.Float64)
		before := matrixOf(t, m, path)
		a, err := lora.Attach(m, "a", methods()[name])
		require.NoError(t, err)
		shift(t, a)
		_, err = a.Merge()
		require.NoError(t, err)
		var change mat.Dense
		change.Sub(matrixOf(t, m, path), before)
		var svd mat.SVD
		require.True(t, svd.Factorize(&change, mat.SVDNone))
		values := svd.Values(nil)
		assert.Greater(t, values[2], 1e-6*values[0], name)
		assert.Less(t, values[3], 1e-12*values[0], name)
	}
}

// TestCURLoRAStaysInItsColumns is F16's: the change lies in the span of the columns of
// W that were taken, and is no longer than the factors.
func TestCURLoRAStaysInItsColumns(t *testing.T) {
	const path = "model.layers.0.mlp.down_proj"
	m := tiny(t, llamaConfig, tensor.Float64)
	before := matrixOf(t, m, path+".weight")
	a, err := lora.Attach(m, "a", lora.Config{Method: lora.CURLoRA, Rank: 3, Targets: []string{"layers.0.mlp.down_proj"}})
	require.NoError(t, err)
	shift(t, a)
	dir := t.TempDir()
	require.NoError(t, a.Save(dir, ""))
	_, err = a.Merge()
	require.NoError(t, err)
	f, err := safetensors.Open(filepath.Join(dir, weightsName))
	require.NoError(t, err)
	defer f.Close()
	factor := func(name string, rows, columns int) *mat.Dense {
		return mat.NewDense(rows, columns, floats(t, f, "base_model.model."+path+".curlora_"+name))
	}
	c, u, r := factor("C", 16, 3), factor("U", 3, 3), factor("R", 3, 24)
	columns := 0
	for j := range 24 {
		for k := range 3 {
			if math.Abs(before.At(0, j)-c.At(0, k)) < 1e-7 && math.Abs(before.At(9, j)-c.At(9, k)) < 1e-7 {
				columns++
			}
		}
	}
	require.Equal(t, 3, columns, "columns of the weight, all different")
	var change, fitted, back mat.Dense
	change.Sub(matrixOf(t, m, path+".weight"), before)
	require.NoError(t, fitted.Solve(c, &change)) // least squares
	back.Mul(c, &fitted)
	back.Sub(&back, &change)
	length := mat.Norm(&change, 2)
	require.Less(t, mat.Norm(&back, 2), 1e-6*length, "the file has float32 precision here")
	require.LessOrEqual(t, length, mat.Norm(c, 2)*mat.Norm(u, 2)*mat.Norm(r, 2))
}

func matrixOf(t *testing.T, m model.Model, name string) *mat.Dense {
	for n, p := range m.Params() {
		if n == name {
			w, err := p.Convert(tensor.Float64)
			require.NoError(t, err)
			return mat.NewDense(w.Shape()[0], w.Shape()[1], append([]float64(nil), w.Data64()...))
		}
	}
	require.Fail(t, "no such weight", name)
	return nil
}

// TestTrainableShare is F8's: r(m+n) numbers instead of m·n.
func TestTrainableShare(t *testing.T) {
	m := tiny(t, llamaConfig, tensor.Float32)
	count := func(c lora.Config) (n int) {
		c.Targets, c.Rank = []string{"down_proj"}, 3
		a, err := lora.Attach(m, "a", c)
		require.NoError(t, err)
		for _, p := range a.Params() {
			n += p.Len()
		}
		a.Remove()
		return n
	}
	require.Equal(t, 2*3*(16+24), count(lora.Config{}))
	require.Equal(t, 2*(3*(16+24)+16), count(lora.Config{DoRA: true}))
	require.Equal(t, 2*3*3, count(lora.Config{Method: lora.CURLoRA}))
	require.Equal(t, 2*24, count(lora.Config{Method: lora.IA3, Feedforward: []string{"down_proj"}}))
}

// TestTiedTokens: rows of a tied embedding count in the head too, active and merged.
func TestTiedTokens(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float64, tensor.Float32} {
		m := tiny(t, gemmaConfig, dt)
		a, err := lora.Attach(m, "a", methods()["tokens alone"])
		require.NoError(t, err)
		shift(t, a)
		before, active := compute(t, m, ""), compute(t, m, "a")
		v := m.Config().VocabSize
		moved := 0
		for i, x := range active.Row(active.Logits, 1)[:v] { // a row that begins with another token
			if math.Abs(x-before.Row(before.Logits, 1)[i]) > 1e-5 {
				moved++
				assert.Contains(t, []int{1, 4}, i)
			}
		}
		require.Equal(t, 2, moved)
		report, err := a.Merge()
		require.NoError(t, err)
		require.Empty(t, report.Shared, "merged is active")
		d, size := modeltest.Farthest(compute(t, m, "").Logits, active.Logits)
		require.LessOrEqual(t, d, mergeTolerance[dt]*size)
	}
}

// TestMethodsNeedFittingLayers names what cannot be changed in which way.
func TestMethodsNeedFittingLayers(t *testing.T) {
	m := tiny(t, llamaConfig, tensor.Float32)
	tokens := lora.Patterns[[]int]{{Value: []int{4}}}
	for want, c := range map[string]lora.Config{
		"a magnitude (use_dora) of lm_head, want one of inner linear layers":          {DoRA: true, Targets: []string{"lm_head"}},
		"an update taken out of the weight (init pissa) of lm_head":                   {Init: lora.PiSSA, Targets: []string{"lm_head"}},
		"an update of method IA3 of model.embed_tokens, want one of linear layers":    {Method: lora.IA3, Targets: []string{"embed_tokens"}},
		"a scaling of logits (IA3) of lm_head":                                        {Method: lora.IA3, Targets: []string{"lm_head"}},
		"model.embed_tokens has trained tokens and is a target or module to save too": {Targets: []string{"embed_tokens"}, Tokens: tokens},
		"token 50 of model.embed_tokens, want at least 0 and less than 50":            {Tokens: lora.Patterns[[]int]{{Value: []int{50}}}},
		"no tokens are given":                                                {Method: lora.TrainableTokens},
		`method is "LOKR", want one of`:                                      {Method: "LOKR"},
		"total steps are 0, want at least 1":                                 {Method: lora.AdaLoRA},
		"a list of feed-forward modules is set, want it only with IA3":       {Feedforward: []string{"x"}},
		"budget: numbers are given, want them only with ADALORA":             {Budget: lora.Budget{TotalSteps: 1}},
		"rank 17 of model.layers.0.mlp.down_proj, want at most 16 for pissa": {Init: lora.PiSSA, Rank: 17, Targets: []string{"down_proj"}},
		"both a magnitude (use_dora) and init pissa are given":               {DoRA: true, Init: lora.PiSSA},
		"power iterations are 2, want 0, or more with init pissa":            {PowerIterations: 2},
		`init is "loftq", want "pissa", "olora" or none`:                     {Init: "loftq"},
		"warmup and final steps are 5 and 5 of 9, want some between them":    {Method: lora.AdaLoRA, Budget: lora.Budget{TotalSteps: 9, Warmup: 5, Final: 5}},
		"dropout is set, want it only with LORA":                             {Method: lora.IA3, Dropout: 0.1},
		"both feed-forward names and a pattern of them are given":            {Method: lora.IA3, Feedforward: []string{"x"}, FeedforwardPattern: "y"},
	} {
		_, err := lora.Attach(m, "a", c)
		require.ErrorIs(t, err, lora.ErrConfig, want)
		require.ErrorContains(t, err, want)
	}
	experts := tiny(t, `{"model_type":"mixtral","vocab_size":50,"hidden_size":16,"intermediate_size":24,"num_hidden_layers":1,"num_attention_heads":2,"max_position_embeddings":64,
		"num_local_experts":2,"num_experts_per_tok":1}`, tensor.Float32)
	_, err := lora.Attach(experts, "a", lora.Config{DoRA: true})
	require.ErrorContains(t, err, "experts.0.w1 is an expert, which takes plain LoRA only")
	_, err = lora.Attach(tiny(t, `{"model_type":"gpt2","vocab_size":50,"n_embd":16,"n_layer":1,"n_head":2,"n_positions":64}`, tensor.Float32), "a", lora.Config{Method: lora.IA3})
	require.ErrorIs(t, err, lora.ErrNoTarget, "the default targets are llama's")
}

// TestEveryFamilyTakesEveryMethod attaches, saves, loads and merges.
func TestEveryFamilyTakesEveryMethod(t *testing.T) {
	fields := `"vocab_size":50,"hidden_size":16,"intermediate_size":24,"num_hidden_layers":1,"num_attention_heads":2,"max_position_embeddings":64,"head_dim":8,
		"num_experts":4,"num_local_experts":4,"num_experts_per_tok":2,"moe_intermediate_size":12}`
	for _, f := range auto.Families() {
		for name, c := range map[string]lora.Config{
			"dora": {Rank: 3, DoRA: true}, "ia3": {Method: lora.IA3, Targets: []string{lora.AllLinear}}, "ia3 in": {Method: lora.IA3, Targets: []string{lora.AllLinear}, FeedforwardPattern: ".*"},
			"curlora": {Method: lora.CURLoRA, Rank: 3}, "loha": {Method: lora.LoHa, Rank: 2}, "adalora": {Method: lora.AdaLoRA, Rank: 3, Budget: lora.Budget{TotalSteps: 9}}, "pissa": {Rank: 3, Init: lora.PiSSA},
		} {
			t.Run(fmt.Sprintf("%s/%s", f.ModelType, name), func(t *testing.T) {
				c.ExcludePattern = `.*\.experts\..*`
				m := tiny(t, `{"model_type":"`+f.ModelType+`",`+fields, tensor.Float64)
				before := compute(t, m, "").Logits
				a, err := lora.Attach(m, "a", c)
				require.NoError(t, err)
				near(t, before, compute(t, m, "a").Logits, "fresh")
				shift(t, a)
				active := compute(t, m, "a").Logits
				_, err = a.Merge()
				require.NoError(t, err)
				near(t, active, compute(t, m, "").Logits, "merged")
			})
		}
	}
}
