package train

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/posttrain/posttrain/tensor/safetensors"
)

// saveMoments writes the state of an optimizer. The file appears complete and
// synced, or not at all.
func saveMoments(path string, state []StateTensor) error {
	infos := make([]safetensors.Info, len(state))
	for i, s := range state {
		infos[i] = safetensors.Info{Name: s.Name, Dtype: s.dtype(), Shape: s.Shape}
	}
	w, err := safetensors.Create(path, infos, map[string]string{"format": "pt"})
	if err != nil {
		return err
	}
	defer w.Abort() // does nothing after Close
	for _, s := range state {
		switch {
		case s.U8 != nil:
			err = w.Write(s.Name, s.U8)
		case s.F64 != nil:
			err = w.Write(s.Name, encode64(s.F64))
		default:
			err = w.WriteFloat32(s.Name, s.F32)
		}
		if err != nil {
			return err
		}
	}
	return w.Close()
}

func encode64(values []float64) []byte {
	raw := make([]byte, 0, 8*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(v))
	}
	return raw
}

func (s *StateTensor) dtype() safetensors.Dtype {
	switch {
	case s.U8 != nil:
		return safetensors.U8
	case s.F64 != nil:
		return safetensors.F64
	}
	return safetensors.F32
}

// loadMoments restores what saveMoments wrote, bit for bit. The file must hold
// exactly the tensors of state.
func loadMoments(path string, state []StateTensor) error {
	file, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if n := file.Len(); n != len(state) {
		return fmt.Errorf("%s: got %d tensors, want the optimizer's %d", path, n, len(state))
	}
	for _, s := range state {
		x, err := file.Tensor(s.Name)
		if err != nil {
			return err
		}
		if x.Dtype() != s.dtype() || !slices.Equal(x.Shape(), s.Shape) {
			return fmt.Errorf("%s: tensor %s: got %s %d, want %s %d", path, s.Name, x.Dtype(), x.Shape(), s.dtype(), s.Shape)
		}
		if err := readMoment(x, &s); err != nil {
			return err
		}
	}
	return nil
}

func readMoment(x safetensors.Tensor, s *StateTensor) error {
	if s.dtype() == safetensors.F32 {
		return x.ReadFloat32(s.F32, 0)
	}
	return x.View(func(raw []byte) error {
		copy(s.U8, raw)
		for i := range s.F64 {
			s.F64[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
		}
		return nil
	})
}
