package tensor_test

import (
	"math"

	"github.com/posttrain/posttrain/tensor"
)

type nodes = map[string]*tensor.Node

// opCases lists every op with n live rows of width d.
func opCases(n, d int) []opCase {
	var list []opCase
	list = append(list, linearCases(n, d)...)
	list = append(list, transposedCases(n, d)...)
	list = append(list, splitCases(n, d)...)
	list = append(list, loraCases(n, d)...)
	list = append(list, lookUpCases(n, d)...)
	list = append(list, adapterCases(n, d)...)
	list = append(list, virtualCases(n, d)...)
	list = append(list, expertCases(n, d)...)
	list = append(list, normCases(n, d)...)
	list = append(list, activationCases(n, d)...)
	list = append(list, unaryCases(n, d)...)
	list = append(list, binaryCases(n, d)...)
	list = append(list, sumCases(n, d)...)
	list = append(list, randomCases(n, d)...)
	return append(list, modelCases(n)...)
}

func one(f func(in nodes) *tensor.Node) func(in nodes) tensor.Nodes {
	return func(in nodes) tensor.Nodes { return tensor.Nodes{f(in)} }
}

// product is a·bᵀ for a (n, k) and b (m, k).
func product(a, b operand) []float64 {
	n, m, k := a.shape[0], b.shape[0], a.shape[1]
	y := make([]float64, n*m)
	for i := range n {
		for j := range m {
			for c := range k {
				y[i*m+j] += a.data[i*k+c] * b.data[j*k+c]
			}
		}
	}
	return y
}

func withBias(y []float64, bias operand) []float64 {
	for i := range y {
		y[i] += bias.data[i%len(bias.data)]
	}
	return y
}

func linearCases(n, d int) []opCase {
	m := d + 6
	x, w, bias := rows("x", n, d), weight("w", m, d), weight("bias", m)
	return []opCase{{
		name:  "Linear",
		in:    []operand{x, w},
		build: one(func(in nodes) *tensor.Node { return tensor.Linear(in["x"], in["w"], nil) }),
		want:  func(in map[string]operand) [][]float64 { return [][]float64{product(in["x"], in["w"])} },
	}, {
		name:  "Linear with bias",
		in:    []operand{x, w, bias},
		build: one(func(in nodes) *tensor.Node { return tensor.Linear(in["x"], in["w"], in["bias"]) }),
		want: func(in map[string]operand) [][]float64 {
			return [][]float64{withBias(product(in["x"], in["w"]), in["bias"])}
		},
	}}
}

func loraCases(n, d int) []opCase {
	m, r := d+6, 5
	x, w, bias, a, b := rows("x", n, d), weight("w", m, d), weight("bias", m), weight("a", r, d), weight("b", m, r)
	lora := func(drop float64) func(in nodes) tensor.Nodes {
		return one(func(in nodes) *tensor.Node {
			return tensor.LinearLoRA(in["x"], in["w"], in["bias"], in["a"], in["b"], tensor.LoRAOptions{Scale: 0.5, Dropout: drop, Salt: 9})
		})
	}
	want := func(in map[string]operand) [][]float64 {
		low := operand{shape: []int{n, r}, data: product(in["x"], in["a"])}
		y, update := product(in["x"], in["w"]), product(low, in["b"])
		for i := range y {
			y[i] += 0.5 * update[i]
		}
		if bias, ok := in["bias"]; ok {
			y = withBias(y, bias)
		}
		return [][]float64{y}
	}
	return []opCase{
		{name: "LinearLoRA", in: []operand{x, w, a, b}, build: lora(0), want: want},
		{name: "LinearLoRA with bias", in: []operand{x, w, a, b, bias}, build: lora(0), want: want},
		{name: "LinearLoRA with dropout", in: []operand{x, w, a, b, bias}, build: lora(0.4)},
	}
}

