// Package posttrain is the root of a library that post-trains small language
// models on the machine it runs on: no Python, no cgo, one binary.
//
// A program loads an ordinary checkpoint, fine-tunes it, measures it before and
// after, and saves what other tools read:
//
//	c, err := auto.Open("gemma-3-270m.gguf", auto.Options{})
//	rows, err := data.Open("train.jsonl", data.ReadOptions{})
//	_, eos, _ := c.Tokenizer.EOS()
//	set, report, err := data.Prepare(ctx, rows, c.Tokenizer, data.PrepareOptions{EOS: eos})
//	batches, err := data.NewBatcher(set, data.BatchOptions{TokensPerStep: 2048, TokensPerMicro: 1024})
//	adapter, err := lora.Attach(c.Model, "default", lora.Config{Rank: 16})
//	trainer, err := sft.New(sft.Policy{Model: c.Model, Adapter: adapter}, batches, sft.Options{},
//		train.Options{Optimizer: train.AdamW{LR: 2e-4}, MaxSteps: 100, Out: "run1"})
//	err = trainer.Train(ctx, train.Hooks{})
//
// # The types a user meets first
//
// auto.Checkpoint (a model with its tokenizer and chat template), data.Dataset
// and data.Batcher (tokenised rows and packed batches), lora.Adapter,
// sft.Trainer, train.Options, generate.Generator, eval.Table.
//
// # Packages
//
//   - tensor: graphs (Gorgonia's types) of fused ops, their gradients, and the
//     executor; tensor/safetensors and tensor/gguf read and write weights;
//     tensor/gradcheck checks gradients by differences.
//   - model: configuration, loading and forward pass; model/llama, model/qwen,
//     model/gpt2 and their siblings are families; model/auto finds the right one;
//     model/lora, model/soft (virtual tokens) and model/houlsby hold adapters;
//     model/nn the blocks; model/modeltest checks a family.
//   - data: rows, masks, packing; data/tokenizer and data/chat turn text into
//     tokens and conversations into text; data/answer reads answers.
//   - train: the loop, AdamW, schedules, checkpoints and exact resume, metrics;
//     train/report writes the HTML report.
//   - sft: supervised fine-tuning. dpo: learning from pairs of answers
//     (dpo/unpaired: from single labels). reward:
//     rules and learned models that score answers; reward/process scores steps,
//     reward/ensemble asks several models, reward/genrm a language model.
//   - generate: batched decoding with a cache. eval: perplexity, exact match,
//     and tables with confidence intervals.
//
// The folder examples holds runnable programs over these packages; start with
// examples/quickstart.
package posttrain
