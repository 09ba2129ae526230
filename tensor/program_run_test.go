package tensor_test

import (
	"errors"
	"math"
	"sync"
	"testing"

	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestAccumulatingTwiceDoubles(t *testing.T) {
	shape := tiny
	shape.full = true
	m := newModel[float64](t, shape)
	p := m.training(t, tensor.CompileOptions{})
	once := m.step(t, p)[1:]
	require.NoError(t, p.Run())
	for i, g := range m.gradients() {
		for k := range once[i] {
			once[i][k] *= 2
		}
		requireClose(t, once[i], g, definitionTol64, "gradient")
	}
}

// The gradients of a whole decoder, by all kinds of parameters, are those of
// its loss.
func TestGradientsOfADecoderEqualDifferences(t *testing.T) {
	// Central differences with step 1e-5: see package gradcheck.
	const step, tolerance = 1e-5, 1e-6
	shape := tiny
	shape.full, shape.noise = true, true
	m := newModel[float64](t, shape)
	p := m.training(t, tensor.CompileOptions{Checkpoints: m.layers})
	grads := m.step(t, p)[1:]
	loss := func() float64 { return m.step(t, p)[0][0] }
	for i, q := range m.params {
		scale := 0.0
		for _, g := range grads[i] {
			scale = max(scale, math.Abs(g))
		}
		for k := 0; k < q.Len(); k += 1 + q.Len()/2 {
			old := q.Data64()[k]
			q.Data64()[k] = old + step
			up := loss()
			q.Data64()[k] = old - step
			down := loss()
			q.Data64()[k] = old
			require.InDelta(t, (up-down)/(2*step), grads[i][k], tolerance*(scale+1e-2), "%s[%d]", q.Name(), k)
		}
	}
}

// Half of the weights at a time, with seeds of a common denominator, adds up to
// the whole.
func TestMicroBatchesAddUp(t *testing.T) {
	m := newModel[float64](t, tiny)
	p := m.training(t, tensor.CompileOptions{})
	require.NoError(t, tensor.Bind(p, m.in["seed"], []float64{0.125}))
	whole := m.step(t, p)[1:]
	all := make([]float64, tiny.scored-3)
	for i := range all {
		all[i] = float64(i%3) / 2
	}
	for _, q := range m.params {
		q.ZeroGrad()
	}
	for half := range 2 {
		part := append([]float64(nil), all...)
		for i := range part {
			if i%2 != half {
				part[i] = 0
			}
		}
		require.NoError(t, tensor.Bind(p, m.in["weights"], part))
		require.NoError(t, p.Run())
	}
	for i, g := range m.gradients() {
		requireClose(t, whole[i], g, 1e-12, "gradient")
	}
}

func TestProgramsShareAnArenaAndParameters(t *testing.T) {
	m := newModel[float32](t, tiny)
	alone := m.step(t, m.training(t, tensor.CompileOptions{}))

	arena := &tensor.Arena{}
	score, err := tensor.Compile(m.g, tensor.Nodes{m.loss}, m.options(tensor.CompileOptions{Arena: arena}))
	require.NoError(t, err)
	m.bind(t, score)
	require.NoError(t, score.Run())
	small := arena.Bytes()
	train := m.training(t, tensor.CompileOptions{Arena: arena})
	require.Greater(t, arena.Bytes(), small, "the arena is as large as its largest program")
	_, err = tensor.Values[float32](score, m.loss)
	require.ErrorContains(t, err, "the arena was replaced")
	for range 2 {
		require.NoError(t, score.Run())
		loss, err := tensor.Values[float32](score, m.loss)
		require.NoError(t, err)
		require.Equal(t, alone[0], loss)
		require.Equal(t, alone, m.step(t, train))
	}
	// Programs follow a parameter to new memory.
	p := m.params[0]
	moved := make([]float64, p.Len())
	for i, x := range p.Data() {
		moved[i] = float64(x)
	}
	require.NoError(t, p.Set(moved))
	require.Equal(t, alone, m.step(t, train))
	moved[0]++
	require.NoError(t, p.Set(moved))
	require.NotEqual(t, alone, m.step(t, train))
}

// faulty is an op that panics for a negative input.
func faulty(x *tensor.Node) *tensor.Node {
	return tensor.Apply(tensor.Spec{
		Name: "faulty", Out: []tensor.Output{{Shape: x.Shape().Clone(), Dtype: x.Dtype()}}, Differentiable: []bool{false},
		Kernel: func(c *tensor.Call) {
			x := tensor.Slice[float32](&c.In[0])
			for i, y := 0, tensor.Slice[float32](&c.Out[0]); i < len(x); i++ {
				if x[i] < 0 {
					panic(errors.New("negative"))
				}
				y[i] = x[i]
			}
		},
	}, x)[0]
}

func TestAPanicInAKernelIsAnErrorThatNamesTheOp(t *testing.T) {
	var x, y *tensor.Node
	g, err := tensor.Build(func(g *tensor.Graph) {
		x = tensor.Input(g, tensor.Float32, "x", 2)
		y = tensor.Exp(faulty(x))
	})
	require.NoError(t, err)
	p, err := tensor.Compile(g, tensor.Nodes{y}, tensor.CompileOptions{})
	require.NoError(t, err)
	require.ErrorContains(t, p.Run(), "input x is not bound")
	require.NoError(t, tensor.Bind(p, x, []float32{1, -1}))
	require.EqualError(t, p.Run(), "tensor: instruction 0 (faulty): negative")
	require.NoError(t, tensor.Bind(p, x, []float32{0, 0}))
	require.NoError(t, p.Run(), "the program can run again")
	got, err := tensor.Values[float32](p, y)
	require.NoError(t, err)
	require.Equal(t, []float32{1, 1}, got)

	require.ErrorContains(t, tensor.Bind(p, x, []float64{1, 1}), "input x: got float64, want float32")
	require.ErrorContains(t, tensor.Bind(p, x, []float32{1}), "input x: got 1 elements, want 2")
	_, err = tensor.Values[float64](p, y)
	require.ErrorContains(t, err, "got float64, want float32")
	require.NoError(t, p.Close())
	require.ErrorContains(t, p.Run(), "closed")
	_, err = tensor.Values[float32](p, y)
	require.ErrorContains(t, err, "closed")
}

// A panic on a worker of the pool comes back the same way.
func TestAPanicOnAWorkerIsAnErrorToo(t *testing.T) {
	d := tensor.NewDevice(3)
	defer d.Close()
	body := func(_ *tensor.Call, lo, _, _ int) {
		if lo == 40 {
			panic("chunk 40")
		}
	}
	var y *tensor.Node
	g, err := tensor.Build(func(g *tensor.Graph) {
		x := tensor.Input(g, tensor.Float32, "x", 2)
		y = tensor.Apply(tensor.Spec{Name: "parallel", Out: []tensor.Output{{Shape: tensor.Shape{2}, Dtype: tensor.Float32}},
			Differentiable: []bool{false}, Kernel: func(c *tensor.Call) { c.Parallel(64, 1, body) }}, x)[0]
	})
	require.NoError(t, err)
	p, err := tensor.Compile(g, tensor.Nodes{y}, tensor.CompileOptions{Device: d})
	require.NoError(t, err)
	require.NoError(t, tensor.Bind(p, g.ByName("x")[0], []float32{1, 2}))
	for range 3 {
		require.ErrorContains(t, p.Run(), "(parallel): chunk 40")
	}
}

func TestWatchNaNNamesTheOp(t *testing.T) {
	var x, y *tensor.Node
	g, err := tensor.Build(func(g *tensor.Graph) {
		x = tensor.Input(g, tensor.Float32, "x", 3)
		y = tensor.Exp(tensor.Sqrt(tensor.Scale(x, 2)))
	})
	require.NoError(t, err)
	p, err := tensor.Compile(g, tensor.Nodes{y}, tensor.CompileOptions{Debug: tensor.Debug{WatchNaN: true, Timing: true}})
	require.NoError(t, err)
	require.NoError(t, tensor.Bind(p, x, []float32{1, 4, -1}))
	err = p.Run()
	require.ErrorIs(t, err, tensor.ErrNotFinite)
	require.ErrorContains(t, err, "op sqrt, output 0, element 2")
	require.NoError(t, tensor.Bind(p, x, []float32{1, 4, 1}))
	require.NoError(t, p.Run())
	require.NoError(t, tensor.Bind(p, x, []float32{1, 4, 1e4}))
	require.ErrorContains(t, p.Run(), "op exp", "an infinity counts")
	calls := 0
	for _, op := range p.Timings() {
		calls += op.Calls
	}
	require.Equal(t, 3, calls)
}

func TestOutputsAreCheckedAndMayBeInputs(t *testing.T) {
	var x, hidden, y *tensor.Node
	g, err := tensor.Build(func(g *tensor.Graph) {
		x = tensor.Input(g, tensor.Float32, "x", 2)
		hidden = tensor.Exp(x)
		y = tensor.Log(hidden)
	})
	require.NoError(t, err)
	p, err := tensor.Compile(g, tensor.Nodes{y, x}, tensor.CompileOptions{})
	require.NoError(t, err)
	_, err = tensor.Values[float32](p, x)
	require.ErrorContains(t, err, "not bound")
	require.NoError(t, tensor.Bind(p, x, []float32{1, 2}))
	require.NoError(t, p.RunAll())
	got, err := tensor.Values[float32](p, x)
	require.NoError(t, err)
	require.Equal(t, []float32{1, 2}, got)
	_, err = tensor.Values[float32](p, hidden)
	require.ErrorContains(t, err, "not an output of the program")
	require.InDeltaSlice(t, []float32{1, 2}, y.Value().Data(), 1e-6)
}

// A step of a trainer, all calls of the program included.
func TestATrainingStepAllocatesNothing(t *testing.T) {
	for _, o := range []tensor.CompileOptions{{}, {Arena: &tensor.Arena{}}} {
		m := newModel[float32](t, tiny)
		if o.Arena != nil {
			o.Checkpoints = m.layers
		}
		p := m.training(t, o)
		m.step(t, p)
		tokens, weights := make([]int32, tiny.tokens), make([]float32, tiny.scored)
		live := 0
		require.Zero(t, testing.AllocsPerRun(10, func() {
			live++
			_ = p.SetLive("scored", 10+live%2)
			_ = tensor.Bind(p, m.in["tokens"], tokens)
			_ = tensor.Bind(p, m.in["weights"], weights)
			p.SetRandom(1, uint64(live))
			if p.Run() != nil {
				panic("run failed")
			}
			loss, _ := tensor.Values[float32](p, m.loss)
			_ = loss[0]
		}))
	}
}

func TestProgramsLeaveNoGoroutineBehind(t *testing.T) {
	tensor.DefaultDevice() // its workers live as long as the process
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	d := tensor.NewDevice(4)
	m := newModel[float32](t, tiny)
	for range 5 {
		p := m.training(t, tensor.CompileOptions{Device: d})
		m.step(t, p)
		require.NoError(t, p.Close())
	}
	d.Close()
}

// Programs of several goroutines share parameters and one device; graphs may be
// built at the same time.
func TestConcurrentProgramsGetTheSameResults(t *testing.T) {
	shape := tiny
	m := newModel[float32](t, shape)
	device := tensor.NewDevice(2)
	defer device.Close()
	results := make([]float32, 4)
	var wait sync.WaitGroup
	for i := range results {
		p, err := tensor.Compile(m.g, tensor.Nodes{m.loss}, m.options(tensor.CompileOptions{Device: device}))
		require.NoError(t, err)
		m.bind(t, p)
		wait.Go(func() {
			for range 20 {
				if err := p.Run(); err != nil {
					results[i] = float32(math.NaN())
					return
				}
			}
			loss, _ := tensor.Values[float32](p, m.loss)
			results[i] = loss[0]
		})
		wait.Go(func() {
			newModel[float64](t, modelShape{layers: 1, dim: 4, heads: 1, hidden: 3, vocab: 5, tokens: 4, scored: 4, segments: 2, rank: 1})
		})
	}
	wait.Wait()
	for _, r := range results {
		require.Equal(t, results[0], r)
		require.False(t, math.IsNaN(float64(r)))
	}
}
