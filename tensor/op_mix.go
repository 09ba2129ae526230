package tensor

// MixExperts adds up what a token's experts computed: y (N, K·D) has K rows for each
// token, weights (N, K) say how much each counts; the result is (N, D).
func MixExperts(y, weights *Node) *Node {
	const name = "mix_experts"
	checkFloat(name, y)
	checkSameType(name, y, weights)
	ys, ws := y.Shape(), weights.Shape()
	if y.Dims() != 2 || weights.Dims() != 2 || ys[0] != ws[0] || ys[1]%ws[1] != 0 {
		fail("%s: got %v and weights %v, want (N, K·D) and (N, K)", name, ys, ws)
	}
	k, d := ws[1], ys[1]/ws[1]
	s := Spec{
		Name:           name,
		Out:            []Output{{Shape: Shape{ys[0], d}, Dtype: y.Dtype(), Axis: 1}},
		Differentiable: []bool{true, true},
		Kernel:         byFloat(name, y, mixKernel[float32](k, d), mixKernel[float64](k, d)),
	}
	s.Gradient = func(b *Backward) Nodes {
		return Apply(Spec{
			Name:           name + ".grad",
			Out:            []Output{fresh(b.In[0], 0), fresh(b.In[1], 1)},
			Differentiable: make([]bool, 3),
			Kernel:         byFloat(name, y, mixGradKernel[float32](k, d), mixGradKernel[float64](k, d)),
		}, b.In[0], b.In[1], b.Grad[0])
	}
	return Apply(s, y, weights)[0]
}

func mixKernel[T Float](k, d int) Kernel {
	body := func(c *Call, lo, hi, _ int) {
		y, w, out := Slice[T](&c.In[0]), Slice[T](&c.In[1]), Slice[T](&c.Out[0])
		for n := lo; n < hi; n++ {
			row := out[n*d : (n+1)*d]
			clear(row)
			for j := range k {
				weight := w[n*k+j]
				for i, v := range y[(n*k+j)*d : (n*k+j+1)*d] {
					row[i] += T(weight * v)
				}
			}
		}
	}
	return func(c *Call) { c.Parallel(c.Out[0].Rows(), max(1, elementGrain/(k*d)), body) }
}

// mixGradKernel has inputs y, weights and the gradient of the result.
func mixGradKernel[T Float](k, d int) Kernel {
	body := func(c *Call, lo, hi, _ int) {
		y, w, g := Slice[T](&c.In[0]), Slice[T](&c.In[1]), Slice[T](&c.In[2])
		dy, dw := Slice[T](&c.Out[0]), Slice[T](&c.Out[1])
		for n := lo; n < hi; n++ {
			row := g[n*d : (n+1)*d]
			for s := n * k; s < (n+1)*k; s++ {
				sum := 0.0
				for i, v := range row {
					sum += float64(v) * float64(y[s*d+i])
					if dy != nil {
						dy[s*d+i] = w[s] * v
					}
				}
				if dw != nil {
					dw[s] = T(sum)
				}
			}
		}
	}
	return func(c *Call) { c.Parallel(c.In[2].Rows(), max(1, elementGrain/(k*d)), body) }
}

// LoadBalance is how unevenly the experts of one or more layers are used (Fedus et
// al. 2021, "Switch Transformers", arXiv:2101.03961, eq. 4 to 6, as transformers
// computes it): E·Σₑ fₑ·Pₑ, where fₑ is the number of times that expert e was chosen,
// a token, and Pₑ its mean probability, both over the tokens of all layers together.
// f sums to K, so that the value of evenly used experts is K, not 1. The result is
// (1); its gradient flows through the probabilities. index and probs are what Route
// returned in each layer.
func LoadBalance(index, probs Nodes) *Node {
	const name = "load_balance"
	if len(index) == 0 || len(index) != len(probs) {
		fail("%s: got %d layers' numbers and %d layers' probabilities, want as many, and one at least", name, len(index), len(probs))
	}
	count := probs[0].Shape()[1]
	ins := append(append(Nodes{}, index...), probs...)
	layers := len(index)
	s := Spec{
		Name:           name,
		Out:            []Output{{Shape: Shape{1}, Dtype: probs[0].Dtype()}, {Shape: Shape{count}, Dtype: probs[0].Dtype()}},
		Differentiable: make([]bool, len(ins)),
		Kernel:         byFloat(name, probs[0], balanceKernel[float32](layers, count), balanceKernel[float64](layers, count)),
		Scratch:        8 * 2 * count,
	}
	for i := range probs {
		s.Differentiable[layers+i] = true
	}
	s.Gradient = func(b *Backward) Nodes {
		g := make(Nodes, len(b.In))
		for i := range layers {
			if p := b.In[layers+i]; b.Need[layers+i] {
				g[layers+i] = Apply(Spec{
					Name:           name + ".grad",
					Out:            []Output{fresh(p, 0)},
					Differentiable: make([]bool, 3),
					Kernel:         byFloat(name, p, balanceGradKernel[float32](layers, count), balanceGradKernel[float64](layers, count)),
				}, p, b.Out[1], b.Grad[0])[0]
			}
		}
		return g
	}
	return Apply(s, ins...)[0]
}

// balanceKernel has the numbers and then the probabilities of all layers as inputs;
// its outputs are the value and f (E).
func balanceKernel[T Float](layers, count int) Kernel {
	return func(c *Call) {
		both := scratch[float64](c, 0, 2*count)
		chosen, mass := both[:count], both[count:]
		clear(both)
		tokens := 0
		for l := range layers {
			numbers := Slice[int32](&c.In[l])
			checkIDs(numbers, count)
			for _, e := range numbers {
				chosen[e]++
			}
			tokens += c.In[l].Rows()
			for i, p := range Slice[T](&c.In[layers+l]) {
				mass[i%count] += float64(p)
			}
		}
		value, share := 0.0, Slice[T](&c.Out[1])
		n := float64(max(1, tokens))
		for e := range count {
			value += chosen[e] / n * (mass[e] / n)
			if share != nil {
				share[e] = T(chosen[e] / n)
			}
		}
		if y := Slice[T](&c.Out[0]); y != nil {
			y[0] = T(value * float64(count))
		}
	}
}

// balanceGradKernel has inputs probs of one layer, f and the gradient of the value.
func balanceGradKernel[T Float](layers, count int) Kernel {
	return func(c *Call) {
		dp, f, g := Slice[T](&c.Out[0]), Slice[T](&c.In[1]), Slice[T](&c.In[2])
		scale := float64(g[0]) * float64(count) / float64(max(1, layers*c.In[0].Rows()))
		for i := range dp {
			dp[i] = T(scale * float64(f[i%count]))
		}
	}
}