func lookUpCases(n, d int) []opCase {
	v := 9
	var at []int32
	for i := range n {
		at = append(at, int32(i*i%v))
	}
	look := func(scale float64, table string) func(in map[string]operand) [][]float64 {
		return func(in map[string]operand) [][]float64 {
			var y []float64
			for _, id := range in["ids"].ids {
				for _, x := range in[table].data[int(id)*d : int(id+1)*d] {
					y = append(y, scale*x)
				}
			}
			return [][]float64{y}
		}
	}
	return []opCase{{
		name: "Embedding", in: []operand{weight("table", v, d), ids("ids", "rows", at...)},
		build: one(func(in nodes) *tensor.Node { return tensor.Embedding(in["table"], in["ids"], 1) }),
		want:  look(1, "table"),
	}, {
		name: "Embedding scaled", in: []operand{weight("table", v, d), ids("ids", "rows", at...)},
		build: one(func(in nodes) *tensor.Node { return tensor.Embedding(in["table"], in["ids"], 1.75) }),
		want:  look(1.75, "table"),
	}, {
		// The rows that are named are live, and the list has an axis of its own.
		name: "Gather", in: []operand{{name: "x", shape: []int{v, d}, data: normal("x", v*d), axis: "source"}, ids("ids", "rows", at...)},
		build: one(func(in nodes) *tensor.Node { return tensor.Gather(in["x"], in["ids"]) }),
		want:  look(1, "x"),
	}}
}

// normalise is the definition of both norms on groups of the weight's length.
func normalise(x, w, b []float64, centre bool, eps, offset float64) []float64 {
	width := len(w)
	y := make([]float64, len(x))
	for at := 0; at < len(x); at += width {
		mean, square := 0.0, 0.0
		if centre {
			for _, v := range x[at : at+width] {
				mean += v / float64(width)
			}
		}
		for _, v := range x[at : at+width] {
			square += (v - mean) * (v - mean) / float64(width)
		}
		for i := range width {
			y[at+i] = (x[at+i] - mean) / math.Sqrt(square+eps) * (offset + w[i])
			if b != nil {
				y[at+i] += b[i]
			}
		}
	}
	return y
}

func normCases(n, d int) []opCase {
	const eps = 1e-3
	x, heads, w, b := rows("x", n, d), rows("x", n, 3*d), weight("w", d), weight("b", d)
	rms := func(offset float64) func(in nodes) tensor.Nodes {
		return one(func(in nodes) *tensor.Node {
			return tensor.RMSNorm(in["x"], in["w"], tensor.NormOptions{Eps: eps, Offset: offset})
		})
	}
	wantRMS := func(offset float64) func(in map[string]operand) [][]float64 {
		return func(in map[string]operand) [][]float64 {
			w := in["w"].data
			if w == nil {
				w = make([]float64, d)
			}
			return [][]float64{normalise(in["x"].data, w, nil, false, eps, offset)}
		}
	}
	layer := one(func(in nodes) *tensor.Node { return tensor.LayerNorm(in["x"], in["w"], in["b"], eps) })
	wantLayer := func(in map[string]operand) [][]float64 {
		return [][]float64{normalise(in["x"].data, in["w"].data, in["b"].data, true, eps, 0)}
	}
	return []opCase{
		{name: "RMSNorm", in: []operand{x, w}, build: rms(0), want: wantRMS(0)},
		{name: "RMSNorm with offset", in: []operand{x, w}, build: rms(1), want: wantRMS(1)},
		{name: "RMSNorm of heads", in: []operand{heads, w}, build: rms(1), want: wantRMS(1)},
		{name: "RMSNorm without weight", in: []operand{x}, build: rms(7), want: wantRMS(1)},
		{name: "LayerNorm", in: []operand{x, w, b}, build: layer, want: wantLayer},
		{name: "LayerNorm without bias", in: []operand{x, w}, build: layer, want: wantLayer},
		{name: "LayerNorm of heads", in: []operand{heads, w, b}, build: layer, want: wantLayer},
	}
}

// activations are the definitions.
var activations = map[tensor.Activation]func(x float64) float64{
	tensor.SiLU:     func(x float64) float64 { return x / (1 + math.Exp(-x)) },
	tensor.GELUTanh: func(x float64) float64 { return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))) },
	tensor.GELUErf:  func(x float64) float64 { return x / 2 * math.Erfc(-x/math.Sqrt2) },
	tensor.ReLU:     func(x float64) float64 { return math.Max(x, 0) },
}

