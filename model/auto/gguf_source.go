package auto

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/gguf"
)

// blockNames are the usual names inside a block, the folder's and the file's.
var blockNames = [][2]string{
	{"input_layernorm", "attn_norm"},
	{"self_attn.q_proj", "attn_q"},
	{"self_attn.k_proj", "attn_k"},
	{"self_attn.v_proj", "attn_v"},
	{"self_attn.o_proj", "attn_output"},
	{"self_attn.q_norm", "attn_q_norm"},
	{"self_attn.k_norm", "attn_k_norm"},
	{"post_attention_layernorm", "ffn_norm"},
	{"mlp.gate_proj", "ffn_gate"},
	{"mlp.up_proj", "ffn_up"},
	{"mlp.down_proj", "ffn_down"},
}

// outerNames are the names outside of blocks.
var outerNames = [][2]string{
	{"model.embed_tokens", "token_embd"},
	{"model.norm", "output_norm"},
	{"lm_head", "output"},
}

// ropeDivisors is the one tensor that is configuration rather than weight.
const ropeDivisors = "rope_freqs.weight"

// ggufSource reads weights from a GGUF file under the folder's names, in the
// folder's order.
type ggufSource struct {
	file   *gguf.File
	layout *model.GGUF
	config *model.Config
	dtype  tensor.Dtype // what the loader wants in the end; zero for any
	stored map[string]string
	names  []string
}

// newGGUFSource lists the file's tensors under the folder's names. A tensor with
// an unknown name keeps it, so that the loader reports it as not used.
func newGGUFSource(f *gguf.File, layout *model.GGUF, c *model.Config, dt tensor.Dtype) *ggufSource {
	s := &ggufSource{file: f, layout: layout, config: c, dtype: dt, stored: map[string]string{}}
	inBlock, outside := folderNames(blockNames, layout.Names), folderNames(outerNames, layout.Outer)
	blocks := cmp.Or(layout.Blocks, "model.layers")
	for name := range f.Tensors() {
		if name == ropeDivisors {
			continue
		}
		hf := folderName(name, blocks, inBlock, outside)
		s.names = append(s.names, hf)
		s.stored[hf] = name
	}
	return s
}

// folderNames maps names of the file to those of the folder: the usual ones, and
// what a family replaces.
func folderNames(usual [][2]string, own map[string]string) map[string]string {
	folder := map[string]string{}
	for _, n := range usual {
		folder[n[1]] = n[0]
	}
	for hf, name := range own {
		folder[name] = hf
	}
	return folder
}

// folderName translates blk.3.attn_q.weight to
// model.layers.3.self_attn.q_proj.weight.
func folderName(name, blocks string, inBlock, outside map[string]string) string {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return name
	}
	stem, kind := name[:dot], name[dot:]
	if hf := outside[stem]; hf != "" {
		return hf + kind
	}
	rest, ok := strings.CutPrefix(stem, "blk.")
	number, part, found := strings.Cut(rest, ".")
	if i, err := strconv.Atoi(number); !ok || !found || err != nil || strconv.Itoa(i) != number || inBlock[part] == "" {
		return name
	}
	return blocks + "." + number + "." + inBlock[part] + kind
}

// Names lists the tensors by the folder's names.
func (s *ggufSource) Names() []string { return s.names }

// Param reads one tensor, decoded where it is quantised.
func (s *ggufSource) Param(name string) (*tensor.Param, error) {
	t, err := s.file.Tensor(s.stored[name])
	if err != nil {
		return nil, err
	}
	if !t.Type().Decodes() {
		return nil, fmt.Errorf("%w: %s: %s (%s) is stored as %v, which cannot be decoded", ErrUnsupported, s.file.Name(), t.Name(), name, t.Type())
	}
	keep := s.dtype == (tensor.Dtype{}) // a quantised tensor becomes float32
	var p *tensor.Param
	switch {
	case len(t.Shape()) < 2 || s.dtype == tensor.Float32 || s.dtype == tensor.Float64:
		p, err = decode(t, name)
	case t.Type() == gguf.BF16 && keep || s.dtype == tensor.BFloat16:
		p, err = narrow[tensor.BF16](t, name, tensor.BFloat16)
	case t.Type() == gguf.F16 && keep || s.dtype == tensor.Float16:
		p, err = narrow[tensor.F16](t, name, tensor.Float16)
	default:
		p, err = decode(t, name)
	}
	if err != nil {
		return nil, err
	}
	if s.transposed(name) {
		return transpose(p)
	}
	return p, s.restore(p)
}

