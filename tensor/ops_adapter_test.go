package tensor_test

import (
	"math"
	"testing"

	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/require"
)

// adapterCases are ops that adapters other than LoRA need.
func adapterCases(n, d int) []opCase {
	return append(columnCases(n, d), overlayCase(n, d))
}

// always is an operand of fixed size that is never stored in 16 bits.
func always(name string, shape ...int) operand {
	o := weight(name, shape...)
	o.weight = false
	return o
}

func columnCases(n, d int) []opCase {
	x, v, bias := rows("x", n, d), always("v", d), weight("bias", d)
	scaled := func(in map[string]operand) []float64 {
		var y []float64
		for i, x := range in["x"].data {
			y = append(y, x*in["v"].data[i%d])
		}
		return y
	}
	return []opCase{{
		name: "ScaleColumns", in: []operand{x, v},
		build: one(func(in nodes) *tensor.Node { return tensor.ScaleColumns(in["x"], in["v"], nil) }),
		want:  func(in map[string]operand) [][]float64 { return [][]float64{scaled(in)} },
	}, {
		name: "ScaleColumns with bias", in: []operand{x, v, bias},
		build: one(func(in nodes) *tensor.Node { return tensor.ScaleColumns(in["x"], in["v"], in["bias"]) }),
		want:  func(in map[string]operand) [][]float64 { return [][]float64{withBias(scaled(in), in["bias"])} },
	}}
}

// rowNormCases are not in the table because they have neither rows nor gradients.
func rowNormCases(n, d int) []opCase {
	const r, scale = 3, 0.75
	a, b := always("a", r, d), always("b", n, r)
	want := func(at func(in map[string]operand, i, k int) float64) func(in map[string]operand) [][]float64 {
		return func(in map[string]operand) [][]float64 {
			y := make([]float64, n)
			for i := range n {
				for k := range d {
					x := at(in, i, k)
					for j := range r {
						x += scale * in["b"].data[i*r+j] * in["a"].data[j*d+k]
					}
					y[i] += x * x
				}
				y[i] = math.Sqrt(y[i])
			}
			return [][]float64{y}
		}
	}
	build := func(turned bool) func(in nodes) tensor.Nodes {
		return one(func(in nodes) *tensor.Node {
			return tensor.RowNormLoRA(in["w"], in["a"], in["b"], tensor.LoRAOptions{Scale: scale, Transposed: turned})
		})
	}
	return []opCase{
		{name: "RowNormLoRA", noGrad: true, in: []operand{weight("w", n, d), a, b}, build: build(false),
			want: want(func(in map[string]operand, i, k int) float64 { return in["w"].data[i*d+k] })},
		{name: "RowNormLoRA transposed", noGrad: true, in: []operand{weight("w", d, n), a, b}, build: build(true),
			want: want(func(in map[string]operand, i, k int) float64 { return in["w"].data[k*n+i] })},
	}
}

func TestRowNormEqualsItsDefinition(t *testing.T) {
	for _, dims := range [][2]int{small, large} {
		for _, c := range rowNormCases(dims[0], dims[1]) {
			t.Run(c.name, func(t *testing.T) {
				in := map[string]operand{}
				for _, o := range c.in {
					in[o.name] = o
				}
				want := c.want(in)[0]
				requireClose(t, want, newRun[float64](t, c, setting{}).results(t)[0], definitionTol64, "float64")
				atEveryLevel(t, func(level string) {
					single := newRun[float32](t, c, setting{}).results(t)[0]
					requireClose(t, want, single, valueTol32, level)
					for _, dt := range []tensor.Dtype{tensor.BFloat16, tensor.Float16} {
						require.Equal(t, single, newRun[float32](t, c, setting{half: dt}).results(t)[0], dt.String())
					}
				})
			})
		}
	}
}

func overlayCase(n, d int) opCase {
	const v, scale = 9, 1.75
	covered := []int{7, 0, 4}
	var at []int32
	for i := range n {
		at = append(at, int32(i*i%v))
	}
	return opCase{
		name: "EmbeddingOver", in: []operand{weight("table", v, d), always("over", len(covered), d), ids("ids", "rows", at...)},
		build: one(func(in nodes) *tensor.Node {
			return tensor.EmbeddingOver(in["table"], in["over"], in["ids"], covered, scale)
		}),
		want: func(in map[string]operand) [][]float64 {
			var y []float64
			for _, id := range in["ids"].ids {
				row := in["table"].data[int(id)*d : int(id+1)*d]
				for j, c := range covered {
					if c == int(id) {
						row = in["over"].data[j*d : (j+1)*d]
					}
				}
				for _, x := range row {
					y = append(y, scale*x)
				}
			}
			return [][]float64{y}
		},
	}
}

func TestAdapterOpsNameWhatIsWrong(t *testing.T) {
	for want, build := range map[string]func(x, w, v *tensor.Node, ids *tensor.Node) *tensor.Node{
		"scale_columns: got x":          func(x, w, v, _ *tensor.Node) *tensor.Node { return tensor.ScaleColumns(v, v, nil) },
		"scale_columns: bias has shape": func(x, w, v, _ *tensor.Node) *tensor.Node { return tensor.ScaleColumns(x, v, w) },
		"row_norm_lora: got a": func(x, w, v, _ *tensor.Node) *tensor.Node {
			return tensor.RowNormLoRA(w, w, w, tensor.LoRAOptions{Scale: 1})
		},
		"row_norm_lora: got w": func(x, w, v, _ *tensor.Node) *tensor.Node {
			return tensor.RowNormLoRA(w, v, w, tensor.LoRAOptions{Scale: 1})
		},
		"embedding_over: rows are":       func(x, w, v, ids *tensor.Node) *tensor.Node { return tensor.EmbeddingOver(w, x, ids, []int{1}, 1) },
		"embedding_over: index 1 is 9":   func(x, w, v, ids *tensor.Node) *tensor.Node { return tensor.EmbeddingOver(w, x, ids, []int{1, 9}, 1) },
		"an index comes twice in [1 1]":  func(x, w, v, ids *tensor.Node) *tensor.Node { return tensor.EmbeddingOver(w, x, ids, []int{1, 1}, 1) },
		"embedding_over: index 0 is -1,": func(x, w, v, ids *tensor.Node) *tensor.Node { return tensor.EmbeddingOver(w, x, ids, []int{-1, 1}, 1) },
	} {
		_, err := tensor.Build(func(g *tensor.Graph) {
			build(tensor.Input(g, tensor.Float32, "x", 2, 4), tensor.Input(g, tensor.Float32, "w", 3, 4),
				tensor.Input(g, tensor.Float32, "v", 4), tensor.Input(g, tensor.Int32, "ids", 5))
		})
		require.ErrorContains(t, err, want)
	}
}
