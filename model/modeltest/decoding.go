package modeltest

import (
	"fmt"
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/require"
)

// cachedDecoding wants a prompt computed at once, and then token by token, with
// several sequences in one cache, to give the hidden states of the full pass.
func (s *suite) cachedDecoding(t *testing.T) {
	m := s.tiny(t, tensor.Float64)
	if lengthDependent(m) {
		t.Skip("keys in the cache keep the angles of the length at which they were written")
	}
	all := rows(m, 14, 10)
	full := compute(t, m, all, PassOptions{})
	d := newDecoder(t, m, len(all), 20)
	prompts := []int{6, 3}
	var batch []place
	for i, n := range prompts {
		for p := range n {
			batch = append(batch, place{slot: i, position: p, id: all[i][p]})
		}
	}
	check := func(batch []place) {
		got := d.step(batch)
		width := len(got) / len(batch)
		for k, b := range batch {
			want := full.Row(full.Hidden, b.slot)[b.position*width : (b.position+1)*width]
			near(t, want, got[k*width:(k+1)*width], "sequence %d, position %d", b.slot, b.position)
		}
	}
	check(batch)
	for n := 0; ; n++ {
		batch = batch[:0]
		for i := range all {
			if p := prompts[i] + n; p < len(all[i]) {
				batch = append(batch, place{slot: i, position: p, id: all[i][p]})
			}
		}
		if len(batch) == 0 {
			return
		}
		check(batch)
	}
}

// place is one token of a cached step.
type place struct {
	slot, position int
	id             int32
}

// decoder runs cached steps of a float64 model.
type decoder struct {
	t                        *testing.T
	program                  *tensor.Program
	tokens, positions, slots *tensor.Node
	hidden                   *tensor.Node
}

// stepCapacity is more than the longest prompts of a test together.
const stepCapacity = 16

func newDecoder(t *testing.T, m model.Model, slots, context int) *decoder {
	t.Helper()
	d := &decoder{t: t}
	var kv []nn.KV
	width := m.Config().NumKeyValueHeads * m.Config().HeadDim
	g, err := tensor.Build(func(g *tensor.Graph) {
		d.tokens = tensor.Input(g, tensor.Int32, "tokens", stepCapacity)
		d.positions = tensor.Input(g, tensor.Int32, "positions", stepCapacity)
		d.slots = tensor.Input(g, tensor.Int32, "slots", stepCapacity)
		for i := range m.Config().NumHiddenLayers {
			kv = append(kv, nn.KV{
				K: tensor.Input(g, tensor.Float64, fmt.Sprintf("k%d", i), slots, context, width),
				V: tensor.Input(g, tensor.Float64, fmt.Sprintf("v%d", i), slots, context, width),
			})
		}
		d.hidden = m.Hidden(g, &model.Inputs{Tokens: d.tokens, Positions: d.positions, Slots: d.slots, KV: kv})
	})
	require.NoError(t, err)
	d.program, err = tensor.Compile(g, tensor.Nodes{d.hidden}, tensor.CompileOptions{
		Axes: []tensor.Axis{{Name: "tokens", Inputs: tensor.Nodes{d.tokens, d.positions, d.slots}}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.program.Close()) })
	for _, c := range kv {
		for _, n := range []*tensor.Node{c.K, c.V} {
			require.NoError(t, tensor.Bind(d.program, n, make([]float64, slots*context*width)))
		}
	}
	return d
}

// step runs one batch and returns its hidden states.
func (d *decoder) step(batch []place) []float64 {
	d.t.Helper()
	tokens, positions, slots := make([]int32, stepCapacity), make([]int32, stepCapacity), make([]int32, stepCapacity)
	for i, b := range batch {
		tokens[i], positions[i], slots[i] = b.id, int32(b.position), int32(b.slot)
	}
	for _, in := range []struct {
		n    *tensor.Node
		data []int32
	}{{d.tokens, tokens}, {d.positions, positions}, {d.slots, slots}} {
		require.NoError(d.t, tensor.Bind(d.program, in.n, in.data))
	}
	require.NoError(d.t, d.program.SetLive("tokens", len(batch)))
	require.NoError(d.t, d.program.Run())
	h, err := tensor.Values[float64](d.program, d.hidden)
	require.NoError(d.t, err)
	return h
}
