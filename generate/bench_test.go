package generate

import (
	"fmt"
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/require"
)

// smollm is the shape of SmolLM2-135M.
const smollm = `{"model_type": "llama", "vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
	"num_attention_heads": 9, "num_key_value_heads": 3, "max_position_embeddings": 8192, "tie_word_embeddings": true}`

// BenchmarkDecode measures one step of decoding: a token of every sequence, with
// 100 tokens before it.
func BenchmarkDecode(b *testing.B) {
	c, fam, err := auto.ParseConfig([]byte(smollm))
	require.NoError(b, err)
	for _, weights := range []tensor.Dtype{tensor.Float32, tensor.BFloat16} {
		m, err := fam.New(c, model.NewLoader(c, model.Random{}, model.LoadOptions{Weights: weights}))
		require.NoError(b, err)
		for _, sequences := range []int{1, 8, 16, 32, 64} {
			b.Run(fmt.Sprintf("%v/sequences=%d", weights, sequences), func(b *testing.B) {
				g := newGenerator(b, m, Config{Sequences: sequences, Context: 512})
				o := Options{MaxTokens: 400, IgnoreEOS: true}.withDefaults()
				lengths := make([]int, sequences)
				for i := range lengths {
					lengths[i] = 100
				}
				ps := prompts(lengths...)
				r := newRollout(g, ps, o)
				for range 2 {
					if _, err := r.advance(); err != nil {
						b.Fatal(err)
					}
				}
				for r.slots[sequences-1].needsPrompt() {
					if _, err := r.advance(); err != nil {
						b.Fatal(err)
					}
				}
				b.ResetTimer()
				for range b.N {
					if _, err := r.advance(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(sequences*b.N)/b.Elapsed().Seconds(), "tokens/s")
			})
		}
	}
}
