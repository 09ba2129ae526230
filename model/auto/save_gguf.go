package auto

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/gguf"
)

// GGUFOptions control SaveGGUF. The zero value writes float32, which is exact.
type GGUFOptions struct {
	// Type is the type of matrices: F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1
	// or Q2_K to Q6_K. Vectors are always F32.
	Type gguf.Type
	// TypeOf chooses for each matrix by its name in the file, such as
	// "token_embd.weight" or "blk.0.ffn_down.weight", instead of Type; nil: Type
	// for all.
	TypeOf func(name string) gguf.Type
	// Name is general.name; "": the file's name without its end.
	Name string
}

// GGUFTensor tells what became of one weight.
type GGUFTensor struct {
	Name string    // in the file
	Type gguf.Type // as it was stored
	Loss gguf.Loss // against the weight in memory
}

// writable are the architectures that SaveGGUF knows the converter's rules of.
var writable = []string{"llama", "qwen2", "qwen3", "gemma3"}

// SaveGGUF writes c as one GGUF file for llama.cpp, with its tokenizer and chat
// template, and reports how far each weight moved. Architectures: llama, qwen2,
// qwen3 and gemma3. A matrix whose rows are no multiple of a K type's block takes
// Q8_0 (Q6_K), Q5_1 (Q5_K), Q5_0 (Q4_K) or Q4_0 (Q2_K, Q3_K) instead, and F16 where
// rows are no multiple of 32 either; the report tells.
//
// The file appears under its name only when it is complete and was read back: a
// model or tokenizer that the format cannot express is refused with an error that
// wraps ErrUnsupported.
func SaveGGUF(path string, c *Checkpoint, o GGUFOptions) ([]GGUFTensor, error) {
	report, err := saveGGUF(path, c, o)
	if err != nil {
		return nil, fmt.Errorf("auto: save %s: %w", path, err)
	}
	return report, nil
}

