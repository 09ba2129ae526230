package tensor

import "github.com/posttrain/posttrain/internal/kernel"

func expertGradient(b *Backward, d experts) Nodes {
	g, dy := make(Nodes, len(b.In)), b.Grad[0]
	x, index, weights := b.In[0], b.In[1], b.In[2:]
	if b.Need[0] {
		g[0] = expertInputGradient(dy, x, index, weights, d)
	}
	var need []int
	var outs []Output
	for e, w := range weights {
		if b.Need[2+e] {
			need, outs = append(need, e), append(outs, gradientOf(w, dy.Dtype()))
		}
	}
	if len(need) == 0 {
		return g
	}
	list := Apply(Spec{
		Name:           "expert_linear.grad_weights",
		Out:            outs,
		Differentiable: make([]bool, 3),
		Kernel:         byFloat("expert_linear", dy, expertWeightsKernel[float32](d, need), expertWeightsKernel[float64](d, need)),
		Scratch:        d.scratch() * floatSize(dy),
	}, dy, index, x)
	for i, e := range need {
		g[2+e] = list[i]
	}
	return g
}

// expertInputGradient adds up, for each row of x, the gradients of the experts that
// read it, in the order of the experts.
func expertInputGradient(dy, x, index *Node, weights Nodes, d experts) *Node {
	ins := append(Nodes{dy, index}, weights...)
	return Apply(Spec{
		Name:           "expert_linear.grad_input",
		Out:            []Output{{Shape: x.Shape().Clone(), Dtype: dy.Dtype(), Axis: 1}},
		Differentiable: make([]bool, len(ins)),
		Kernel:         byFloat("expert_linear", dy, expertInputKernel[float32](d), expertInputKernel[float64](d)),
		Scratch:        d.scratch() * floatSize(dy),
	}, ins...)[0]
}

// expertInputKernel has inputs dy, index and the weights.
func expertInputKernel[T Float](d experts) Kernel {
	return func(c *Call) {
		dy, dx := Slice[T](&c.In[0]), Slice[T](&c.Out[0])
		clear(dx)
		a := d.assign(c, operand[int32](c, 1, c.In[0].Rows()*d.k))
		a.blocks(func(e int, slots []int32) {
			result, rows := scratch[T](c, 0, len(slots)*d.in), scratch[T](c, expertBlock*d.in, len(slots)*d.out)
			for i, s := range slots {
				copy(rows[i*d.out:(i+1)*d.out], dy[int(s)*d.out:])
			}
			p := product[T]{M: len(slots), N: d.in, K: d.out, A: rows, B: c.In[2+e], C: result}
			p.run(c)
			for i, s := range slots {
				row := dx[d.input(int(s)):][:d.in]
				kernel.Add(row, row, result[i*d.in:(i+1)*d.in])
			}
		})
	}
}

// expertWeightsKernel has inputs dy, index and x, and an output for each expert
// whose gradient is needed.
func expertWeightsKernel[T Float](d experts, need []int) Kernel {
	output := make([]int, d.count) // 1 + output of an expert, 0 for none
	for i, e := range need {
		output[e] = i + 1
	}
	return func(c *Call) {
		dy, x := Slice[T](&c.In[0]), Slice[T](&c.In[2])
		for i := range c.Out {
			if !c.Acc[i] {
				clear(Slice[T](&c.Out[i]))
			}
		}
		a := d.assign(c, operand[int32](c, 1, c.In[0].Rows()*d.k))
		a.blocks(func(e int, slots []int32) {
			if output[e] == 0 || !c.Out[output[e]-1].Wanted() {
				return
			}
			rows, grads := scratch[T](c, 0, len(slots)*d.in), scratch[T](c, expertBlock*d.in, len(slots)*d.out)
			for i, s := range slots {
				copy(rows[i*d.in:(i+1)*d.in], x[d.input(int(s)):])
				copy(grads[i*d.out:(i+1)*d.out], dy[int(s)*d.out:])
			}
			p := product[T]{M: d.out, N: d.in, K: len(slots), A: grads, TransA: true, B: viewOfSlice(rows), C: Slice[T](&c.Out[output[e]-1]), Add: true}
			p.run(c)
		})
	}
}