// transposed says whether the folder has a matrix the other way round.
func (s *ggufSource) transposed(name string) bool {
	module, ok := strings.CutSuffix(name, ".weight")
	return ok && slices.ContainsFunc(s.layout.Transposed, func(n string) bool { return strings.HasSuffix(module, "."+n) })
}

// decode reads a tensor as float32.
func decode(t gguf.Tensor, name string) (*tensor.Param, error) {
	data, err := t.Float32()
	if err != nil {
		return nil, err
	}
	return tensor.NewParam(name, data, t.Shape()...)
}

// narrow reads a tensor as 16-bit numbers, some rows at a time, so that no
// float32 copy of it exists. Numbers that are stored in that type come out bit
// for bit.
func narrow[T tensor.BF16 | tensor.F16](t gguf.Tensor, name string, dt tensor.Dtype) (*tensor.Param, error) {
	data := make([]T, t.Len())
	cols := t.Shape()[len(t.Shape())-1]
	rows := max(1, (1<<20)/max(1, cols))
	buf := make([]float32, min(rows, t.Rows())*cols)
	for first := 0; first < t.Rows(); first += rows {
		part := buf[:min(rows, t.Rows()-first)*cols]
		if err := t.ReadRows(part, first); err != nil {
			return nil, err
		}
		wide, err := tensor.NewParam(name, part, len(part))
		if err != nil {
			return nil, err
		}
		small, err := wide.Convert(dt)
		if err != nil {
			return nil, err
		}
		for i, x := range small.Data16() {
			data[first*cols+i] = T(x)
		}
	}
	return tensor.NewParam(name, data, t.Shape()...)
}

// restore undoes what llama.cpp's converter did to the numbers.
func (s *ggufSource) restore(p *tensor.Param) error {
	module := p.Name()[:strings.LastIndexByte(p.Name(), '.')]
	if s.layout.NormOffset != 0 && strings.HasSuffix(module, "norm") {
		if p.Data() == nil {
			return fmt.Errorf("%w: %s: norm weight %s is not float32", ErrUnsupported, s.file.Name(), p.Name())
		}
		for i := range p.Data() {
			p.Data()[i] -= s.layout.NormOffset
		}
	}
	if !s.layout.PairedQK {
		return nil
	}
	switch {
	case strings.HasSuffix(module, ".q_proj"):
		return unpair(p, s.config.NumAttentionHeads)
	case strings.HasSuffix(module, ".k_proj"):
		return unpair(p, s.config.NumKeyValueHeads)
	}
	return nil
}

// unpair brings the rows of each head back from neighbours to halves: row 2i of
// the file is row i of the folder, row 2i+1 is row d/2+i.
func unpair(p *tensor.Param, heads int) error {
	rows := p.Shape()[0]
	if rows == 0 || rows%(2*heads) != 0 {
		return fmt.Errorf("%w: %s has %d rows, want a multiple of twice %d heads", model.ErrBadWeight, p.Name(), rows, heads)
	}
	cols := p.Len() / rows
	if p.Data() != nil {
		swapRows(p.Data(), rows/heads, cols)
		return nil
	}
	swapRows(p.Data16(), rows/heads, cols)
	return nil
}

// swapRows reorders the d rows of each head.
func swapRows[T any](data []T, d, cols int) {
	head := make([]T, d*cols)
	for ; len(data) > 0; data = data[len(head):] {
		copy(head, data)
		for i := range d / 2 {
			copy(data[i*cols:(i+1)*cols], head[2*i*cols:])
			copy(data[(d/2+i)*cols:(d/2+i+1)*cols], head[(2*i+1)*cols:])
		}
	}
}
