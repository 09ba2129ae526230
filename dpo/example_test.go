package dpo_test

import (
	"context"
	"fmt"
	"log"
	"testing/fstest"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

const (
	untrained = `{"model_type": "llama", "vocab_size": 256, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
		"num_attention_heads": 4, "max_position_embeddings": 64, "tie_word_embeddings": true}`
	comparisons = `{"prompt": "2+2=", "chosen": "4", "rejected": "five, I guess"}
{"prompt": "3+1=", "chosen": "4", "rejected": "more than 3"}
{"prompt": "1+2=", "chosen": "3", "rejected": "12"}`
)

// A fresh adapter learns which answers are preferred; the reference is the model
// without it. With a checkpoint, auto.Open gives model and tokenizer, and
// data.OpenPairs reads a file.
func Example() {
	ctx := context.Background()
	m, err := auto.New([]byte(untrained), model.Random{Seed: 1, Std: 0.2}, model.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	files := fstest.MapFS{"sums.jsonl": {Data: []byte(comparisons)}}
	rows, err := data.OpenPairsFS(files, "sums.jsonl", "", data.ReadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	pairs, report, err := dpo.Prepare(ctx, rows, letters{}, dpo.PrepareOptions{EOS: "\n"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report)
	batches, err := dpo.NewBatcher(pairs, dpo.BatchOptions{PairsPerStep: 3, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	adapter, err := lora.Attach(m, "default", lora.Config{Rank: 8, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	trainer, err := dpo.New(dpo.Policy{Model: m, Adapter: adapter}, batches, dpo.Options{Beta: 0.5},
		train.Options{Optimizer: train.AdamW{LR: 1e-2}, MaxSteps: 30}) // Out: "run1" would keep checkpoints, logs and a report
	if err != nil {
		log.Fatal(err)
	}
	for step, err := range trainer.Steps(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if step.N == 1 || step.N == trainer.TotalSteps() {
			accuracy, _ := step.Metrics.Value("rewards/accuracies")
			fmt.Printf("step %d: loss %.2f, %.0f %% in order\n", step.N, step.Loss, 100*accuracy)
		}
	}
	// Output:
	// 3 of 3 comparisons kept, 58 tokens
	// step 1: loss 0.69, 0 % in order
	// step 30: loss 0.00, 100 % in order
}

// A loss of one's own, in Gorgonia's ops or in those of package tensor: here DPO
// that asks for a margin γ (offset DPO, Amini et al. 2024). losstest.Run checks
// it.
func ExampleLossFunc() {
	offset := dpo.LossFunc(func(_ *tensor.Graph, in dpo.LogProbs) dpo.Terms {
		return dpo.Terms{Loss: tensor.Softplus(tensor.AddScalar(tensor.Neg(in.Margin()), 0.5))}
	})
	fmt.Println(dpo.Options{Loss: offset}.Validate(), offset.Name())
	// Output: <nil> custom
}

// Several losses can be mixed.
func ExampleSum() {
	mix := dpo.Sum{{Loss: dpo.Sigmoid{}, Weight: 1}, {Loss: dpo.NLL{}, Weight: 0.2}}
	fmt.Println(mix.Name())
	// Output: sigmoid:1,sft:0.2
}

// All losses, with what each is for every pair while the policy is still its
// reference (β = 0.1).
func ExampleLosses() {
	for _, l := range dpo.Losses() {
		t := l.(dpo.Described).Traits(0.1)
		if !t.Known {
			fmt.Println(l.Name(), "depends on the policy")
			continue
		}
		fmt.Printf("%s %.4g\n", l.Name(), t.AtReference)
	}
	// Output:
	// sigmoid 0.6931
	// cdpo 0.6931
	// sigmoid_norm 0.6931
	// hinge 1
	// ipo 25
	// ipo_sum 25
	// robust 0.6931
	// exo_pair 2.761
	// nca_pair 1.386
	// bco_pair 1.386
	// sppo_hard 50
	// aot 0.6931
	// aot_unpaired 0.6931
	// apo_zero 1
	// apo_down 1
	// discopop 0.8466
	// dpop 0.6931
	// sft depends on the policy
	// orpo depends on the policy
	// cpo depends on the policy
	// cpo_hinge depends on the policy
	// cpo_ipo depends on the policy
	// simpo depends on the policy
	// alphapo depends on the policy
	// alphapo_sum depends on the policy
}
