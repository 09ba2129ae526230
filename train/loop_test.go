package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"testing"

	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var nan = math.NaN()

// oneCore returns a device without goroutines.
func oneCore(t testing.TB) *tensor.Device {
	d := tensor.NewDevice(1)
	t.Cleanup(d.Close)
	return d
}

func newTrainer(t testing.TB, s Stage, o Options) *Trainer {
	t.Helper()
	if o.Device == nil {
		o.Device = oneCore(t)
	}
	tr, err := New(s, o)
	require.NoError(t, err)
	return tr
}

func TestTrainFindsTheMinimum(t *testing.T) {
	for _, wide := range []bool{false, true} {
		s := newToy(wide, []int{0, 1, 2, 3}, []int{4, 5}, []int{6, 7})
		tr := newTrainer(t, s, Options{Optimizer: AdamW{LR: 0.1}, MaxSteps: 300})
		var first, last float64
		require.NoError(t, tr.Train(context.Background(), Hooks{Step: func(s Step) error {
			if s.N == 1 {
				first = s.Loss
			}
			last = s.Loss
			return nil
		}}))
		assert.Equal(t, 300, tr.Step())
		assert.Less(t, last, first*1e-6)
		assert.InDeltaSlice(t, toyMinimum, s.w(), 1e-2)
	}
}

// Tolerances of the accumulation law, DESIGN §5.
const (
	lawTolerance64 = 1e-10
	lawTolerance32 = 1e-5
)

// gradient takes one step from w = (0.3, -0.1, 0.2) and returns its gradient.
func gradient(t *testing.T, wide bool, d Denominator, micro ...[]int) ([]float64, Step) {
	s := newToy(wide, micro...)
	s.set([]float64{0.3, -0.1, 0.2})
	tr := newTrainer(t, s, Options{MaxSteps: 1, Denominator: d})
	var step Step
	require.NoError(t, tr.Train(context.Background(), Hooks{Step: func(s Step) error { step = s; return nil }}))
	var all []float64
	for _, p := range s.params {
		q := p.(*toyParam)
		for i := range max(len(q.grad), len(q.gr64)) {
			if q.gr64 != nil {
				all = append(all, q.gr64[i])
			} else {
				all = append(all, float64(q.grad[i]))
			}
		}
	}
	return all, step
}

func TestBatchOf8Is8Times1Is4Times2(t *testing.T) {
	cuts := [][][]int{
		{{0, 1, 2, 3, 4, 5, 6, 7}},
		{{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}},
		{{0, 1}, {2, 3}, {4, 5}, {6, 7}},
		{{0, 1, 2, 3, 4, 5, 6}, {7}},
	}
	for wide, tolerance := range map[bool]float64{true: lawTolerance64, false: lawTolerance32} {
		want, first := gradient(t, wide, PerStep, cuts[0]...)
		for _, cut := range cuts[1:] {
			got, step := gradient(t, wide, PerStep, cut...)
			assert.Less(t, distance(got, want), tolerance*length(want), "cut %v", cut)
			assert.InEpsilon(t, first.Loss, step.Loss, tolerance)
			assert.InEpsilon(t, first.GradNorm, step.GradNorm, tolerance)
			mean, _ := gradient(t, wide, PerMicroBatch, cut...)
			assert.Greater(t, distance(mean, want), 0.01*length(want), "weights differ, so means of means do too")
		}
	}
}

func length(a []float64) float64 { return distance(a, make([]float64, len(a))) }

func distance(a, b []float64) float64 {
	var sum float64
	for i := range a {
		sum += (a[i] - b[i]) * (a[i] - b[i])
	}
	return math.Sqrt(sum)
}

// TestPerMicroBatchIsTheMeanOfMeans computes each micro-batch alone.
func TestPerMicroBatchIsTheMeanOfMeans(t *testing.T) {
	a, _ := gradient(t, true, PerStep, []int{0, 1, 2})
	b, _ := gradient(t, true, PerStep, []int{3})
	both, step := gradient(t, true, PerMicroBatch, []int{0, 1, 2}, []int{3})
	for i := range both {
		assert.InDelta(t, (a[i]+b[i])/2, both[i], lawTolerance64)
	}
	assert.Equal(t, int64(14), step.Tokens)
}

// weightless is a toy one of whose micro-batches counts nothing.
type weightless struct {
	*toy
	seeds []float64
	all   bool
}

