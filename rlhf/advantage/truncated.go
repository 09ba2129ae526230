package advantage

// WithoutRows is the mask with the given rows all 0: completions that the length limit
// cut off, or whose reward is not to be learnt from. They count in no denominator of
// tokens.
func WithoutRows(mask [][]float64, drop []bool) [][]float64 {
	out := make([][]float64, len(mask))
	for i := range mask {
		out[i] = make([]float64, len(mask[i]))
		if !drop[i] {
			copy(out[i], mask[i])
		}
	}
	return out
}
