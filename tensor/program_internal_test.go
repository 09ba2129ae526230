package tensor

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// chain is a graph of so many element-wise ops that nothing is merged in place.
func chain(t testing.TB, n int) *Program {
	t.Helper()
	var y *Node
	g, err := Build(func(g *Graph) {
		y = Input(g, Float32, "x", 4)
		for range n {
			y = Exp(y)
		}
	})
	require.NoError(t, err)
	p, err := Compile(g, Nodes{y}, CompileOptions{})
	require.NoError(t, err)
	require.NoError(t, Bind(p, g.ByName("x")[0], make([]float32, 4)))
	return p
}

// hollow replaces all kernels by nothing, so that what is left is the executor.
func hollow(p *Program) {
	for i := range p.ins {
		p.ins[i].kernel = func(*Call) {}
	}
}

// BenchmarkDispatch measures the executor itself: nanoseconds an instruction
// with empty kernels. A training step of a 24-layer model has some 1,000
// instructions and takes seconds; the executor's share is ns·1000.
func BenchmarkDispatch(b *testing.B) {
	for _, n := range []int{200, 1000, 4000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := chain(b, n)
			hollow(p)
			require.NoError(b, p.Run())
			b.ReportAllocs()
			for b.Loop() {
				_ = p.Run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/instruction")
		})
	}
}

// dispatchLimit is what an instruction may cost besides its kernel: a training
// step of 1,000 instructions then spends 0.2 ms in the executor, 1 % of 20 ms,
// and takes seconds. Measured: 2 to 3 ns.
const dispatchLimit = 200 // ns

func TestExecutorOverheadIsSmall(t *testing.T) {
	const n = 1000
	p := chain(t, n)
	hollow(p)
	require.NoError(t, p.Run())
	r := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			_ = p.Run()
		}
	})
	require.Less(t, float64(r.NsPerOp())/n, float64(dispatchLimit))
	require.Zero(t, r.AllocsPerOp())
}

// Of an op that is run again, only what is needed is computed: here the
// low-rank part of a product whose result is not.
func TestRecomputationSkipsUnreadOutputs(t *testing.T) {
	params := map[string]*Param{}
	var checkpoints Nodes
	var acc []Accumulation
	var loss *Node
	g, err := Build(func(g *Graph) {
		x := Input(g, Float32, "x", 4, 4)
		var wrt Nodes
		var into []*Param
		for _, layer := range []string{"0", "1"} {
			node := map[string]*Node{}
			for name, shape := range map[string][]int{"w": {4, 4}, "a": {2, 4}, "b": {4, 2}} {
				p, err := NewParam(layer+name, make([]float32, elements(shape)), shape...)
				require.NoError(t, err)
				if name != "w" {
					require.NoError(t, p.SetTrainable(true))
				}
				params[p.Name()], node[name] = p, p.Node(g)
				if p.Trainable() {
					wrt, into = append(wrt, node[name]), append(into, p)
				}
			}
			x = Add(x, LinearLoRA(Exp(x), node["w"], nil, node["a"], node["b"], LoRAOptions{Scale: 1}))
			checkpoints = append(checkpoints, x)
		}
		loss = Sum(x)
		for i, parts := range Gradients(Nodes{loss}, Nodes{Input(g, Float32, "seed", 1)}, wrt) {
			acc = append(acc, Accumulation{parts[0], into[i]})
		}
	})
	require.NoError(t, err)
	p, err := Compile(g, Nodes{loss}, CompileOptions{Accumulate: acc, Checkpoints: checkpoints})
	require.NoError(t, err)
	again := 0
	for i := range p.ins {
		in := &p.ins[i]
		if in.again && in.name == "linear_lora" {
			again++
			require.False(t, in.call.Out[0].Wanted(), "the product itself")
			require.True(t, in.call.Out[1].Wanted(), "its low-rank part")
		}
	}
	require.Equal(t, 1, again)
	require.Equal(t, 2, p.Plan().Recomputed, "exp and the low-rank part of the first layer")
}
