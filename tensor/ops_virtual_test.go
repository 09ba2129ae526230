package tensor_test

import (
	"slices"
	"testing"

	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/require"
)

// virtualCases are ops on batches with virtual tokens, whose ids begin at 9.
func virtualCases(n, d int) []opCase {
	const first, k = 9, 3
	var at []int32
	for i := range n {
		at = append(at, int32(i*i%(first+k)))
	}
	return []opCase{{
		name: "ReplaceRows", in: []operand{rows("x", n, d), always("virtual", k, d), ids("ids", "rows", at...)},
		build: one(func(in nodes) *tensor.Node {
			return tensor.ReplaceRows(in["x"], in["virtual"], in["ids"], first)
		}),
		want: func(in map[string]operand) [][]float64 {
			y := slices.Clone(in["x"].data)
			for i, id := range in["ids"].ids {
				if id >= first {
					copy(y[i*d:(i+1)*d], in["virtual"].data[int(id-first)*d:])
				}
			}
			return [][]float64{y}
		},
	}, {
		name: "RealIDs", in: []operand{weight("table", first, d), ids("ids", "rows", at...)},
		build: one(func(in nodes) *tensor.Node {
			return tensor.Embedding(in["table"], tensor.RealIDs(in["ids"], first), 1)
		}),
		want: func(in map[string]operand) [][]float64 {
			var y []float64
			for _, id := range in["ids"].ids {
				if id >= first {
					id = 0
				}
				y = append(y, in["table"].data[int(id)*d:int(id+1)*d]...)
			}
			return [][]float64{y}
		},
	}}
}

func TestReplaceRowsNamesWhatIsWrong(t *testing.T) {
	_, err := tensor.Build(func(g *tensor.Graph) {
		x := tensor.Input(g, tensor.Float32, "x", 2, 4)
		tensor.ReplaceRows(x, tensor.Input(g, tensor.Float32, "rows", 1, 5), tensor.Input(g, tensor.Int32, "ids", 2), 9)
	})
	require.ErrorContains(t, err, "replace_rows: got x float32 (2, 4), rows float32 (1, 5) and ids (2), want (N, D), (K, D) and (N)")

	var x, rows, ids, y *tensor.Node
	g, err := tensor.Build(func(g *tensor.Graph) {
		x, rows, ids = tensor.Input(g, tensor.Float32, "x", 2, 1), tensor.Input(g, tensor.Float32, "rows", 1, 1), tensor.Input(g, tensor.Int32, "ids", 2)
		y = tensor.ReplaceRows(x, rows, ids, 9)
	})
	require.NoError(t, err)
	p, err := tensor.Compile(g, tensor.Nodes{y}, tensor.CompileOptions{})
	require.NoError(t, err)
	defer p.Close()
	require.NoError(t, tensor.Bind(p, x, []float32{1, 2}))
	require.NoError(t, tensor.Bind(p, rows, []float32{3}))
	require.NoError(t, tensor.Bind(p, ids, []int32{9, 10}))
	require.ErrorContains(t, p.Run(), "id 10 at position 1, want at least 0 and less than 10")
}
