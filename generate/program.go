package generate

import (
	"fmt"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// Products of up to thinRows rows sum in an order of their own (see
// internal/kernel, Gemm). So that a sequence's bits do not depend on its company,
// each program stays on one side: a batch or a head either never has more rows,
// or never fewer than wideRows.
const (
	thinRows = 8
	wideRows = thinRows + 1
	// wideSequences is the number of sequences from which decoding computes up to
	// wideGroup of them together. Measured on a 135M model: 32 sequences take 0.65
	// of the time they take in groups of thinRows, 64 take 0.48, 16 take 1.1.
	wideSequences = 24
	wideGroup     = 64
)

// programSize is the most and the least that a batch of a program holds.
type programSize struct {
	tokens, rows           int // capacity
	leastTokens, leastRows int // made up by repetition
}

// sizes are those of the programs for prompts and for decoding.
func (c Config) sizes() (prefill, decode programSize) {
	prefill = programSize{tokens: max(c.Chunk, wideRows), rows: thinRows, leastTokens: wideRows}
	if c.Sequences < wideSequences {
		return prefill, programSize{tokens: thinRows, rows: thinRows}
	}
	return prefill, programSize{wideGroup, wideGroup, wideRows, wideRows}
}

// cache holds the keys and values of every layer, each (Sequences, Context,
// width).
type cache struct {
	sequences, context, width int
	keys, values              [][]float32
}

func newCache(m *model.Config, c Config) *cache {
	k := &cache{sequences: c.Sequences, context: c.Context, width: m.NumKeyValueHeads * m.HeadDim}
	for range m.NumHiddenLayers {
		k.keys = append(k.keys, make([]float32, k.sequences*k.context*k.width))
		k.values = append(k.values, make([]float32, k.sequences*k.context*k.width))
	}
	return k
}

func (k *cache) bytes() int { return 8 * len(k.keys) * k.sequences * k.context * k.width }

// copy copies the first n positions of one sequence to another.
func (k *cache) copy(from, to, n int) error {
	for i := range k.keys {
		for _, layer := range [][]float32{k.keys[i], k.values[i]} {
			if err := tensor.CopyCache(layer, k.sequences, k.context, from, to, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// program computes a batch of tokens against the cache, and the logits of chosen
// rows of it. Its inputs are bound once; a batch fills a leading part of them.
type program struct {
	program *tensor.Program
	logits  *tensor.Node
	vocab   int
	size    programSize

	tokens, positions, slots []int32 // (size.tokens)
	rows                     []int32 // (size.rows)
	n, m                     int     // tokens and rows of the batch
}

// programNodes are the inputs of a program.
type programNodes struct {
	in   *model.Inputs
	rows *tensor.Node
}

func newProgram(gen *Generator, z programSize) (*program, error) {
	p := &program{vocab: gen.model.Config().VocabSize, size: z, rows: make([]int32, z.rows)}
	p.tokens, p.positions, p.slots = make([]int32, z.tokens), make([]int32, z.tokens), make([]int32, z.tokens)
	var n programNodes
	g, err := tensor.Build(func(g *tensor.Graph) {
		n = newProgramNodes(g, gen.cache, z)
		n.in.Adapter = gen.cfg.Adapter
		h := tensor.Gather(gen.model.Hidden(g, n.in), n.rows)
		p.logits = modelLogits(gen.model, n.in, h)
	})
	if err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	if gen.cfg.Arena == nil {
		gen.cfg.Arena = &tensor.Arena{} // shared by the two programs
	}
	p.program, err = tensor.Compile(g, tensor.Nodes{p.logits}, tensor.CompileOptions{Device: gen.cfg.Device, Arena: gen.cfg.Arena, Axes: []tensor.Axis{
		{Name: "tokens", Inputs: tensor.Nodes{n.in.Tokens, n.in.Positions, n.in.Slots}},
		{Name: "rows", Inputs: tensor.Nodes{n.rows}},
	}})
	if err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	return p, p.bind(&n, gen.cache)
}

func newProgramNodes(g *tensor.Graph, k *cache, z programSize) programNodes {
	in := &model.Inputs{
		Tokens:    tensor.Input(g, tensor.Int32, "tokens", z.tokens),
		Positions: tensor.Input(g, tensor.Int32, "positions", z.tokens),
		Slots:     tensor.Input(g, tensor.Int32, "slots", z.tokens),
	}
	for i := range k.keys {
		in.KV = append(in.KV, nn.KV{
			K: tensor.Input(g, tensor.Float32, fmt.Sprintf("cache.%d.k", i), k.sequences, k.context, k.width),
			V: tensor.Input(g, tensor.Float32, fmt.Sprintf("cache.%d.v", i), k.sequences, k.context, k.width),
		})
	}
	return programNodes{in, tensor.Input(g, tensor.Int32, "rows", z.rows)}
}

// modelLogits is the model's own distribution at the hidden states h (M,D) as
// logits (M,V).
func modelLogits(m model.Model, in *model.Inputs, h *tensor.Node) *tensor.Node {
	o := m.Config().LogitOptions()
	x := scaled(m.Output().Forward(in, h), o.LogitScale)
	if c := o.SoftCap; c > 0 {
		x = scaled(tensor.Tanh(scaled(x, 1/c)), c)
	}
	if o.Temperature > 0 {
		x = scaled(x, 1/o.Temperature)
	}
	return x
}

// scaled is x times factor, where 0 stands for 1.
func scaled(x *tensor.Node, factor float64) *tensor.Node {
	if factor == 0 || factor == 1 {
		return x
	}
	return tensor.Scale(x, factor)
}

func (p *program) bind(n *programNodes, k *cache) error {
	for _, b := range []struct {
		node *tensor.Node
		data []int32
	}{{n.in.Tokens, p.tokens}, {n.in.Positions, p.positions}, {n.in.Slots, p.slots}, {n.rows, p.rows}} {
		if err := tensor.Bind(p.program, b.node, b.data); err != nil {
			return err
		}
	}
	for i, kv := range n.in.KV {
		if err := tensor.Bind(p.program, kv.K, k.keys[i]); err != nil {
			return err
		}
		if err := tensor.Bind(p.program, kv.V, k.values[i]); err != nil {
			return err
		}
	}
	return nil
}

// reset begins a new batch.
func (p *program) reset() { p.n, p.m = 0, 0 }

// room is the number of tokens that the batch can still take.
func (p *program) room() int { return p.size.tokens - p.n }

// roomForRows is the number of rows whose logits can still be asked for.
func (p *program) roomForRows() int { return p.size.rows - p.m }

// add puts a token into the batch.
func (p *program) add(id int32, slot, position int) {
	p.tokens[p.n], p.slots[p.n], p.positions[p.n] = id, int32(slot), int32(position)
	p.n++
}

// want asks for the logits of the last token.
func (p *program) want() {
	p.rows[p.m] = int32(p.n - 1)
	p.m++
}

// fill repeats the last token and row until the batch has its least size. A
// repeated token computes the same keys and values again, so it changes nothing.
func (p *program) fill() {
	for last := p.n - 1; p.n < p.size.leastTokens; {
		p.add(p.tokens[last], int(p.slots[last]), int(p.positions[last]))
	}
	for last := p.m - 1; p.m < p.size.leastRows; p.m++ {
		p.rows[p.m] = p.rows[last]
	}
}

// run computes the batch, which must not be empty; the result (M,V) is valid
// until the next run of either program.
func (p *program) run() ([]float32, error) {
	p.fill()
	if err := p.program.SetLive("tokens", p.n); err != nil {
		return nil, err
	}
	if err := p.program.SetLive("rows", p.m); err != nil {
		return nil, err
	}
	if err := p.program.Run(); err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	return tensor.Values[float32](p.program, p.logits)
}
