package generate

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// configs are small models of each family, with what each does differently.
var configs = map[string]string{
	"llama": `{"model_type": "llama", "vocab_size": 300, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
		"num_key_value_heads": 2, "max_position_embeddings": 256, "eos_token_id": 7}`,
	"qwen3": `{"model_type": "qwen3", "vocab_size": 300, "hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 2, "num_attention_heads": 4,
		"num_key_value_heads": 1, "head_dim": 24, "max_position_embeddings": 256, "tie_word_embeddings": true, "eos_token_id": [7, 9, 11]}`,
	"gemma3_text": `{"model_type": "gemma3_text", "vocab_size": 300, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4,
		"num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 256, "sliding_window": 11, "sliding_window_pattern": 3, "query_pre_attn_scalar": 16,
		"final_logit_softcapping": 20, "eos_token_id": 7}`,
	"gpt2": `{"model_type": "gpt2", "vocab_size": 300, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 256, "eos_token_id": 7}`,
}

// tiny makes a small random model. Its weights have the spread that keeps the
// scale of a layer's input, 1/√width or so; with more, attention becomes so sharp
// that rounding alone moves log-probabilities by more than trainerTolerance.
func tiny(t testing.TB, name string, weights tensor.Dtype) model.Model {
	t.Helper()
	c, fam, err := auto.ParseConfig([]byte(configs[name]))
	require.NoError(t, err)
	m, err := fam.New(c, model.NewLoader(c, model.Random{Seed: 4, Std: 0.15, Jitter: 0.1}, model.LoadOptions{Weights: weights}))
	require.NoError(t, err)
	return m
}

func newGenerator(t testing.TB, m model.Model, c Config) *Generator {
	t.Helper()
	g, err := New(m, c)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, g.Close()) })
	return g
}

// prompts draws prompts of the given lengths.
func prompts(lengths ...int) [][]int32 {
	r := rand.New(rand.NewPCG(9, 9))
	ps := make([][]int32, len(lengths))
	for i, n := range lengths {
		for range n {
			ps[i] = append(ps[i], r.Int32N(300))
		}
	}
	return ps
}

func generate(t testing.TB, g *Generator, ps [][]int32, o Options) []Completion {
	t.Helper()
	cs, err := g.Generate(context.Background(), ps, o)
	require.NoError(t, err)
	require.Len(t, cs, len(ps))
	return cs
}

// TestCompanyDoesNotChangeBits decodes prompts alone and together, in generators
// of several sizes, so that the number of rows in a batch, the slot and the order
// differ. Ids and log-probabilities must be the same bits.
func TestCompanyDoesNotChangeBits(t *testing.T) {
	ps := prompts(1, 5, 40, 9, 100, 2, 33, 64, 17, 8, 31, 3, 70)
	ps = append(ps, ps[2], ps[4], ps[2], ps[0]) // computed once, or once more, for their twins
	ps = append(ps, prompts(50, 7, 7, 12, 21, 9, 30, 4, 4, 64, 6)...)
	opt := Options{MaxTokens: 12, Temperature: 0.9, TopP: 0.95, Seed: 3, IgnoreEOS: true}
	for name := range configs {
		for _, weights := range []tensor.Dtype{tensor.Float32, tensor.BFloat16} {
			t.Run(fmt.Sprintf("%s/%v", name, weights), func(t *testing.T) {
				m := tiny(t, name, weights)
				for least, sizes := range map[int][]int{1: {2, 8, 20}, wideSequences: {30, 70}} {
					alone := newGenerator(t, m, Config{Sequences: least, Chunk: 32, Context: 128})
					want := make([]Completion, len(ps))
					for i, p := range ps {
						o := opt
						o.First = i
						want[i] = generate(t, alone, [][]int32{p}, o)[0]
					}
					for _, sequences := range sizes {
						g := newGenerator(t, m, Config{Sequences: sequences, Chunk: 32, Context: 128})
						assert.Equal(t, want, generate(t, g, ps, opt), "%d at once", sequences)
					}
				}
			})
		}
	}
}

// trainerTolerance is the promise of DESIGN §10: log-probabilities of sampler and
// trainer in float32.
const trainerTolerance = 1e-5

// checkLogProbs compares completions with what training computes for the same
// tokens in one packed batch.
func checkLogProbs(t *testing.T, m model.Model, adapter string, ps [][]int32, cs []Completion) {
	t.Helper()
	rows := make([][]int32, len(ps))
	for i := range ps {
		rows[i] = append(append(rows[i], ps[i]...), cs[i].IDs()...)
	}
	pass, err := modeltest.Compute(m, rows, modeltest.PassOptions{Adapter: adapter})
	require.NoError(t, err)
	for i := range ps {
		want := pass.Row(pass.LogProb, i)
		for k, tok := range cs[i].Tokens {
			require.InDelta(t, want[len(ps[i])+k-1], tok.LogProb, trainerTolerance, "prompt %d token %d", i, k)
		}
	}
}

func TestLogProbsAreTheTrainers(t *testing.T) {
	ps := prompts(1, 40, 7, 90)
	for name := range configs {
		for _, temperature := range []float64{0, 0.5, 1, 2} {
			t.Run(fmt.Sprintf("%s/T=%g", name, temperature), func(t *testing.T) {
				m := tiny(t, name, tensor.Float32)
				g := newGenerator(t, m, Config{Sequences: 3, Chunk: 32, Context: 128})
				cs := generate(t, g, ps, Options{MaxTokens: 20, Temperature: temperature, Seed: 1, IgnoreEOS: true})
				checkLogProbs(t, m, "", ps, cs)
				if temperature == 1 { // nothing is truncated, so both distributions are one
					for _, tok := range cs[1].Tokens {
						assert.InDelta(t, tok.LogProb, tok.SamplerLogProb, trainerTolerance)
					}
				}
			})
		}
	}
}

