package auto

import (
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/bnb"
	"github.com/posttrain/posttrain/tensor/safetensors"
)

// Endings of the tensors that bitsandbytes keeps beside a weight.
const (
	stateEnding  = ".quant_state.bitsandbytes__"
	rowScales    = ".SCB"           // of int8, after the module's name
	formatMarker = ".weight_format" // of int8: 0 for row-major, the only one on the CPU
)

// fourBitParts follow the name of a weight in four bits.
var fourBitParts = []string{".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map", stateEnding + string(bnb.NF4), stateEnding + string(bnb.FP4)}

// bnbSource reads a folder that transformers saved with bitsandbytes: quantised
// weights are decoded to float32, all others are the folder's own.
type bnbSource struct{ *folderSource }

// Names lists the weights without what stands beside them.
func (s bnbSource) Names() []string {
	all := s.folderSource.Names()
	known := make(map[string]bool, len(all))
	for _, n := range all {
		known[n] = true
	}
	return slices.DeleteFunc(all, func(n string) bool {
		for _, part := range fourBitParts {
			if weight, ok := strings.CutSuffix(n, part); ok && known[weight] {
				return true
			}
		}
		for _, part := range [...]string{rowScales, formatMarker} {
			if module, ok := strings.CutSuffix(n, part); ok && known[module+".weight"] {
				return true
			}
		}
		return false
	})
}

// Param reads one weight.
func (s bnbSource) Param(name string) (*tensor.Param, error) {
	stored := strings.TrimPrefix(name, s.prefix)
	for _, kind := range [...]bnb.Kind{bnb.NF4, bnb.FP4} {
		state := stored + stateEnding + string(kind)
		if _, err := s.folder.Tensor(state); err == nil {
			return s.fourBits(name, stored, state)
		}
	}
	if module, ok := strings.CutSuffix(stored, ".weight"); ok {
		if scales, err := s.folder.Tensor(module + rowScales); err == nil {
			return s.eightBits(name, stored, scales)
		}
	}
	return s.folderSource.Param(name)
}

// fourBits decodes an NF4 or FP4 weight. The library rounds the result once to the
// type that the weight had before.
func (s bnbSource) fourBits(name, stored, stateName string) (*tensor.Param, error) {
	raw, err := s.bytes(stateName)
	if err != nil {
		return nil, err
	}
	state, err := bnb.ParseState(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", stateName, err)
	}
	four := bnb.Four{Block: state.Block, Len: state.Len()}
	if four.Codes, err = s.bytes(stored); err != nil {
		return nil, err
	}
	if 2*len(four.Codes) != four.Len+four.Len%2 { // before the shape is believed
		return nil, fmt.Errorf("%w: %s: got %d bytes for the shape %v, want half as many as elements", bnb.ErrFormat, name, len(four.Codes), state.Shape)
	}
	code, err := s.floats(stored+".quant_map", len(four.Code))
	if err != nil {
		return nil, err
	}
	copy(four.Code[:], code)
	if four.Absmax, err = s.scales(stored, state); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	data := make([]float32, four.Len)
	if err := four.Float32(data); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return rounded(name, data, state)
}

// rounded is the decoded weight in float32, with the values of the type it had.
func rounded(name string, data []float32, state bnb.State) (*tensor.Param, error) {
	p, err := tensor.NewParam(name, data, state.Shape...)
	if err != nil || state.Dtype == "float32" {
		return p, err
	}
	narrow := tensor.BFloat16
	if state.Dtype == "float16" {
		narrow = tensor.Float16
	}
	if p, err = p.Convert(narrow); err != nil {
		return nil, err
	}
	return p.Convert(tensor.Float32)
}

// scales are the scales of a weight's blocks.
func (s bnbSource) scales(stored string, state bnb.State) ([]float32, error) {
	if state.NestedBlock == 0 {
		return s.floats(stored+".absmax", -1)
	}
	n := bnb.Nested{Block: state.NestedBlock, Offset: state.NestedOffset}
	var err error
	if n.Codes, err = s.bytes(stored + ".absmax"); err != nil {
		return nil, err
	}
	if n.Absmax, err = s.floats(stored+".nested_absmax", -1); err != nil {
		return nil, err
	}
	code, err := s.floats(stored+".nested_quant_map", len(n.Code))
	if err != nil {
		return nil, err
	}
	copy(n.Code[:], code)
	dst := make([]float32, len(n.Codes))
	return dst, n.Float32(dst)
}

// eightBits decodes a weight of LLM.int8().
func (s bnbSource) eightBits(name, stored string, scales safetensors.Tensor) (*tensor.Param, error) {
	t, err := s.folder.Tensor(stored)
	if err != nil {
		return nil, err
	}
	shape := t.Shape()
	if t.Dtype() != safetensors.I8 || len(shape) != 2 || shape[0] != scales.Len() {
		return nil, fmt.Errorf("%w: %s: got %v %v with %d scales, want a matrix of I8 with one a row", bnb.ErrFormat, name, t.Dtype(), shape, scales.Len())
	}
	marker := strings.TrimSuffix(stored, ".weight") + formatMarker
	if _, err := s.folder.Tensor(marker); err == nil {
		if format, err := s.bytes(marker); err != nil || len(format) != 1 || format[0] != 0 {
			return nil, fmt.Errorf("%w: %s: got weight_format %v, want 0 (rows one after the other)", ErrUnsupported, name, format)
		}
	}
	raw, err := t.Bytes()
	if err != nil {
		return nil, err
	}
	e := bnb.Eight{Cols: shape[1], Codes: unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(raw))), len(raw))}
	if e.Absmax, err = scales.Float32(); err != nil {
		return nil, err
	}
	data := make([]float32, len(e.Codes))
	if err := e.Float32(data); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return tensor.NewParam(name, data, shape...)
}

// bytes reads a tensor of bytes.
func (s bnbSource) bytes(stored string) ([]byte, error) {
	t, err := s.folder.Tensor(stored)
	if err != nil {
		return nil, err
	}
	if t.Dtype() != safetensors.U8 {
		return nil, fmt.Errorf("%w: %s is stored as %v, want U8 (bnb_4bit_quant_storage: uint8)", ErrUnsupported, stored, t.Dtype())
	}
	return t.Bytes()
}

// floats reads a tensor of n float32 numbers, of any number for -1.
func (s bnbSource) floats(stored string, n int) ([]float32, error) {
	t, err := s.folder.Tensor(stored)
	if err != nil {
		return nil, err
	}
	if t.Dtype() != safetensors.F32 || n >= 0 && t.Len() != n {
		want := "F32"
		if n >= 0 {
			want = fmt.Sprintf("%d of F32", n)
		}
		return nil, fmt.Errorf("%w: %s: got %d elements of %v, want %s", bnb.ErrFormat, stored, t.Len(), t.Dtype(), want)
	}
	return t.Float32()
}
