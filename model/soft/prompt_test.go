package soft_test

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/eval"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/model/soft"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tiny is a random model of a family.
func tiny(t testing.TB, family string, dt tensor.Dtype) model.Model {
	t.Helper()
	raw := `{"model_type": "` + family + `", "vocab_size": 31, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "hidden_act": "silu",
		"num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 64, "tie_word_embeddings": false, "embedding_multiplier": 3.0,
		"head_dim": 8, "sliding_window": 48, "query_pre_attn_scalar": 8}`
	m, err := auto.New([]byte(raw), model.Random{Seed: 1, Std: 0.3, Jitter: 0.1}, model.LoadOptions{Weights: dt})
	require.NoError(t, err)
	return m
}

var tinyRows = [][]int32{{3, 1, 4, 1, 5, 9, 2, 6}, {2, 7, 1, 8}}

// kinds are configurations of every kind.
var kinds = map[string]soft.Config{
	"prompt":     {Tokens: 3, Seed: 1},
	"prefix":     {Kind: soft.PrefixTuning, Tokens: 3, Seed: 1},
	"projection": {Kind: soft.PrefixTuning, Tokens: 3, Seed: 1, Projection: true, Width: 5},
	"p-tuning":   {Kind: soft.PTuning, Tokens: 3, Seed: 1, Width: 5},
}

func compute(t *testing.T, m model.Model, rows [][]int32, adapter string) *modeltest.Pass {
	t.Helper()
	p, err := modeltest.Compute(m, rows, modeltest.PassOptions{Adapter: adapter})
	require.NoError(t, err)
	return p
}

// sameTolerance bounds float64 runs that sum in another order.
const sameTolerance = 1e-12

// TestAPromptOfATextIsThatText wants virtual tokens that start from a text to act
// like the text, in families that scale embeddings or have tables of positions too.
func TestAPromptOfATextIsThatText(t *testing.T) {
	for _, family := range []string{"llama", "gemma3_text", "granite", "gpt2", "gpt_neox", "mistral"} {
		t.Run(family, func(t *testing.T) {
			m := tiny(t, family, tensor.Float64)
			text := []int32{11, 12, 13}
			p, err := soft.Attach(m, "p", soft.Config{Tokens: 5, InitIDs: text})
			require.NoError(t, err)
			defer p.Remove()
			var longer [][]int32
			for _, row := range tinyRows {
				longer = append(longer, slices.Concat(text, text[:2], row))
			}
			want, got := compute(t, m, longer, ""), compute(t, m, tinyRows, "p")
			for i := range tinyRows {
				d, _ := modeltest.Farthest(got.Row(got.Hidden, i), want.Row(want.Hidden, i)[5*16:])
				assert.LessOrEqual(t, d, sameTolerance, "row %d", i)
			}
		})
	}
}

// TestABatchWithoutVirtualTokensIsTheBase checks F12 of the method cards: a prefix
// of length zero changes nothing.
func TestABatchWithoutVirtualTokensIsTheBase(t *testing.T) {
	m := tiny(t, "llama", tensor.Float32)
	want := hidden(t, m, "")
	for name, c := range kinds {
		p, err := soft.Attach(m, "p", c)
		require.NoError(t, err)
		assert.Equal(t, want, hidden(t, m, "p"), name)
		assert.NotEqual(t, compute(t, m, tinyRows, "").Hidden, compute(t, m, tinyRows, "p").Hidden[3*16:], name)
		p.Remove()
		assert.Zero(t, model.VirtualTokens(m, "p"))
	}
}

// hidden are the hidden states of the first row alone, in a batch of its own.
func hidden(t *testing.T, m model.Model, adapter string) []float32 {
	n := len(tinyRows[0])
	in := &model.Inputs{Adapter: adapter}
	var out *tensor.Node
	g, err := tensor.Build(func(g *tensor.Graph) {
		in.Tokens, in.Positions = tensor.Input(g, tensor.Int32, "tokens", n), tensor.Input(g, tensor.Int32, "positions", n)
		in.Ends, in.Prefix = tensor.Input(g, tensor.Int32, "ends", 1), tensor.Input(g, tensor.Int32, "prefix", 1)
		out = m.Hidden(g, in)
	})
	require.NoError(t, err)
	p, err := tensor.Compile(g, tensor.Nodes{out}, tensor.CompileOptions{})
	require.NoError(t, err)
	defer p.Close()
	positions := make([]int32, n)
	for i := range positions {
		positions[i] = int32(i)
	}
	for node, x := range map[*tensor.Node][]int32{in.Tokens: tinyRows[0], in.Positions: positions, in.Ends: {int32(n)}, in.Prefix: {-1}} {
		require.NoError(t, tensor.Bind(p, node, x))
	}
	require.NoError(t, p.Run())
	x, err := tensor.Values[float32](p, out)
	require.NoError(t, err)
	return slices.Clone(x)
}

