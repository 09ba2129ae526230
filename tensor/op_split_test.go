package tensor_test

import "github.com/posttrain/posttrain/tensor"

// turned is a (n, m) as (m, n).
func turned(a operand) operand {
	n, m := a.shape[0], a.shape[1]
	t := operand{shape: []int{m, n}, data: make([]float64, n*m)}
	for i := range n {
		for j := range m {
			t.data[j*n+i] = a.data[i*m+j]
		}
	}
	return t
}

// transposedCases are linear layers whose weight is stored (in, out).
func transposedCases(n, d int) []opCase {
	m, r := d+6, 5
	x, w, bias, a, b := rows("x", n, d), weight("w", d, m), weight("bias", m), weight("a", r, d), weight("b", m, r)
	lora := func(drop float64) func(in nodes) tensor.Nodes {
		return one(func(in nodes) *tensor.Node {
			o := tensor.LoRAOptions{Scale: 0.5, Dropout: drop, Salt: 9, Transposed: true}
			return tensor.LinearLoRA(in["x"], in["w"], in["bias"], in["a"], in["b"], o)
		})
	}
	want := func(in map[string]operand) [][]float64 {
		y := product(in["x"], turned(in["w"]))
		if a, ok := in["a"]; ok {
			update := product(operand{shape: []int{n, r}, data: product(in["x"], a)}, in["b"])
			for i := range y {
				y[i] += 0.5 * update[i]
			}
		}
		if bias, ok := in["bias"]; ok {
			y = withBias(y, bias)
		}
		return [][]float64{y}
	}
	linear := one(func(in nodes) *tensor.Node { return tensor.LinearTransposed(in["x"], in["w"], in["bias"]) })
	return []opCase{
		{name: "LinearTransposed", in: []operand{x, w}, build: linear, want: want},
		{name: "LinearTransposed with bias", in: []operand{x, w, bias}, build: linear, want: want},
		{name: "LinearLoRA transposed", in: []operand{x, w, a, b}, build: lora(0), want: want},
		{name: "LinearLoRA transposed with bias", in: []operand{x, w, a, b, bias}, build: lora(0), want: want},
		{name: "LinearLoRA transposed with dropout", in: []operand{x, w, a, b, bias}, build: lora(0.4)},
	}
}

// splitCases cut columns, all parts read and only one.
func splitCases(n, d int) []opCase {
	const groups = 3
	widths := []int{d, 1, d + 2}
	step := 2*d + 3
	x := rows("x", n, groups*step)
	want := func(in map[string]operand) [][]float64 {
		out := make([][]float64, len(widths))
		for at := 0; at < n*groups*step; {
			for i, w := range widths {
				out[i] = append(out[i], in["x"].data[at:at+w]...)
				at += w
			}
		}
		return out
	}
	return []opCase{{
		name:  "Split",
		in:    []operand{x},
		build: func(in nodes) tensor.Nodes { return tensor.Split(in["x"], groups, widths...) },
		want:  want,
	}, {
		name:  "Split with one part read",
		in:    []operand{x},
		build: func(in nodes) tensor.Nodes { return tensor.Split(in["x"], groups, widths...)[2:] },
		want:  func(in map[string]operand) [][]float64 { return want(in)[2:] },
	}}
}
