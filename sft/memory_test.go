package sft_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/tensor"
)

func TestPlanIsWhatIsAllocated(t *testing.T) {
	var arenas []int64
	for _, adapter := range []bool{false, true} {
		for _, o := range []sft.Options{{}, {Recompute: true}, {EvalData: batcher(t, 6, data.BatchOptions{Epochs: 1, TokensPerMicro: 64})}} {
			t.Run(fmt.Sprintf("adapter %t, recompute %t, evaluation %t", adapter, o.Recompute, o.EvalData != nil), func(t *testing.T) {
				p := sft.Policy{Model: trial.Model(t, "gemma3_text", tensor.Float32)}
				if adapter {
					p = adapted(t, p.Model, lora.Config{})
				}
				o.MicroTokens, o.MaxSegments = 64, 16
				planned, err := sft.PlanMemory(p, o)
				require.NoError(t, err)
				tr, err := sft.New(p, batcher(t, 20, data.BatchOptions{TokensPerStep: 100, TokensPerMicro: 64}), o, trial.Loop(2))
				require.NoError(t, err)
				for s, err := range tr.Steps(t.Context()) {
					require.NoError(t, err)
					require.Positive(t, s.Loss)
				}
				got, err := tr.Memory()
				require.NoError(t, err)
				assert.Equal(t, planned, got)
				weights, gradients := int64(0), int64(0)
				for _, q := range p.Model.Params() {
					weights += int64(4 * q.Len())
				}
				for _, q := range tr.Parameters() {
					gradients += int64(4 * len(q.Grad()))
				}
				if adapter {
					weights += gradients
				}
				assert.Equal(t, weights, got.Weights)
				assert.Equal(t, gradients, got.Gradients)
				assert.Equal(t, 2*gradients, got.Optimizer)
				arenas = append(arenas, got.Arena)
			})
		}
	}
	require.Len(t, arenas, 6)
	assert.Less(t, arenas[1], arenas[0], "recomputation saves memory")
}

func TestTooLittleMemoryIsToldBeforeAllocating(t *testing.T) {
	p := sft.Policy{Model: trial.Model(t, "llama", tensor.Float32)}
	src := batcher(t, 6, data.BatchOptions{})
	_, err := sft.New(p, src, sft.Options{MicroTokens: 4096, MaxSegments: 256, MemoryLimit: 1 << 20}, trial.Loop(1))
	require.ErrorIs(t, err, sft.ErrMemory)
	assert.ErrorContains(t, err, "activations")
	assert.ErrorContains(t, err, "1 MiB are available")
	for _, q := range p.Model.Params() {
		require.False(t, q.Trainable(), "no accumulator was allocated")
	}
	_, err = sft.New(p, src, sft.Options{MicroTokens: 4096, MaxSegments: 256, MemoryLimit: -1}, trial.Loop(1))
	require.NoError(t, err)
}

func TestStoredIn16Bits(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.BFloat16, tensor.Float16} {
		small := trial.Model(t, "qwen3", dt)
		_, err := sft.New(sft.Policy{Model: small}, oneRow(1), sft.Options{}, trial.Loop(1))
		require.ErrorContains(t, err, "want float32 to train it")
		_, err = sft.PlanMemory(sft.Policy{Model: small}, sft.Options{})
		require.ErrorContains(t, err, "want float32 to train it")

		wide := trial.Model(t, "qwen3", tensor.Float32)
		values := map[string][]float32{}
		for name, q := range small.Params() {
			values[name] = q.Float32s()
		}
		for name, q := range wide.Params() {
			copy(q.Data(), values[name])
			q.Changed()
		}
		o := sft.Options{MicroTokens: 64, MaxSegments: 8}
		rows := cut(examples(5), [][]int{{0, 1, 2}, {3, 4}}, 0)
		want := runSteps(t, adapted(t, wide, lora.Config{}), rows, o, trial.Loop(1))
		rows.Rewind()
		got := runSteps(t, adapted(t, small, lora.Config{}), rows, o, trial.Loop(1))
		assert.InEpsilon(t, want.Losses[0], got.Losses[0], 1e-6, "%v", dt)
		assert.LessOrEqual(t, distant(want.Grads, got.Grads), lawTol[tensor.Float32], "%v", dt)
	}
}