// TestVirtualTokensAreDecodedAsTheyAreTrained checks F12 and F13: decoding with a
// cache gives what computing the whole text again gives, for texts of a batch too.
func TestVirtualTokensAreDecodedAsTheyAreTrained(t *testing.T) {
	for _, family := range []string{"llama", "gemma3_text", "gpt2"} {
		for name, c := range kinds {
			t.Run(family+"/"+name, func(t *testing.T) {
				m := tiny(t, family, tensor.Float32)
				_, err := soft.Attach(m, "p", c)
				require.NoError(t, err)
				g, err := generate.New(m, generate.Config{Adapter: "p", Sequences: 2, Context: 32})
				require.NoError(t, err)
				defer g.Close()
				assert.Equal(t, 32, g.Context())
				short, err := generate.New(m, generate.Config{Adapter: "p", Sequences: 1})
				require.NoError(t, err)
				defer short.Close()
				assert.Equal(t, 64-3, short.Context(), "the model's limit is 64 positions")
				got, err := g.Generate(t.Context(), [][]int32{tinyRows[0], tinyRows[1], tinyRows[1]}, generate.Options{IgnoreEOS: true, MaxTokens: 6})
				require.NoError(t, err)
				for i, row := range [][]int32{tinyRows[0], tinyRows[1], tinyRows[1]} {
					assert.Equal(t, greedy(t, m, row, 6), got[i].IDs(), "prompt %d", i)
				}
			})
		}
	}
}

// greedy computes the whole text again for every token.
func greedy(t *testing.T, m model.Model, prompt []int32, n int) []int32 {
	text := slices.Clone(prompt)
	for range n {
		p, err := modeltest.Compute(m, [][]int32{text}, modeltest.PassOptions{Adapter: "p", Logits: true})
		require.NoError(t, err)
		last := p.Logits[len(p.Logits)-m.Config().VocabSize:]
		text = append(text, int32(slices.Index(last, slices.Max(last))))
	}
	return text[len(prompt):]
}

// scoreTolerance bounds two float64 computations of one log-probability.
const scoreTolerance = 1e-12

func TestScorersPutVirtualTokensBeforeTexts(t *testing.T) {
	m := tiny(t, "llama", tensor.Float64)
	for name, c := range kinds {
		p, err := soft.Attach(m, "p", c)
		require.NoError(t, err)
		s, err := eval.NewScorer(m, eval.ScoreOptions{Adapter: "p", Tokens: 4, Segments: 1})
		require.NoError(t, err)
		defer s.Close()
		row := tinyRows[1]
		b := data.Packed{Batch: model.Batch{Tokens: row, Positions: []int32{0, 1, 2, 3}, Ends: []int32{4}, Prefix: []int32{-1}}, Rows: []int32{0, 1, 2}, Targets: row[1:]}
		want := compute(t, m, tinyRows, "p")
		for range 2 {
			got, err := s.LogProbs(&b)
			require.NoError(t, err)
			assert.InDeltaSlice(t, want.Row(want.LogProb, 1)[:3], got, scoreTolerance, name)
		}
		p.Remove()
	}
}

// TestNumbersOfParameters checks F12: 2·L·len·d for keys and values.
func TestNumbersOfParameters(t *testing.T) {
	m := tiny(t, "llama", tensor.Float32)
	const k, layers, d, w = 3, 2, 16, 5
	for name, want := range map[string]int{
		"prompt": k * d, "prefix": 2 * layers * k * d,
		"projection": k*d + (d*w + w) + (w*2*layers*d + 2*layers*d),
		"p-tuning":   k*d + (d*w + w) + (w*w + w) + (w*d + d),
	} {
		p, err := soft.Attach(m, name, kinds[name])
		require.NoError(t, err)
		n := 0
		for _, q := range p.Params() {
			n += q.Len()
			assert.True(t, q.Trainable())
		}
		assert.Equal(t, want, n, name)
	}
}

