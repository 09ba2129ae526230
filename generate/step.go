package generate

import (
	"fmt"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// stepProgram computes one batch of tokens against the cache and the logits of
// chosen rows. The same program serves prompts and single tokens.
type stepProgram struct {
	program  *tensor.Program
	capacity int
	batch    stepBatch
	logits   *tensor.Node
	inputs   struct{ tokens, positions, slots, rows *tensor.Node }
	cache    []layerCache
}

// layerCache is the memory of one layer's keys and values.
type layerCache struct{ k, v []float32 }

// stepBatch is the input of one step. N tokens, M rows with logits.
type stepBatch struct {
	tokens, positions, slots []int32 // (N)
	rows                     []int32 // (M)
}

func (b *stepBatch) reset() {
	b.tokens, b.positions, b.slots, b.rows = b.tokens[:0], b.positions[:0], b.slots[:0], b.rows[:0]
}

func (b *stepBatch) add(id int32, slot, position int) {
	b.tokens = append(b.tokens, id)
	b.slots = append(b.slots, int32(slot))
	b.positions = append(b.positions, int32(position))
}

func newStepProgram(m model.Model, c Config) (*stepProgram, error) {
	s := &stepProgram{capacity: max(c.Chunk, c.Sequences)}
	cfg := m.Config()
	width := cfg.NumKeyValueHeads * cfg.HeadDim
	var caches []nn.KV
	g, err := tensor.Build(func(g *tensor.Graph) {
		in := &model.Inputs{Adapter: c.Adapter}
		in.Tokens = tensor.Input(g, tensor.Int32, "tokens", s.capacity)
		in.Positions = tensor.Input(g, tensor.Int32, "positions", s.capacity)
		in.Slots = tensor.Input(g, tensor.Int32, "slots", s.capacity)
		rows := tensor.Input(g, tensor.Int32, "rows", c.Sequences)
		for i := range cfg.NumHiddenLayers {
			in.KV = append(in.KV, nn.KV{
				K: tensor.Input(g, tensor.Float32, fmt.Sprintf("cache.%d.k", i), c.Sequences, c.Context, width),
				V: tensor.Input(g, tensor.Float32, fmt.Sprintf("cache.%d.v", i), c.Sequences, c.Context, width),
			})
		}
		caches = in.KV
		h := tensor.Gather(m.Hidden(g, in), rows)
		s.logits = tensor.Linear(h, m.Head().Node(g), nil)
		if cap := cfg.FinalSoftCap; cap > 0 {
			s.logits = tensor.Scale(tensor.Tanh(tensor.Scale(s.logits, 1/cap)), cap)
		}
		s.inputs.tokens, s.inputs.positions, s.inputs.slots, s.inputs.rows = in.Tokens, in.Positions, in.Slots, rows
	})
	if err != nil {
		return nil, err
	}
	in := &s.inputs
	s.program, err = tensor.Compile(g, tensor.Nodes{s.logits}, tensor.CompileOptions{Device: c.Device, Arena: c.Arena, Axes: []tensor.Axis{
		{Name: "tokens", Inputs: tensor.Nodes{in.tokens, in.positions, in.slots}},
		{Name: "rows", Inputs: tensor.Nodes{in.rows}},
	}})
	if err != nil {
		return nil, err
	}
	for _, kv := range caches {
		l := layerCache{make([]float32, c.Sequences*c.Context*width), make([]float32, c.Sequences*c.Context*width)}
		if err := tensor.Bind(s.program, kv.K, l.k); err != nil {
			return nil, err
		}
		if err := tensor.Bind(s.program, kv.V, l.v); err != nil {
			return nil, err
		}
		s.cache = append(s.cache, l)
	}
	return s, nil
}

// run computes the batch; the result (M,V) is valid until the next run.
func (s *stepProgram) run() ([]float32, error) {
	b := &s.batch
	if err := s.program.SetLive("tokens", len(b.tokens)); err != nil {
		return nil, err
	}
	if err := s.program.SetLive("rows", len(b.rows)); err != nil {
		return nil, err
	}
	for _, in := range []struct {
		n *tensor.Node
		v []int32
	}{{s.inputs.tokens, b.tokens}, {s.inputs.positions, b.positions}, {s.inputs.slots, b.slots}, {s.inputs.rows, b.rows}} {
		if err := tensor.Bind(s.program, in.n, in.v); err != nil {
			return nil, err
		}
	}
	if err := s.program.Run(); err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	return tensor.Values[float32](s.program, s.logits)
}

func (s *stepProgram) close() error {
	s.cache = nil
	return s.program.Close()
}
