package group_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/group"
	"github.com/posttrain/posttrain/tensor"
)

func solution(line int, prompt string, good int, steps ...string) data.StepRow {
	row := data.StepRow{At: data.Place{File: "s", Line: line}, Prompt: prompt, Completions: steps}
	for i := range steps {
		row.Labels = append(row.Labels, i < good)
	}
	return row
}

func TestStepsCompareTheFirstWrongOne(t *testing.T) {
	pairs, report := group.Steps([]data.StepRow{
		solution(1, "Q", 3, "a", "b", "c"),
		solution(2, "Q", 1, "a", "x", "y"), // parts from the first at its second step
		solution(3, "Q", 0, "z"),           // at its first
		solution(4, "Q", 2, "a", "b2"),
		solution(5, "R", 0, "w"), // nothing to compare with
		solution(6, "Q", 0),
	}, "\n")
	want := []data.PairRow{
		{Prompt: "Q\na\n", Chosen: "b", Rejected: "x"},
		{Prompt: "Q\na\n", Chosen: "b2", Rejected: "x"},
		{Prompt: "Q\n", Chosen: "a", Rejected: "z"},
	}
	require.Len(t, pairs, len(want))
	for i, p := range pairs {
		p.At = data.Place{}
		assert.Equal(t, want[i], p)
	}
	assert.Equal(t, group.StepReport{Solutions: 6, Wrong: 3, Pairs: 3, Unmatched: 1, FirstUnmatched: data.Place{File: "s", Line: 5}}, report)
	assert.Contains(t, report.String(), "3 comparisons of steps from 6 solutions")
}

// The check of card P16 on the token tree (TB3, three tokens, depth four): a step
// preference moves probability at the node where solutions part, and nowhere else;
// a preference between whole solutions moves it along both paths.
func TestStepPreferenceMovesTheErringNodeOnly(t *testing.T) {
	moved := func(chosen, rejected [][2]int32) []string { // node and token of each step that counts
		const nodes = 1 + 3 + 9 + 27
		logits, err := tensor.NewParam("logits", make([]float64, 3*nodes), 3*nodes)
		require.NoError(t, err)
		require.NoError(t, logits.SetTrainable(true))
		var seed, ones *tensor.Node
		inputs := map[*tensor.Node][]int32{}
		var acc []tensor.Accumulation
		g, err := tensor.Build(func(g *tensor.Graph) {
			seed, ones = tensor.Input(g, tensor.Float64, "seed", 1), tensor.Input(g, tensor.Float64, "ones", 1)
			x := logits.Node(g)
			ids := func(name string, list ...int32) *tensor.Node {
				n := tensor.Input(g, tensor.Int32, name, len(list))
				inputs[n] = list
				return n
			}
			answer := func(name string, steps [][2]int32) *tensor.Node {
				var sum *tensor.Node
				for i, s := range steps {
					at := fmt.Sprint(name, i)
					own := tensor.Gather(x, ids(at, 3*s[0], 3*s[0]+1, 3*s[0]+2))
					lp := tensor.Sub(tensor.Gather(x, ids(at+"t", 3*s[0]+s[1])), tensor.Log(tensor.Sum(tensor.Exp(own))))
					if sum == nil {
						sum = lp
					} else {
						sum = tensor.Add(sum, lp)
					}
				}
				return sum
			}
			loss := dpo.Sigmoid{}.Build(g, ratios(answer("c", chosen), answer("r", rejected), ones, 1)).Loss
			for _, part := range tensor.Gradients(tensor.Nodes{tensor.Sum(loss)}, tensor.Nodes{seed}, tensor.Nodes{x})[0] {
				acc = append(acc, tensor.Accumulation{Grad: part, Into: logits})
			}
		})
		require.NoError(t, err)
		run, err := tensor.Compile(g, nil, tensor.CompileOptions{Accumulate: acc})
		require.NoError(t, err)
		require.NoError(t, tensor.Bind(run, seed, []float64{1}))
		for n, list := range inputs {
			require.NoError(t, tensor.Bind(run, n, list))
		}
		require.NoError(t, run.Run())
		var list []string
		for node := range nodes {
			sum := 0.0
			for _, g := range logits.Grad64()[3*node : 3*node+3] {
				sum += math.Abs(g)
			}
			if sum > 1e-12 {
				list = append(list, fmt.Sprint(node))
			}
		}
		return list
	}
	// Both solutions begin with token 1 (node 2); there one goes on with 0, the other
	// with 2. Nodes are numbered level by level: the children of i are 3i+1 to 3i+3.
	assert.Equal(t, []string{"2"}, moved([][2]int32{{2, 0}}, [][2]int32{{2, 2}}))
	whole := moved([][2]int32{{0, 1}, {2, 0}, {7, 1}, {23, 0}}, [][2]int32{{0, 1}, {2, 2}, {9, 1}, {29, 0}})
	assert.Equal(t, []string{"2", "7", "9", "23", "29"}, whole)
}