// gradientTolerance bounds the distance of a gradient from central differences of
// step 1e-5 in float64, relative to the largest of it.
const gradientTolerance = 1e-7

func TestGradientsOfEncoders(t *testing.T) {
	for name, c := range kinds {
		t.Run(name, func(t *testing.T) {
			m := tiny(t, "llama", tensor.Float64)
			p, err := soft.Attach(m, "p", c)
			require.NoError(t, err)
			o := modeltest.PassOptions{Adapter: "p", Weights: ones(tinyRows)}
			pass, err := modeltest.Compute(trained{m, p}, tinyRows, o)
			require.NoError(t, err)
			loss := func() float64 {
				p, err := modeltest.Compute(m, tinyRows, o)
				require.NoError(t, err)
				return p.Loss
			}
			for name, q := range p.Params() {
				_, largest := modeltest.Farthest(pass.Grads[name], pass.Grads[name])
				require.Positive(t, largest, name)
				for i := 0; i < q.Len(); i += max(1, q.Len()/7) {
					const step = 1e-5
					x := q.Data64()
					old := x[i]
					x[i] = old + step
					up := loss()
					x[i] = old - step
					down := loss()
					x[i] = old
					assert.InDelta(t, (up-down)/(2*step), pass.Grads[name][i], gradientTolerance*max(1, largest), "%s[%d]", name, i)
				}
			}
		})
	}
}

func TestSavedPromptsComputeTheSame(t *testing.T) {
	for name, c := range kinds {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64, tensor.BFloat16} {
			t.Run(fmt.Sprint(name, dt), func(t *testing.T) {
				m, dir := tiny(t, "llama", dt), filepath.Join(t.TempDir(), "p")
				c.BaseModel, c.Zero = "some/model", false
				p, err := soft.Attach(m, "p", c)
				require.NoError(t, err)
				require.NoError(t, p.Save(dir, ""))
				q, err := soft.Load(m, "q", dir)
				require.NoError(t, err)
				assert.Equal(t, compute(t, m, tinyRows, "p"), compute(t, m, tinyRows, "q"))
				want, got := p.Config(), q.Config()
				want.Seed = 0
				assert.Equal(t, want, got)
				for n, x := range q.Params() {
					assert.False(t, x.Trainable(), n)
					require.NoError(t, x.Set(make([]float64, x.Len())))
				}
				require.NoError(t, q.Restore(dir))
				assert.Equal(t, compute(t, m, tinyRows, "p"), compute(t, m, tinyRows, "q"))
			})
		}
	}
}

func TestAZeroPrefixStartsAtZero(t *testing.T) {
	m := tiny(t, "llama", tensor.Float64)
	for i, projection := range []bool{false, true} {
		p, err := soft.Attach(m, fmt.Sprint(i), soft.Config{Kind: soft.PrefixTuning, Tokens: 4, Projection: projection, Zero: true})
		require.NoError(t, err)
		r, err := p.Result()
		require.NoError(t, err)
		assert.Equal(t, make([]float64, r.Len()), r.Data64())
		pass := compute(t, m, tinyRows, p.Name())
		assert.False(t, math.IsNaN(pass.Loss))
	}
}

func TestACollapsedPromptComputesTheSame(t *testing.T) {
	for name, c := range kinds {
		m := tiny(t, "llama", tensor.Float32)
		p, err := soft.Attach(m, "p", c)
		require.NoError(t, err)
		want := compute(t, m, tinyRows, "p")
		require.NoError(t, p.Collapse())
		assert.Equal(t, want, compute(t, m, tinyRows, "p"), name)
		n := 0
		for _, q := range p.Params() {
			assert.False(t, q.Trainable())
			n++
		}
		assert.Equal(t, 1, n)
		dir := t.TempDir()
		require.NoError(t, p.Save(dir, ""))
		_, err = soft.Load(m, "q", dir)
		require.NoError(t, err)
		assert.Equal(t, want, compute(t, m, tinyRows, "q"), name)
	}
}