// TestSamplerLogProbIsThatOfTheTruncatedDistribution checks traps T5 and T6 of
// the notes: what was sampled from is scored, not the raw model.
func TestSamplerLogProbIsThatOfTheTruncatedDistribution(t *testing.T) {
	m := tiny(t, "llama", tensor.Float32)
	g := newGenerator(t, m, Config{Context: 128})
	p := prompts(20)
	o := Options{MaxTokens: 30, Temperature: 0.7, TopK: 12, TopP: 0.9, Seed: 5, IgnoreEOS: true}
	c := generate(t, g, p, o)[0]
	row := append(append([]int32{}, p[0]...), c.IDs()...)
	pass, err := modeltest.Compute(m, [][]int32{row}, modeltest.PassOptions{Logits: true})
	require.NoError(t, err)
	vocabulary := m.Config().VocabSize
	for k, tok := range c.Tokens {
		at := len(p[0]) + k - 1
		s := sampler{opt: o}
		wide := make([]float, vocabulary)
		for v := range wide {
			wide[v] = float(pass.Logits[at*vocabulary+v])
		}
		s.truncate64(wide)
		found := false
		for _, kept := range s.kept {
			if kept.id == tok.ID {
				found = true
				assert.InDelta(t, kept.shifted-math.Log(massOf(s.kept)), tok.SamplerLogProb, trainerTolerance)
			}
		}
		assert.True(t, found, "token %d was truncated away", k)
	}
}

func TestLongPromptsAreComputedInChunks(t *testing.T) {
	ps := prompts(100, 64, 65)
	for name := range configs {
		t.Run(name, func(t *testing.T) {
			m := tiny(t, name, tensor.Float32)
			whole := generate(t, newGenerator(t, m, Config{Context: 128, Chunk: 128}), ps, Options{MaxTokens: 15, IgnoreEOS: true})
			for _, chunk := range []int{1, 7, 32, 64} {
				cs := generate(t, newGenerator(t, m, Config{Context: 128, Chunk: chunk}), ps, Options{MaxTokens: 15, IgnoreEOS: true})
				for i := range ps {
					assert.Equal(t, whole[i].IDs(), cs[i].IDs(), "chunk %d", chunk)
				}
				checkLogProbs(t, m, "", ps, cs)
			}
		})
	}
}

func TestNewWeightsAreUsed(t *testing.T) {
	m := tiny(t, "llama", tensor.Float32)
	g := newGenerator(t, m, Config{Context: 128})
	ps := prompts(12, 30)
	before := generate(t, g, ps, Options{MaxTokens: 10, IgnoreEOS: true})
	r := rand.New(rand.NewPCG(1, 1))
	for _, p := range m.Params() {
		for i := range p.Data() {
			p.Data()[i] += 0.05 * float32(r.NormFloat64())
		}
		p.Changed()
	}
	after := generate(t, g, ps, Options{MaxTokens: 10, IgnoreEOS: true})
	assert.NotEqual(t, before, after)
	checkLogProbs(t, m, "", ps, after)
}

func TestAdapters(t *testing.T) {
	m := tiny(t, "qwen3", tensor.Float32)
	base := newGenerator(t, m, Config{Context: 128})
	ps := prompts(12, 30, 3)
	o := Options{MaxTokens: 10, IgnoreEOS: true}
	before := generate(t, base, ps, o)

	a, err := lora.Attach(m, "mine", lora.Config{Rank: 4, Seed: 2})
	require.NoError(t, err)
	g := newGenerator(t, m, Config{Context: 128, Adapter: "mine"})
	fresh := generate(t, g, ps, o)
	for i := range ps {
		assert.Equal(t, before[i].IDs(), fresh[i].IDs(), "B is zero")
	}
	for _, p := range a.Params() {
		for i := range p.Data() {
			p.Data()[i] += 0.2 * float32(math.Sin(float64(i)))
		}
		p.Changed()
	}
	trained := generate(t, g, ps, o)
	checkLogProbs(t, m, "mine", ps, trained)
	assert.NotEqual(t, before[0].IDs(), trained[0].IDs())
	assert.Equal(t, before, generate(t, base, ps, o), "the base model is what it was")

	_, err = New(m, Config{Adapter: "theirs"})
	require.ErrorIs(t, err, ErrNoAdapter)
}

func TestDecodingAllocatesNothing(t *testing.T) {
	for _, sequences := range []int{10, wideSequences} {
		for _, o := range []Options{{}, {Temperature: 1, TopP: 0.9}} {
			g := newGenerator(t, tiny(t, "llama", tensor.Float32), Config{Sequences: sequences, Context: 128})
			o.MaxTokens, o.IgnoreEOS = 100, true
			r := newRollout(g, prompts(5, 6, 7, 8, 9, 10, 11, 12, 13, 14), o.withDefaults())
			step := func() {
				more, err := r.advance()
				require.NoError(t, err)
				require.True(t, more)
			}
			for range 5 {
				step()
			}
			assert.Zero(t, testing.AllocsPerRun(20, step))
		}
	}
}

func TestBytesCountsTheCache(t *testing.T) {
	m := tiny(t, "llama", tensor.Float32)
	small := newGenerator(t, m, Config{Sequences: 1, Context: 128})
	large := newGenerator(t, m, Config{Sequences: 3, Context: 128})
	assert.Equal(t, 2*8*2*128*32, large.Bytes()-small.Bytes(), "2 sequences, 8 bytes, 2 layers, 128 tokens, 2 heads of 16")
	assert.Equal(t, 128, small.Context())
}
