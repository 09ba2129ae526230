package tensor_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/require"
)

// However a program is planned, it computes the same bits.
func TestPlansDoNotChangeResults(t *testing.T) {
	for _, full := range []bool{false, true} {
		shape := tiny
		shape.full, shape.noise = full, true
		m := newModel[float32](t, shape)
		want := m.step(t, m.training(t, tensor.CompileOptions{Debug: tensor.Debug{NoReuse: true, NoInPlace: true, Poison: true}}))
		require.NotZero(t, want[0][0])
		for name, o := range map[string]tensor.CompileOptions{
			"planned":                    {},
			"poisoned":                   {Debug: tensor.Debug{Poison: true}},
			"not in place":               {Debug: tensor.Debug{NoInPlace: true, Poison: true}},
			"recomputed":                 {Checkpoints: m.layers, Debug: tensor.Debug{Poison: true}},
			"recomputed, not in place":   {Checkpoints: m.layers, Debug: tensor.Debug{Poison: true, NoInPlace: true}},
			"recomputed without reuse":   {Checkpoints: m.layers, Debug: tensor.Debug{Poison: true, NoReuse: true}},
			"recomputed in two segments": {Checkpoints: m.layers[1:2], Debug: tensor.Debug{Poison: true}},
		} {
			p := m.training(t, o)
			require.Equal(t, want, m.step(t, p), name)
			require.Equal(t, want, m.step(t, p), name+", second run")
		}
	}
}

func TestRecomputationSavesMemory(t *testing.T) {
	shape := tiny
	shape.layers, shape.tokens = 8, 64
	m := newModel[float32](t, shape)
	kept := m.training(t, tensor.CompileOptions{})
	again := m.training(t, tensor.CompileOptions{Checkpoints: m.layers})
	require.Zero(t, kept.Plan().Recomputed)
	require.NotZero(t, again.Plan().Recomputed)
	require.Less(t, again.Plan().Arena, kept.Plan().Arena/2)
	require.Less(t, kept.Plan().Arena, kept.Plan().Sum)
	require.NotZero(t, kept.Plan().InPlace)
	// The planner stays close to what is live at once.
	require.LessOrEqual(t, float64(kept.Plan().Arena), 1.1*float64(kept.Plan().MaxLive))

	products := 0
	for _, name := range again.Nodes() {
		if name == "linear_lora" {
			products++
		}
	}
	require.Equal(t, 7*(2*shape.layers-1), products, "all layers but the last are run again")
}

func TestDryPlanIsWhatIsAllocated(t *testing.T) {
	m := newModel[float32](t, tiny)
	for _, o := range []tensor.CompileOptions{{}, {Checkpoints: m.layers}, {Debug: tensor.Debug{NoReuse: true}}} {
		o = m.options(o)
		o.Accumulate = m.grads
		plan, err := tensor.DryPlan(m.g, tensor.Nodes{m.loss}, o)
		require.NoError(t, err)
		o.Arena = &tensor.Arena{}
		p, err := tensor.Compile(m.g, tensor.Nodes{m.loss}, o)
		require.NoError(t, err)
		require.Equal(t, plan, p.Plan())
		require.Equal(t, plan.Arena, o.Arena.Bytes())
		parameters, gradients := 0, 0
		for _, q := range m.params {
			parameters += q.Bytes()
			gradients += 4 * len(q.Grad())
		}
		require.Equal(t, parameters, plan.Parameters)
		require.Equal(t, gradients, plan.Gradients)
		s := tiny
		require.Equal(t, 4*(2*s.tokens+s.segments+3*s.scored+1), plan.Inputs)
		require.Equal(t, plan.Arena+parameters+gradients+plan.Inputs, plan.Total())
	}
}

func TestDryPlanAllocatesNoArena(t *testing.T) {
	var y *tensor.Node
	g, err := tensor.Build(func(g *tensor.Graph) {
		x := tensor.Input(g, tensor.Float32, "x", 1<<15, 1<<15)
		y = tensor.Exp(tensor.Exp(x))
	})
	require.NoError(t, err)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	plan, err := tensor.DryPlan(g, tensor.Nodes{y}, tensor.CompileOptions{})
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.Equal(t, 4<<30, plan.Arena)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
	require.True(t, strings.HasPrefix(plan.String(), "8192.0 MiB: parameters 0.0, gradients 0.0, inputs 4096.0, arena 4096.0"), plan.String())
}

func ExampleDryPlan() {
	var loss *tensor.Node
	g, err := tensor.Build(func(g *tensor.Graph) {
		x := tensor.Input(g, tensor.Float32, "x", 4096, 1024)
		w := tensor.Input(g, tensor.Float32, "w", 1024, 1024)
		loss = tensor.Sum(tensor.Square(tensor.Linear(x, w, nil)))
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := tensor.DryPlan(g, tensor.Nodes{loss}, tensor.CompileOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(plan)
	// Output:
	// 36.0 MiB: parameters 0.0, gradients 0.0, inputs 20.0, arena 16.0 (at least 16.0, 16.0 without reuse); 3 instructions, 1 in place, 0 recomputed
}
