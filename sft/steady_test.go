package sft_test

import (
	"fmt"
	"math"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/tensor"
)

// TestSteadyStepAllocatesNothing runs whole steps (batch, forward, backward,
// norm, clipping, update) over many epochs, and counts every allocation of the
// process in windows of some epochs each.
func TestSteadyStepAllocatesNothing(t *testing.T) {
	device := tensor.NewDevice(2)
	defer device.Close()
	for _, family := range []string{"llama", "qwen3", "gemma3_text"} {
		for _, adapter := range []bool{false, true} {
			for _, loss := range []sft.Loss{sft.NLL{LabelSmoothing: 0.1}, sft.DFT{}} {
				t.Run(fmt.Sprintf("%s/adapter %t/%s", family, adapter, loss.Name()), func(t *testing.T) {
					p := sft.Policy{Model: trial.Model(t, family, tensor.Float32)}
					if adapter {
						p = adapted(t, p.Model, lora.Config{Dropout: 0.1})
					}
					steadySteps(t, p, sft.Options{Loss: loss, NEFTuneAlpha: 5, Recompute: adapter, Device: device})
				})
			}
		}
	}
}

const (
	warmSteps  = 100 // after them no larger step comes
	windowSize = 25  // steps, five epochs
	windows    = 6
	// runtimeAllocs is how many the Go runtime may make for itself in all windows:
	// places in wait queues of channels, caches of type assertions.
	runtimeAllocs = 15
)

func steadySteps(t *testing.T, p sft.Policy, o sft.Options) {
	src := batcher(t, 30, data.BatchOptions{TokensPerStep: 64, TokensPerMicro: 32})
	loop := trial.Loop(warmSteps + windows*windowSize)
	loop.MaxGradNorm = new(1.0)
	tr, err := sft.New(p, src, o, loop)
	require.NoError(t, err)
	var counts [windows + 1]runtime.MemStats
	goroutines := 0
	for s, err := range tr.Steps(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if s.N == warmSteps {
			goroutines = runtime.NumGoroutine()
		}
		if past := s.N - warmSteps; past >= 0 && past%windowSize == 0 {
			runtime.ReadMemStats(&counts[past/windowSize])
		}
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), goroutines, "goroutines")
	least := uint64(math.MaxUint64)
	for i := range windows {
		least = min(least, counts[i+1].Mallocs-counts[i].Mallocs)
	}
	require.Zero(t, least, "allocations in the quietest %d steps", windowSize)
	require.LessOrEqual(t, counts[windows].Mallocs-counts[0].Mallocs, uint64(runtimeAllocs), "allocations in %d steps", windows*windowSize)
}
