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
//     tensor/bnb the number formats of bitsandbytes; tensor/gradcheck checks gradients
//     by differences.
//   - model: configuration, loading and forward pass; the families are model/llama,
//     model/qwen, model/gemma, model/mixtral, model/olmo, model/granite, model/smollm,
//     model/phi, model/gptneox and model/gpt2, of which model/auto finds the right one;
//     model/nn has the blocks; model/modeltest checks a family.
//   - model/lora: LoRA and its relatives (model/lora/adalora spreads ranks); model/soft:
//     virtual tokens; model/houlsby: bottlenecks; model/blend: averages of models.
//   - data: rows, masks, packing; data/parquet reads Parquet; data/overlap finds what
//     data sets share; data/tokenizer and data/chat (data/chat/jinja: its templates)
//     turn text into tokens and conversations into text; data/answer reads answers.
//   - train: the loop, optimisers, schedules, checkpoints and exact resume, metrics;
//     train/report writes the HTML report, train/tensorboard event files.
//   - generate: batched decoding with a cache.
//   - sft: supervised fine-tuning.
//   - dpo: learning from pairs of answers; dpo/unpaired: from single labels; dpo/group:
//     from groups and rankings; dpo/online: from the policy's own answers; dpo/oreo:
//     from trajectories with rewards; dpo/losstest: the laws of its losses.
//   - reward: rules and learned models that score answers; reward/process scores steps
//     (reward/process/label finds which are right), reward/ensemble asks several models,
//     reward/genrm a language model, reward/odin leaves length out, reward/feedback
//     learns from clicks, reward/sandbox runs programs.
//   - rlhf: reinforcement learning; rlhf/rollout samples and rewards, rlhf/advantage has
//     the arithmetic, rlhf/guard stops what runs off, rlhf/rejection and rlhf/feedback
//     make data of right answers and of a model's judgement, rlhf/losstest the laws.
//   - eval: perplexity, exact match, and tables with confidence intervals.
//
// The folder examples holds runnable programs over these packages; start with
// examples/quickstart.
package posttrain