func (s *weightless) Next(_ context.Context, b *Batch) error {
	s.cursor++
	b.Weights = append(b.Weights, 0, 4)
	if s.all {
		b.Weights[1] = 0
	}
	return nil
}
func (s *weightless) Backward(_ int, seed float64) error { s.seeds = append(s.seeds, seed); return nil }

func TestWeightZeroCountsNothing(t *testing.T) {
	for _, c := range []struct {
		all  bool
		d    Denominator
		want []float64
	}{{false, PerStep, []float64{0.25, 0.25}}, {false, PerMicroBatch, []float64{0, 0.125}}, {true, PerStep, []float64{0, 0}}} {
		s := &weightless{toy: newToy(true), all: c.all}
		require.NoError(t, newTrainer(t, s, Options{MaxSteps: 1, Denominator: c.d}).Train(context.Background(), Hooks{}))
		assert.Equal(t, c.want, s.seeds)
	}
}

func TestClippingIsFoldedIntoTheUpdate(t *testing.T) {
	plain, clipped := newToy(true, []int{0, 1}), newToy(true, []int{0, 1})
	// SGD-like: with β = 0 and a large ε, AdamW's step is proportional to g.
	rule := AdamW{LR: 1, Betas: &[2]float64{0, 0}, Eps: 1e6}
	a := newTrainer(t, plain, Options{Optimizer: rule, Schedule: Constant{}, MaxSteps: 1, MaxGradNorm: new(0.0)})
	b := newTrainer(t, clipped, Options{Optimizer: rule, Schedule: Constant{}, MaxSteps: 1, MaxGradNorm: new(0.5)})
	var norm float64
	require.NoError(t, a.Train(context.Background(), Hooks{Step: func(s Step) error { norm = s.GradNorm; return nil }}))
	require.NoError(t, b.Train(context.Background(), Hooks{Step: func(s Step) error {
		assert.Equal(t, norm, s.GradNorm, "the norm before clipping")
		return nil
	}}))
	require.Greater(t, norm, 0.5)
	for i, w := range plain.w() {
		assert.InEpsilon(t, w*0.5/(norm+1e-6), clipped.w()[i], 1e-5, "up to √v beside ε")
	}
}

func TestNonFiniteNumbersStopBeforeWeightsMove(t *testing.T) {
	for name, fault := range map[string]func(*toy){
		"train: step 3: loss: got NaN, want a finite number":                              func(s *toy) { s.nanLossAt = 3 },
		"train: step 3: gradient of parameter line.weight: got NaN, want a finite number": func(s *toy) { s.nanGradAt = 3 },
	} {
		out := t.TempDir()
		s := runToy(true)
		fault(s)
		o := runOptions(t, s, out)
		o.SaveEvery = 2
		tr := newTrainer(t, s, o)
		var weights, moments []float64
		var last error
		for step, err := range tr.Steps(context.Background()) {
			if err != nil {
				last = err
				continue
			}
			require.Less(t, step.N, 3)
			weights = s.w()
			moments = append(moments[:0], tr.optimizer.State()[0].F64...)
		}
		require.ErrorIs(t, last, ErrNonFinite)
		assert.ErrorContains(t, last, name)
		var detail *NonFiniteError
		require.ErrorAs(t, last, &detail)
		assert.Equal(t, 3, detail.Step)
		assert.Equal(t, weights, s.w())
		assert.Equal(t, moments, tr.optimizer.State()[0].F64)
		assert.Equal(t, 2, tr.Step())
		assert.ErrorIs(t, tr.Save(), ErrNonFinite)
		assert.Equal(t, "step-000002\n", read(t, out, checkpointsDir, lastName))
	}
}

// TestCancelAtEveryStep cancels during each step and evaluation; the step in
// progress is completed, a checkpoint can be saved, and going on, in the same
// trainer or another, gives the undisturbed outcome.
func TestCancelAtEveryStep(t *testing.T) {
	calm := fastDir(t)
	finishRun(t, true, calm, nil)
	want := outcome(t, calm)
	for cancelAt := 1; cancelAt <= 16; cancelAt++ { // 12 steps, 4 evaluations
		for _, same := range []bool{true, false} {
			out := fastDir(t)
			s := runToy(true)
			ctx, cancel := context.WithCancel(context.Background())
			calls := 0
			count := func() {
				if calls++; calls == cancelAt {
					cancel()
				}
			}
			s.next, s.evaluating = count, count
			tr := newTrainer(t, s, runOptions(t, s, out))
			err := tr.Train(ctx, Hooks{})
			cancel()
			require.ErrorIs(t, err, context.Canceled, "call %d", cancelAt)
			require.NoError(t, tr.Save())
			if same {
				require.NoError(t, tr.Train(context.Background(), Hooks{}))
			} else {
				finishRun(t, true, out, nil)
			}
			got := outcome(t, out)
			require.Equal(t, want, got, "call %d, same trainer %v", cancelAt, same)
		}
	}
}

