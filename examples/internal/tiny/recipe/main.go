// Recipe trains the embedded tiny model from random weights and writes it as a
// Hugging Face folder. It stops at the first evaluation with at least -until of
// the held-out sums right, so that there is something left to learn.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/data/tokenizer"
	"github.com/posttrain/posttrain/examples/internal/tiny"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// config is config.json of the model.
const config = `{
  "architectures": ["LlamaForCausalLM"],
  "model_type": "llama",
  "vocab_size": 272,
  "hidden_size": 128,
  "intermediate_size": 384,
  "num_hidden_layers": 4,
  "num_attention_heads": 4,
  "num_key_value_heads": 4,
  "head_dim": 32,
  "max_position_embeddings": 1024,
  "rms_norm_eps": 1e-05,
  "hidden_act": "silu",
  "tie_word_embeddings": true,
  "rope_theta": 10000.0,
  "bos_token_id": 256,
  "eos_token_id": 257,
  "pad_token_id": 258,
  "torch_dtype": "bfloat16"
}
`

func main() {
	out := flag.String("out", "", "folder to write")
	until := flag.Float64("until", 0.17, "stop when so many held-out sums are right")
	flag.Parse()
	if err := run(context.Background(), *out, *until); err != nil {
		fmt.Fprintln(os.Stderr, "recipe:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out string, until float64) error {
	words, err := newTokenizer()
	if err != nil {
		return err
	}
	m, err := auto.New([]byte(config), model.Random{Seed: 1}, model.LoadOptions{})
	if err != nil {
		return err
	}
	if err := fit(ctx, m, words, until); err != nil {
		return err
	}
	return auto.Save(out, &auto.Checkpoint{Model: m, Tokenizer: words}, auto.SaveOptions{Dtype: tensor.BFloat16})
}

// fit trains all weights.
func fit(ctx context.Context, m model.Model, words *tokenizer.Tokenizer, until float64) error {
	set, _, err := data.Prepare(ctx, data.Slice[data.Row](tiny.Sums(20000, false, 1)), words, data.PrepareOptions{EOS: eos})
	if err != nil {
		return err
	}
	src, err := data.NewBatcher(set, data.BatchOptions{TokensPerStep: 2048, TokensPerMicro: 2048, Seed: 1})
	if err != nil {
		return err
	}
	t, err := sft.New(sft.Policy{Model: m}, src, sft.Options{MicroTokens: 2048}, train.Options{
		Optimizer: train.AdamW{LR: 3e-3, WeightDecay: 0.1, Betas: &[2]float64{0.9, 0.98}},
		Schedule:  train.Constant{Warmup: train.Warmup{Steps: 50}}, MaxSteps: 2000,
	})
	if err != nil {
		return err
	}
	held := tiny.Sums(1000, true, 2)
	for s, err := range t.Steps(ctx) {
		if err != nil {
			return err
		}
		if s.N < 200 || s.N%10 != 0 {
			continue
		}
		right, err := share(ctx, m, words, held)
		if err != nil {
			return err
		}
		fmt.Printf("step %d  loss %.4f  right %.3f\n", s.N, s.Loss, right)
		if right >= until {
			return nil
		}
	}
	return fmt.Errorf("the model did not learn to get %g right", until)
}

// share is the share of sums that the model gets right, decoding greedily.
func share(ctx context.Context, m model.Model, words *tokenizer.Tokenizer, rows []data.Row) (float64, error) {
	g, err := generate.New(m, generate.Config{Sequences: 64, Context: 16, Decode: generate.Text(words.NewStream)})
	if err != nil {
		return 0, err
	}
	defer g.Close()
	prompts := make([][]int32, len(rows))
	for i, r := range rows {
		prompts[i] = words.Encode(r.Prompt)
	}
	done, err := g.Generate(ctx, prompts, generate.Options{MaxTokens: 5})
	if err != nil {
		return 0, err
	}
	right := 0
	for i, c := range done {
		if c.Text == rows[i].Completion {
			right++
		}
	}
	return float64(right) / float64(len(rows)), nil
}

// newTokenizer makes the tokenizer of its files.
func newTokenizer() (*tokenizer.Tokenizer, error) {
	dir, err := os.MkdirTemp("", "recipe-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for name, raw := range map[string][]byte{"tokenizer.json": tokenizerJSON(), "tokenizer_config.json": []byte(tokenizerConfig)} {
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o644); err != nil {
			return nil, err
		}
	}
	return tokenizer.Open(dir)
}
