package tensor_test

import (
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// expertCases are the ops of mixtures of experts: four experts, two a token.
func expertCases(n, d int) []opCase {
	const experts, k = 4, 2
	index := operand{name: "index", shape: []int{n, k}, axis: "rows"}
	for s := range n * k { // expert 3 gets no token where there are few
		index.ids = append(index.ids, int32((s*s+s/3)%(experts-1)))
	}
	return append(append(routeCases(n, experts, k), expertLinearCases(n, d, index)...), mixCases(n, d, experts, index)...)
}

func routeCases(n, experts, k int) []opCase {
	list := []opCase{}
	for _, normalize := range []bool{false, true} {
		name := "Route"
		if normalize {
			name = "Route normalised"
		}
		list = append(list, opCase{
			name: name, in: []operand{rows("logits", n, experts)},
			build: func(in nodes) tensor.Nodes {
				weights, _, probs := tensor.Route(in["logits"], tensor.RouteOptions{K: k, Normalize: normalize})
				return tensor.Nodes{weights, probs}
			},
			want: func(in map[string]operand) [][]float64 {
				var weights, probs []float64
				for i := range n {
					w, p := routed(in["logits"].data[i*experts:(i+1)*experts], k, normalize)
					weights, probs = append(weights, w...), append(probs, p...)
				}
				return [][]float64{weights, probs}
			},
		})
	}
	return list
}

// routed is the definition of a row of Route.
func routed(logits []float64, k int, normalize bool) (weights, probs []float64) {
	sum := 0.0
	for _, x := range logits {
		sum += math.Exp(x)
	}
	taken := map[int]bool{}
	for _, x := range logits {
		probs = append(probs, math.Exp(x)/sum)
	}
	total := 0.0
	for range k {
		best := -1
		for e, p := range probs {
			if !taken[e] && (best < 0 || p > probs[best]) {
				best = e
			}
		}
		taken[best] = true
		weights = append(weights, probs[best])
		total += probs[best]
	}
	if normalize {
		for j := range weights {
			weights[j] /= total
		}
	}
	return weights, probs
}

func expertLinearCases(n, d int, index operand) []opCase {
	const m, experts, k = 5, 4, 2
	w := []operand{weight("w0", m, d), weight("w1", m, d), weight("w2", m, d), weight("w3", m, d)}
	build := one(func(in nodes) *tensor.Node {
		return tensor.ExpertLinear(in["x"], in["index"], in["w0"], in["w1"], in["w2"], in["w3"])
	})
	want := func(stride int) func(in map[string]operand) [][]float64 {
		return func(in map[string]operand) [][]float64 {
			var y []float64
			for s, e := range in["index"].ids {
				at := s / k * d
				if stride > 1 {
					at = s * d
				}
				row := operand{shape: []int{1, d}, data: in["x"].data[at : at+d]}
				y = append(y, product(row, in[w[e].name])...)
			}
			return [][]float64{y}
		}
	}
	return []opCase{
		{name: "ExpertLinear", in: append([]operand{rows("x", n, d), index}, w...), build: build, want: want(1)},
		{name: "ExpertLinear of a row for each slot", in: append([]operand{rows("x", n, k*d), index}, w...), build: build, want: want(k)},
	}
}

func mixCases(n, d, experts int, index operand) []opCase {
	const k = 2
	return []opCase{{
		name: "MixExperts", in: []operand{rows("y", n, k*d), rows("w", n, k)},
		build: one(func(in nodes) *tensor.Node { return tensor.MixExperts(in["y"], in["w"]) }),
		want: func(in map[string]operand) [][]float64 {
			out := make([]float64, n*d)
			for s, w := range in["w"].data {
				for i := range d {
					out[s/k*d+i] += w * in["y"].data[s*d+i]
				}
			}
			return [][]float64{out}
		},
	}, {
		name: "LoadBalance", in: []operand{index, rows("p", n, experts), rows("q", n, experts)},
		build: one(func(in nodes) *tensor.Node {
			return tensor.LoadBalance(tensor.Nodes{in["index"], in["index"]}, tensor.Nodes{in["p"], in["q"]})
		}),
		want: func(in map[string]operand) [][]float64 {
			value := 0.0
			for e := range experts {
				f, p := 0.0, 0.0
				for _, chosen := range in["index"].ids {
					if int(chosen) == e {
						f += 2 / float64(2*n) // once in each layer
					}
				}
				for i := range n {
					p += (in["p"].data[i*experts+e] + in["q"].data[i*experts+e]) / float64(2*n)
				}
				value += float64(experts) * f * p
			}
			return [][]float64{{value}}
		},
	}}
}