// TestResumeAtEveryStep abandons the run after each step, with and without
// saving there.
func TestResumeAtEveryStep(t *testing.T) {
	calm := fastDir(t)
	finishRun(t, true, calm, nil)
	want := outcome(t, calm)
	for n := 1; n <= 12; n++ {
		for _, save := range []bool{true, false} {
			out := fastDir(t)
			tr := stopAfter(t, out, n)
			if save {
				require.NoError(t, tr.Save())
				require.NoError(t, tr.Save(), "twice does nothing")
			}
			finishRun(t, true, out, nil)
			require.Equal(t, want, outcome(t, out), "step %d, saved %v", n, save)
		}
	}
}

func TestBreakAndGoOn(t *testing.T) {
	s := runToy(true)
	tr := newTrainer(t, s, Options{MaxSteps: 6})
	var seen []int
	for range 3 {
		for step, err := range tr.Steps(context.Background()) {
			require.NoError(t, err)
			seen = append(seen, step.N)
			if step.N%2 == 0 {
				break
			}
		}
	}
	assert.Equal(t, []int{1, 2, 3, 4, 5, 6}, seen)
	for range tr.Steps(context.Background()) {
		t.Error("the run is over")
	}
	assert.True(t, tr.Finished())
	assert.ErrorIs(t, tr.Save(), ErrOptions, "no folder")
}

func TestErrorsOfTheStage(t *testing.T) {
	s := runToy(true)
	s.failBackwardAt = 2
	err := newTrainer(t, s, Options{MaxSteps: 6}).Train(context.Background(), Hooks{})
	assert.EqualError(t, err, "train: step 2: stage toy: micro-batch 0: toy backward failed")

	for _, c := range []struct {
		weights []float64
		want    string
	}{
		{nil, "got no micro-batch, want at least one"},
		{[]float64{1, -1}, "weight of micro-batch 1: got -1, want a finite number of at least 0"},
		{[]float64{nan}, "got NaN"},
	} {
		err := newTrainer(t, badBatch{runToy(true), c.weights}, Options{MaxSteps: 1}).Train(context.Background(), Hooks{})
		assert.ErrorContains(t, err, c.want)
	}

	s = runToy(true)
	s.steps = 1
	s.cursor = 1
	assert.ErrorContains(t, newTrainer(t, s, Options{MaxSteps: 6}).Train(context.Background(), Hooks{}), "got no batch")
}

type badBatch struct {
	*toy
	weights []float64
}

func (s badBatch) Next(_ context.Context, b *Batch) error { b.Weights = s.weights; return nil }

func TestHookErrorsEndTheRun(t *testing.T) {
	broken := errors.New("no dashboard")
	tr := newTrainer(t, runToy(true), Options{MaxSteps: 6})
	err := tr.Train(context.Background(), Hooks{Step: func(s Step) error { return broken }})
	assert.ErrorIs(t, err, broken)
	assert.EqualError(t, err, "train: step 1: Step hook: no dashboard")
	err = newTrainer(t, runToy(true), Options{MaxSteps: 6}).Train(context.Background(), Hooks{Event: func(e Event) error {
		if e.Kind == EventStep {
			return broken
		}
		return nil
	}})
	assert.EqualError(t, err, "train: step 1: Event hook for step: no dashboard")
}

// counted is a toy that knows its length: 8 steps are an epoch.
type counted struct{ *toy }

func (counted) CountSteps(epochs float64) (int, error) { return int(math.Ceil(epochs * 8)), nil }