func activationCases(n, d int) (list []opCase) {
	// Kinks are kept away from.
	x := rows("x", n, d).mapped(func(x float64) float64 { return 2*x + math.Copysign(1e-3, x) })
	for act := tensor.SiLU; act <= tensor.ReLU; act++ {
		f := activations[act]
		list = append(list, opCase{
			name: "Activate " + act.String(), in: []operand{x},
			build: one(func(in nodes) *tensor.Node { return tensor.Activate(in["x"], act) }),
			want:  func(in map[string]operand) [][]float64 { return [][]float64{in["x"].mapped(f).data} },
		}, opCase{
			name: "GLU " + act.String(), in: []operand{x, rows("up", n, d)},
			build: one(func(in nodes) *tensor.Node { return tensor.GLU(in["x"], in["up"], act) }),
			want: func(in map[string]operand) [][]float64 {
				y := in["x"].mapped(f).data
				for i, u := range in["up"].data {
					y[i] *= u
				}
				return [][]float64{y}
			},
		})
	}
	fixed := rows("up", n, d)
	fixed.constant = true
	gate := x
	gate.constant = true
	return append(list, opCase{
		name: "GLU by gate alone", in: []operand{x, fixed},
		build: one(func(in nodes) *tensor.Node { return tensor.GLU(in["x"], in["up"], tensor.GELUTanh) }),
	}, opCase{
		name: "GLU by up alone", in: []operand{gate, rows("up", n, d)},
		build: one(func(in nodes) *tensor.Node { return tensor.GLU(in["x"], in["up"], tensor.ReLU) }),
	})
}

func unaryCases(n, d int) (list []opCase) {
	any := func(x float64) float64 { return 2*x + math.Copysign(1e-3, x) }
	positive := func(x float64) float64 { return math.Abs(x) + 0.1 }
	negative := func(x float64) float64 { return -math.Abs(x) - 0.01 }
	for _, u := range []struct {
		name  string
		op    func(x *tensor.Node) *tensor.Node
		f     func(x float64) float64
		input func(x float64) float64
	}{
		{"Neg", tensor.Neg, func(x float64) float64 { return -x }, any},
		{"Exp", tensor.Exp, math.Exp, any},
		{"Log", tensor.Log, math.Log, positive},
		{"Sigmoid", tensor.Sigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, any},
		{"LogSigmoid", tensor.LogSigmoid, func(x float64) float64 { return -math.Log1p(math.Exp(-x)) }, any},
		{"Softplus", tensor.Softplus, func(x float64) float64 { return math.Log1p(math.Exp(x)) }, any},
		{"Log1mExp", tensor.Log1mExp, func(x float64) float64 { return math.Log(-math.Expm1(x)) }, negative},
		{"Tanh", tensor.Tanh, math.Tanh, any},
		{"Square", tensor.Square, func(x float64) float64 { return x * x }, any},
		{"Sqrt", tensor.Sqrt, math.Sqrt, positive},
		{"Abs", tensor.Abs, math.Abs, any},
		{"Clip", func(x *tensor.Node) *tensor.Node { return tensor.Clip(x, -0.5, 1) }, func(x float64) float64 { return min(max(x, -0.5), 1) }, any},
		{"Clip below", func(x *tensor.Node) *tensor.Node { return tensor.Clip(x, 0.25, math.Inf(1)) }, func(x float64) float64 { return max(x, 0.25) }, any},
		{"Scale", func(x *tensor.Node) *tensor.Node { return tensor.Scale(x, -1.5) }, func(x float64) float64 { return -1.5 * x }, any},
		{"AddScalar", func(x *tensor.Node) *tensor.Node { return tensor.AddScalar(x, 0.75) }, func(x float64) float64 { return x + 0.75 }, any},
		{"Detach", tensor.Detach, func(x float64) float64 { return x }, any},
	} {
		list = append(list, opCase{
			name: u.name, in: []operand{rows("x", n, d).mapped(u.input)}, noGrad: u.name == "Detach",
			build: one(func(in nodes) *tensor.Node { return u.op(in["x"]) }),
			want:  func(in map[string]operand) [][]float64 { return [][]float64{in["x"].mapped(u.f).data} },
		})
	}
	return list
}

