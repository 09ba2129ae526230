package auto

import (
	"fmt"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// transpose is a matrix the other way round, in the same element type.
func transpose(p *tensor.Param) (*tensor.Param, error) {
	s := p.Shape()
	if len(s) != 2 {
		return nil, fmt.Errorf("%w: %s has shape %v, want a matrix", model.ErrBadWeight, p.Name(), s)
	}
	rows, cols := s[0], s[1]
	switch {
	case p.Data() != nil:
		return tensor.NewParam(p.Name(), turned[float32](p.Data(), rows, cols), cols, rows)
	case p.Data64() != nil:
		return tensor.NewParam(p.Name(), turned[float64](p.Data64(), rows, cols), cols, rows)
	case p.Dtype() == tensor.BFloat16:
		return tensor.NewParam(p.Name(), turned[tensor.BF16](p.Data16(), rows, cols), cols, rows)
	}
	return tensor.NewParam(p.Name(), turned[tensor.F16](p.Data16(), rows, cols), cols, rows)
}

// turned is the transpose of x (rows, cols), with the elements as type T.
func turned[T, S tensor.BF16 | tensor.F16 | uint16 | float32 | float64](x []S, rows, cols int) []T {
	y := make([]T, len(x))
	for r := range rows {
		for c, v := range x[r*cols : (r+1)*cols] {
			y[c*rows+r] = T(v)
		}
	}
	return y
}