func saveGGUF(path string, c *Checkpoint, o GGUFOptions) (report []GGUFTensor, err error) {
	g, err := c.ggufWriter(o)
	if err != nil {
		return nil, err
	}
	if g.o.Name == "" {
		g.o.Name = strings.TrimSuffix(filepath.Base(path), ".gguf")
	}
	meta, err := g.metadata()
	if err != nil {
		return nil, err
	}
	if c.Tokenizer != nil {
		words, err := g.tokenizer()
		if err != nil {
			return nil, err
		}
		meta = append(meta, words...)
	}
	// In a folder of its own until it was read back.
	dir, err := os.MkdirTemp(filepath.Dir(filepath.Clean(path)), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	scratch := filepath.Join(dir, filepath.Base(path))
	if report, err = g.write(scratch, meta); err != nil {
		return nil, err
	}
	if err := g.verify(scratch); err != nil {
		return nil, err
	}
	if err := os.Rename(scratch, path); err != nil {
		return nil, err
	}
	return report, syncFolder(filepath.Dir(filepath.Clean(path)))
}

// ggufWriter writes one checkpoint.
type ggufWriter struct {
	c      *Checkpoint
	layout *model.GGUF
	o      GGUFOptions
}

// ggufWriter prepares writing, for checkpoints whose rules are known.
func (c *Checkpoint) ggufWriter(o GGUFOptions) (*ggufWriter, error) {
	layout := c.Family.GGUF
	if c.Head != nil {
		return nil, fmt.Errorf("%w: a %v head in a GGUF file, want a language model", ErrUnsupported, c.Head.Kind)
	}
	if err := c.checkHead(); err != nil {
		return nil, err
	}
	if layout == nil || !slices.Contains(writable, layout.Architecture) {
		return nil, fmt.Errorf("%w: GGUF files of model_type %q, want one of architecture %s", ErrUnsupported, c.Family.ModelType, strings.Join(writable, ", "))
	}
	return &ggufWriter{c: c, layout: layout, o: o}, nil
}

// write writes the weights.
func (g *ggufWriter) write(path string, meta []gguf.Pair) (report []GGUFTensor, err error) {
	var infos []gguf.Info
	divisors, err := g.divisors()
	if err != nil {
		return nil, err
	}
	if divisors != nil {
		infos = append(infos, gguf.Info{Name: ropeDivisors, Type: gguf.F32, Shape: []int{len(divisors)}})
	}
	for name, p := range g.c.Model.Params() {
		stored, err := g.storedName(name)
		if err != nil {
			return nil, err
		}
		infos = append(infos, gguf.Info{Name: stored, Type: g.typeOf(stored, p.Shape()), Shape: p.Shape()})
	}
	w, err := gguf.Create(path, meta, infos)
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	if divisors != nil {
		if _, err := w.WriteFloat32(ropeDivisors, divisors); err != nil {
			return nil, err
		}
		infos = infos[1:]
	}
	i := 0
	for name, p := range g.c.Model.Params() {
		info := infos[i]
		i++
		values, err := g.stored(name, p)
		if err != nil {
			return nil, err
		}
		loss, err := w.WriteFloat32(info.Name, values)
		if err != nil {
			return nil, err
		}
		report = append(report, GGUFTensor{Name: info.Name, Type: info.Type, Loss: loss})
	}
	return report, w.Close()
}

// storedName translates model.layers.3.self_attn.q_proj.weight to
// blk.3.attn_q.weight.
func (g *ggufWriter) storedName(name string) (string, error) {
	dot := strings.LastIndexByte(name, '.')
	stem, kind := name[:max(0, dot)], name[max(0, dot):]
	for _, n := range outerNames {
		if stem == n[0] {
			return n[1] + kind, nil
		}
	}
	if rest, ok := strings.CutPrefix(stem, "model.layers."); ok {
		number, part, _ := strings.Cut(rest, ".")
		if stored, ok := g.layout.Names[part]; ok {
			return "blk." + number + "." + stored + kind, nil
		}
		for _, n := range blockNames {
			if part == n[0] {
				return "blk." + number + "." + n[1] + kind, nil
			}
		}
	}
	return "", fmt.Errorf("%w: GGUF files have no place for the weight %s", ErrUnsupported, name)
}

// instead are the types for rows that are no multiple of 256.
var instead = map[gguf.Type]gguf.Type{
	gguf.Q2_K: gguf.Q4_0, gguf.Q3_K: gguf.Q4_0, gguf.Q4_K: gguf.Q5_0, gguf.Q5_K: gguf.Q5_1, gguf.Q6_K: gguf.Q8_0,
}

// typeOf is the type of a weight in the file.
func (g *ggufWriter) typeOf(name string, shape []int) gguf.Type {
	if len(shape) < 2 {
		return gguf.F32
	}
	t := g.o.Type
	if g.o.TypeOf != nil {
		t = g.o.TypeOf(name)
	}
	row := shape[len(shape)-1]
	if other, ok := instead[t]; ok && row%t.BlockLen() != 0 {
		t = other
	}
	if n := t.BlockLen(); n > 1 && row%n != 0 {
		t = gguf.F16
	}
	return t
}

// stored is a weight as the file has it, in float32: with the converter's offset
// of norms and its order of rows. It does not change the weight itself.
func (g *ggufWriter) stored(name string, p *tensor.Param) ([]float32, error) {
	wide, err := p.Convert(tensor.Float32)
	if err != nil {
		return nil, err
	}
	values := wide.Data()
	module := name[:strings.LastIndexByte(name, '.')]
	config := g.c.Model.Config()
	switch {
	case g.layout.NormOffset != 0 && strings.HasSuffix(module, "norm"):
		values = slices.Clone(values)
		for i := range values {
			values[i] += g.layout.NormOffset
		}
	case g.layout.PairedQK && strings.HasSuffix(module, ".q_proj"):
		return pair(name, values, p.Shape()[0], config.NumAttentionHeads)
	case g.layout.PairedQK && strings.HasSuffix(module, ".k_proj"):
		return pair(name, values, p.Shape()[0], config.NumKeyValueHeads)
	}
	return values, nil
}

// pair is unpair the other way round: row i of each head of d rows becomes row
// 2i, row d/2+i becomes row 2i+1.
func pair(name string, values []float32, rows, heads int) ([]float32, error) {
	if rows == 0 || rows%(2*heads) != 0 {
		return nil, fmt.Errorf("%w: %s has %d rows, want a multiple of twice %d heads", model.ErrBadWeight, name, rows, heads)
	}
	cols, d := len(values)/rows, rows/heads
	out := make([]float32, len(values))
	for head := range heads {
		from, to := values[head*d*cols:][:d*cols], out[head*d*cols:][:d*cols]
		for i := range d / 2 {
			copy(to[2*i*cols:][:cols], from[i*cols:])
			copy(to[(2*i+1)*cols:][:cols], from[(d/2+i)*cols:])
		}
	}
	return out, nil
}
