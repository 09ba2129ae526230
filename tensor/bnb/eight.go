package bnb

import (
	"fmt"
	"math"
)

// Eight is a matrix of LLM.int8() (Dettmers et al. 2022, arXiv:2208.07339): signed
// bytes, and the largest magnitude of each row.
type Eight struct {
	Codes  []int8    // (rows·Cols), row by row
	Absmax []float32 // (rows), "SCB" in checkpoints
	Cols   int
}

// Float32 decodes the matrix into dst: code·Absmax[row]/127.
func (e Eight) Float32(dst []float32) error {
	if e.Cols < 0 || len(e.Codes) != len(e.Absmax)*e.Cols {
		return fmt.Errorf("%w: got %d bytes for %d rows of %d, want %d", ErrFormat, len(e.Codes), len(e.Absmax), e.Cols, len(e.Absmax)*e.Cols)
	}
	if len(dst) != len(e.Codes) {
		return fmt.Errorf("bnb: got room for %d elements, want %d", len(dst), len(e.Codes))
	}
	for r, top := range e.Absmax {
		row := e.Codes[r*e.Cols : (r+1)*e.Cols]
		for c, x := range row {
			dst[r*e.Cols+c] = float32(x) * top * (1 / float32(127))
		}
	}
	return nil
}

// QuantizeRows encodes a matrix with rows of cols elements: each becomes the
// nearest of 255 steps of its row's largest magnitude, halves to the even one.
func QuantizeRows(src []float32, cols int) (Eight, error) {
	if cols < 1 || len(src)%cols != 0 {
		return Eight{}, fmt.Errorf("bnb: got %d elements in rows of %d, want whole rows", len(src), cols)
	}
	e := Eight{Codes: make([]int8, len(src)), Absmax: make([]float32, len(src)/cols), Cols: cols}
	for r := range e.Absmax {
		row := src[r*cols : (r+1)*cols]
		top, err := largest(row)
		if err != nil {
			return Eight{}, fmt.Errorf("bnb: row %d: %w", r, err)
		}
		e.Absmax[r] = top
		if top == 0 {
			continue
		}
		inverse := 1 / top
		scale := inverse * 127 // rounded twice, as the library does
		for c, x := range row {
			e.Codes[r*cols+c] = int8(math.RoundToEven(float64(x * scale)))
		}
	}
	return e, nil
}