func binaryCases(n, d int) (list []opCase) {
	x, y := rows("x", n, d), rows("y", n, d).mapped(func(y float64) float64 { return y + math.Copysign(0.2, y) })
	for _, b := range []struct {
		name string
		op   func(x, y *tensor.Node) *tensor.Node
		f    func(x, y float64) float64
	}{
		{"Add", tensor.Add, func(x, y float64) float64 { return x + y }},
		{"Sub", tensor.Sub, func(x, y float64) float64 { return x - y }},
		{"Mul", tensor.Mul, func(x, y float64) float64 { return x * y }},
		{"Div", tensor.Div, func(x, y float64) float64 { return x / y }},
		{"Min", tensor.Min, math.Min},
		{"Max", tensor.Max, math.Max},
	} {
		list = append(list, opCase{
			name: b.name, in: []operand{x, y},
			build: one(func(in nodes) *tensor.Node { return b.op(in["x"], in["y"]) }),
			want: func(in map[string]operand) [][]float64 {
				var z []float64
				for i, x := range in["x"].data {
					z = append(z, b.f(x, in["y"].data[i]))
				}
				return [][]float64{z}
			},
		})
	}
	return append(list, opCase{
		name: "Mul by itself", in: []operand{x},
		build: one(func(in nodes) *tensor.Node { return tensor.Mul(in["x"], in["x"]) }),
		want: func(in map[string]operand) [][]float64 {
			return [][]float64{in["x"].mapped(func(x float64) float64 { return x * x }).data}
		},
	})
}

// segmentEnds has an empty segment, and a last row that lies in none.
func segmentEnds(n int) operand {
	return ids("ends", "segments", int32(n/3), int32(n/3), int32(n/2), int32(n-1))
}

func sumCases(n, d int) []opCase {
	x, v, ends := rows("x", n, d), rows("v", n), segmentEnds(n)
	// Every third weight is 0.
	w := rows("w", n).mapped(math.Abs)
	for i := range w.data {
		if i%3 == 0 {
			w.data[i] = 0
		}
	}
	sum := func(v, w []float64) (s float64) {
		for i, x := range v {
			if w != nil {
				x *= w[i]
			}
			s += x
		}
		return s
	}
	segments := func(weights bool) func(in map[string]operand) [][]float64 {
		return func(in map[string]operand) [][]float64 {
			var y []float64
			first := int32(0)
			for _, end := range in["ends"].ids {
				var part []float64
				if weights {
					part = in["w"].data[first:end]
				}
				y = append(y, sum(in["v"].data[first:end], part))
				first = end
			}
			return [][]float64{y}
		}
	}
	return []opCase{{
		name: "Sum", in: []operand{x},
		build: one(func(in nodes) *tensor.Node { return tensor.Sum(in["x"]) }),
		want:  func(in map[string]operand) [][]float64 { return [][]float64{{sum(in["x"].data, nil)}} },
	}, {
		name: "MaskedSum", in: []operand{v, w},
		build: one(func(in nodes) *tensor.Node { return tensor.MaskedSum(in["v"], in["w"]) }),
		want:  func(in map[string]operand) [][]float64 { return [][]float64{{sum(in["v"].data, in["w"].data)}} },
	}, {
		name: "WeightedMean", in: []operand{v, w},
		build: one(func(in nodes) *tensor.Node { return tensor.WeightedMean(in["v"], in["w"]) }),
		want: func(in map[string]operand) [][]float64 {
			return [][]float64{{sum(in["v"].data, in["w"].data) / sum(in["w"].data, nil)}}
		},
	}, {
		name: "BroadcastRows", in: []operand{{name: "s", shape: []int{1}, data: []float64{1.25}}, {name: "x", shape: x.shape, data: x.data, axis: "rows", constant: true}},
		build: one(func(in nodes) *tensor.Node { return tensor.Mul(tensor.BroadcastRows(in["s"], in["x"]), in["x"]) }),
		want: func(in map[string]operand) [][]float64 {
			return [][]float64{in["x"].mapped(func(x float64) float64 { return x * in["s"].data[0] }).data}
		},
	}, {
		name: "SegmentSum", in: []operand{v, ends},
		build: one(func(in nodes) *tensor.Node { return tensor.SegmentSum(in["v"], in["ends"]) }),
		want:  segments(false),
	}, {
		name: "WeightedSegmentSum", in: []operand{v, w, ends},
		build: one(func(in nodes) *tensor.Node { return tensor.WeightedSegmentSum(in["v"], in["w"], in["ends"]) }),
		want:  segments(true),
	}}
}

