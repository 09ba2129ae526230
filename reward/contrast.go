package reward

import "github.com/posttrain/posttrain/tensor"

// Contrast is the sum of the columns of x (R,C), each times its weight: (R). With
// the weights −1 and 1 it turns the logits of two classes into log-odds.
func Contrast(x *tensor.Node, weights []float64) *tensor.Node {
	if x.Dims() != 2 || x.Shape()[1] != len(weights) {
		tensor.Fail("reward: Contrast: got %v and %d weights, want a weight a column", x.Shape(), len(weights))
	}
	return tensor.Apply(tensor.Spec{
		Name:           "contrast",
		Out:            []tensor.Output{{Shape: tensor.Shape{x.Shape()[0]}, Dtype: x.Dtype(), Axis: 1}},
		Differentiable: []bool{true},
		Gradient: func(b *tensor.Backward) tensor.Nodes {
			return tensor.Nodes{spread(b.Grad[0], b.In[0], weights)}
		},
		Kernel: kernel(contrastKernel[float32](weights), contrastKernel[float64](weights)),
	}, x)[0]
}

func contrastKernel[T tensor.Float](weights []float64) tensor.Kernel {
	return func(c *tensor.Call) {
		x, y := tensor.Slice[T](&c.In[0]), tensor.Slice[T](&c.Out[0])
		for r := range y {
			sum := 0.0
			for i, w := range weights {
				if w != 0 {
					sum += w * float64(x[r*len(weights)+i])
				}
			}
			y[r] = T(sum)
		}
	}
}

// spread is the gradient of Contrast.
func spread(dy, like *tensor.Node, weights []float64) *tensor.Node {
	return tensor.Apply(tensor.Spec{
		Name:           "contrast.grad",
		Out:            []tensor.Output{{Shape: like.Shape().Clone(), Dtype: like.Dtype(), Axis: 1}},
		Differentiable: make([]bool, 1),
		Kernel:         kernel(spreadKernel[float32](weights), spreadKernel[float64](weights)),
	}, dy)[0]
}

func spreadKernel[T tensor.Float](weights []float64) tensor.Kernel {
	return func(c *tensor.Call) {
		dy, dx := tensor.Slice[T](&c.In[0]), tensor.Slice[T](&c.Out[0])
		for r, v := range dy {
			for i, w := range weights {
				dx[r*len(weights)+i] = T(w * float64(v))
			}
		}
	}
}