func TestLengthOfARun(t *testing.T) {
	steps := func(s Stage, o Options) int {
		tr := newTrainer(t, s, o)
		require.NoError(t, tr.Train(context.Background(), Hooks{}))
		return tr.Step()
	}
	assert.Equal(t, 24, steps(counted{runToy(true)}, Options{}), "3 epochs")
	assert.Equal(t, 12, steps(counted{runToy(true)}, Options{Epochs: 1.5}))
	assert.Equal(t, 5, steps(counted{runToy(true)}, Options{MaxSteps: 5}))
	assert.Equal(t, 8, steps(counted{runToy(true)}, Options{MaxSteps: 50, Epochs: 1}))
	assert.Equal(t, 16, steps(runToy(true), Options{Schedule: Constant{}, Epochs: 2}), "no length is needed")
	short := runToy(true)
	short.steps = 7
	assert.Equal(t, 7, steps(short, Options{MaxSteps: 50}), "the data ends")

	_, err := New(runToy(true), Options{Device: oneCore(t)})
	assert.ErrorIs(t, err, ErrOptions)
	assert.ErrorContains(t, err, "MaxSteps: got 0, want the number of steps, which schedule linear needs and stage toy does not count")
	_, err = New(runToy(true), Options{Schedule: Greedy{}, MaxSteps: 1, Device: oneCore(t)})
	assert.ErrorContains(t, err, "Options.Evaluator: got none, want one for schedule greedy")
}

// TestEndOfDataWithAFolder ends by io.EOF after a step that was saved already.
func TestEndOfDataWithAFolder(t *testing.T) {
	out := t.TempDir()
	s := runToy(true)
	s.steps = 9
	require.NoError(t, newTrainer(t, s, runOptions(t, s, out)).Train(context.Background(), Hooks{}))
	assert.Contains(t, read(t, out, checkpointsDir, "step-000009", stateName), `"ended": true`)
	assert.Contains(t, read(t, out, metricsName), `{"event":"eval","step":9,`)
	require.NoError(t, verify(out+"/checkpoints/step-000009"))
}

// line is a toy with many parameters, to be worked on by several cores.
type line struct {
	*toy
	p *toyParam
	n uint64
}

func newLine(n int) *line {
	s := &line{p: flatParam("many", make([]float64, n), false)}
	s.toy = newToy(true)
	return s
}

func (s *line) Parameters() []Parameter { return []Parameter{s.p} }
func (s *line) Next(_ context.Context, b *Batch) error {
	b.Weights, b.Tokens = append(b.Weights, 1), 1
	s.n++
	return nil
}
func (s *line) Backward(_ int, seed float64) error {
	for i := range s.p.grad {
		s.p.grad[i] = float32(math.Sin(float64(uint64(i)*s.n)) * seed)
	}
	return nil
}
func (s *line) Collect(m *Metrics) error { m.Set("loss", 1); return nil }

func TestResultsDoNotDependOnCores(t *testing.T) {
	run := func(threads int) (string, []float32) {
		d := tensor.NewDevice(threads)
		defer d.Close()
		s := newLine(3*chunkElements + 17)
		tr := newTrainer(t, s, Options{MaxSteps: 3, Device: d})
		norms := ""
		require.NoError(t, tr.Train(context.Background(), Hooks{Step: func(s Step) error {
			norms += fmt.Sprintf("%x ", s.GradNorm)
			return nil
		}}))
		return norms, s.p.data
	}
	norms, data := run(1)
	for _, threads := range []int{2, 5} {
		n, x := run(threads)
		assert.Equal(t, norms, n)
		assert.Equal(t, data, x)
	}
}

func TestSteadyStepsAllocateNothing(t *testing.T) {
	d := tensor.NewDevice(2)
	defer d.Close()
	s := newToy(false, []int{0, 1}, []int{2})
	s.params = append(s.params, newLine(2*chunkElements).p)
	tr := newTrainer(t, s, Options{MaxSteps: 1 << 30, Device: d})
	ctx := context.Background()
	step := func() {
		if _, err := tr.advance(ctx); err != nil {
			t.Fatal(err)
		}
		if err := tr.duties(ctx); err != nil {
			t.Fatal(err)
		}
	}
	step()
	assert.Zero(t, testing.AllocsPerRun(50, step))
}

func TestCancelledBeforeTheFirstStep(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s := runToy(true)
	tr := newTrainer(t, s, Options{MaxSteps: 3})
	err := tr.Train(ctx, Hooks{})
	assert.EqualError(t, err, "train: stopped after step 0: context canceled")
	assert.Zero(t, s.cursor)
	assert.NotErrorIs(t, err, io.EOF)
	require.NoError(t, tr.Train(context.Background(), Hooks{}))
}
