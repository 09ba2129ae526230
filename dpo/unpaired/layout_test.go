package unpaired_test

import (
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/unpaired"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// layoutTol64 is what sums in another order may differ by, relative.
const layoutTol64 = 1e-10

// However a step is cut into micro-batches, its loss and gradient are the same: z
// and δ are those of the step.
func TestMicroBatchesAddUp(t *testing.T) {
	for _, l := range append(unpaired.Losses(), unpaired.BCO{Density: &unpaired.DensityRatio{}}) {
		t.Run(l.Name(), func(t *testing.T) {
			one := func(micro int, sequential bool) trial.Outcome {
				src := batcher(t, someRows(8), unpaired.BatchOptions{RowsPerStep: 8, TokensPerMicro: micro, Sequential: sequential})
				o := unpaired.Options{Loss: l, Beta: 0.5, Reference: dpo.Reference{Base: true}}
				return runSteps(t, adapted(t, tensor.Float64, false), src, o, trial.Loop(3))
			}
			whole := one(512, true)
			for _, micro := range []int{16, 40} {
				cut := one(micro, true)
				trial.Close(t, whole.Losses, cut.Losses, layoutTol64, "loss")
				trial.Close(t, whole.Grads, cut.Grads, layoutTol64, "gradient")
			}
		})
	}
}

// With train.PerMicroBatch each micro-batch has a z of its own, as in TRL.
func TestPerMicroBatchHasItsOwnBaseline(t *testing.T) {
	run := func(d train.Denominator) []float64 {
		loop := trial.Loop(2)
		loop.Denominator = d
		src := batcher(t, someRows(8), unpaired.BatchOptions{RowsPerStep: 8, TokensPerMicro: 16, Sequential: true})
		return runSteps(t, adapted(t, tensor.Float64, false), src, unpaired.Options{Beta: 1, Reference: dpo.Reference{Base: true}}, loop).Losses
	}
	assert.NotEqual(t, run(train.PerStep), run(train.PerMicroBatch))
}

// The order of the rows of a step does not matter where each keeps its mismatched
// text.
func TestOrderDoesNotMatter(t *testing.T) {
	rows := someRows(6)
	one := func(order []int) trial.Outcome {
		var b unpaired.Batch
		for _, i := range order {
			b.Add(rows[i], int32(i))
			b.AddMismatched(rows[i].Prompt, rows[(i+1)%6].Completion, int32(i))
		}
		src := &trial.Steps[unpaired.Step]{List: []unpaired.Step{{Micro: []unpaired.Batch{b}}}}
		return runSteps(t, adapted(t, tensor.Float64, false), src, unpaired.Options{MicroTokens: 256, Reference: dpo.Reference{Base: true}}, trial.Loop(1))
	}
	straight, mixed := one([]int{0, 1, 2, 3, 4, 5}), one([]int{4, 0, 5, 2, 1, 3})
	trial.Close(t, straight.Losses, mixed.Losses, layoutTol64, "loss")
	trial.Close(t, straight.Grads, mixed.Grads, layoutTol64, "gradient")
}

// Trap T22: no prompt is mismatched with an answer to itself while there is
// another prompt, and z does not depend on labels.
func TestMismatchedTextsHaveOtherPrompts(t *testing.T) {
	rows := someRows(9)
	for i := range rows { // three answers to each of three prompts, side by side
		rows[i].Prompt = []int32{int32(i / 3), 7}
	}
	b := batcher(t, rows, unpaired.BatchOptions{RowsPerStep: 3, Epochs: 2, Sequential: true})
	var step unpaired.Step
	seen := 0
	for b.Next(&step) == nil {
		for i := range step.Micro {
			m := &step.Micro[i]
			at := int32(0)
			for k, end := range m.MismatchedEnds {
				own := rows[m.Mismatched.Examples[k]]
				completion := m.Mismatched.Targets[at:end]
				at = end
				from := slices.IndexFunc(rows, func(r unpaired.Row) bool {
					return slices.Equal(r.Completion[:min(len(r.Completion), len(completion))], completion)
				})
				require.GreaterOrEqual(t, from, 0)
				require.NotEqual(t, own.Prompt, rows[from].Prompt)
				seen++
			}
		}
	}
	assert.Equal(t, 18, seen)
	one := batcher(t, []unpaired.Row{rows[0], {Prompt: rows[0].Prompt, Completion: []int32{5}}}, unpaired.BatchOptions{Sequential: true})
	require.NoError(t, one.Next(&step))
	assert.Equal(t, []int32{5}, step.Micro[0].Mismatched.Targets[:1], "one prompt only: the other row's answer")
}

// Once buffers have their size a step allocates nothing.
func TestSteadyStepAllocatesNothing(t *testing.T) {
	const warm, window, count = 60, 20, 5
	device := tensor.NewDevice(2)
	defer device.Close()
	for _, l := range unpaired.Losses() {
		t.Run(l.Name(), func(t *testing.T) {
			src := batcher(t, someRows(12), unpaired.BatchOptions{RowsPerStep: 4, TokensPerMicro: 64})
			tr, err := unpaired.New(adapted(t, tensor.Float32, false), src, unpaired.Options{Loss: l, Device: device}, trial.Loop(warm+count*window))
			require.NoError(t, err)
			var at [count + 1]runtime.MemStats
			for s, err := range tr.Steps(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if past := s.N - warm; past >= 0 && past%window == 0 {
					runtime.ReadMemStats(&at[past/window])
				}
			}
			least := uint64(math.MaxUint64)
			for i := range count {
				least = min(least, at[i+1].Mallocs-at[i].Mallocs)
			}
			require.Zero(t, least, "allocations in the quietest %d steps", window)
		})
	}
}

// Neither recomputation nor the number of threads nor capacities change a bit.
func TestPlansDoNotChangeResults(t *testing.T) {
	one, three := tensor.NewDevice(1), tensor.NewDevice(3)
	defer one.Close()
	defer three.Close()
	run := func(o unpaired.Options) trial.Outcome {
		src := batcher(t, someRows(12), unpaired.BatchOptions{RowsPerStep: 4, TokensPerMicro: 32})
		return runSteps(t, adapted(t, tensor.Float32, false), src, o, trial.Loop(3))
	}
	want := run(unpaired.Options{Device: one})
	assert.Equal(t, want, run(unpaired.Options{Device: three}))
	assert.Equal(t, want, run(unpaired.Options{Device: one, Recompute: true}))
	assert.Equal(t, want, run(unpaired.Options{Device: one, MicroTokens: 300, MaxRows: 9}))
}