func randomCases(n, d int) []opCase {
	x := rows("x", n, d)
	return []opCase{{
		name: "Dropout", in: []operand{x},
		build: one(func(in nodes) *tensor.Node { return tensor.Dropout(in["x"], 0.3, 4) }),
	}, {
		name: "Noise", in: []operand{x, segmentEnds(n)},
		build: one(func(in nodes) *tensor.Node { return tensor.Noise(in["x"], 5, in["ends"], 4) }),
	}}
}

// modelCases are ops that have tests of their values elsewhere.
func modelCases(n int) []opCase {
	const dim, heads, vocab, hidden = 8, 4, 50, 6
	var positions, targets []int32
	first := 0
	ends := []int32{int32(n / 3), int32(n)}
	for _, end := range ends {
		for i := first; i < int(end); i++ {
			positions = append(positions, int32(i-first))
			targets = append(targets, int32(i*7%vocab))
		}
		first = int(end)
	}
	seg := ids("ends", "segments", ends...)
	pos := ids("positions", "rows", positions...)
	scored := func(o tensor.LogProbOptions) func(in nodes) tensor.Nodes {
		return func(in nodes) tensor.Nodes {
			p := tensor.TokenLogProb(in["h"], in["head"], in["scored"], in["targets"], o)
			return tensor.Nodes{p.LogProb, p.Entropy, p.ArgMax}
		}
	}
	m := max(1, n/2)
	var listed []int32
	for i := range m {
		listed = append(listed, int32(i*2))
	}
	h, head := rows("h", n, hidden), weight("head", vocab, hidden)
	list := ids("scored", "scored", listed...)
	target := ids("targets", "scored", targets[:m]...)
	attention := func(window int) func(in nodes) tensor.Nodes {
		return one(func(in nodes) *tensor.Node {
			return tensor.Attention(in["q"], in["k"], in["v"], tensor.Segments{Ends: in["ends"], Positions: in["positions"]},
				tensor.AttentionOptions{Heads: heads, KVHeads: 2, HeadDim: dim, Window: window})
		})
	}
	qkv := []operand{rows("q", n, heads*dim), rows("k", n, 2*dim), rows("v", n, 2*dim), seg, pos}
	freqs := []float64{1, 0.5, 0.25, 0.125}
	other := rows("other", n, hidden)
	other.constant = true
	reference := weight("reference", vocab, hidden)
	reference.constant = true
	return []opCase{
		{name: "RoPE", in: []operand{rows("x", n, heads*dim), pos}, build: one(func(in nodes) *tensor.Node {
			return tensor.RoPE(in["x"], in["positions"], tensor.RoPEOptions{HeadDim: dim, InvFreq: freqs})
		})},
		{name: "Attention", in: qkv[:4], build: attention(0)},
		{name: "Attention in a window", in: qkv, build: attention(3)},
		{name: "TokenLogProb", in: []operand{h, head, list, target}, build: scored(tensor.LogProbOptions{})},
		{name: "TokenLogProb capped", in: []operand{h, head, list, target}, build: scored(tensor.LogProbOptions{SoftCap: 3, Temperature: 0.8})},
		{name: "TokenKL", in: []operand{h, head, other, reference, list}, build: func(in nodes) tensor.Nodes {
			kl := tensor.TokenKL(tensor.Distribution{H: in["h"], Head: in["head"]}, tensor.Distribution{H: in["other"], Head: in["reference"]}, in["scored"])
			return tensor.Nodes{kl.PolicyToReference, kl.ReferenceToPolicy}
		}},
	}
}
