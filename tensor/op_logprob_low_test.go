package tensor

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// lowRankTrial is logProbTrial with an update of rank r of the head. It returns
// the same distribution with concatenated columns too, [h low] and [head B].
func lowRankTrial(n, m, d, v, r int, o LogProbOptions, outs ...int) (low, joined trial) {
	joined = logProbTrial(n, m, d+r, v, o, outs...)
	low = joined
	low.floats = map[string][]float64{"h": columns(joined.floats["h"], d+r, 0, d), "head": columns(joined.floats["head"], d+r, 0, d),
		"low": columns(joined.floats["h"], d+r, d, d+r), "lowhead": columns(joined.floats["head"], d+r, d, d+r)}
	low.shapes = map[string][]int{"h": {n, d}, "head": {v, d}, "low": {n, r}, "lowhead": {v, r}}
	low.build = func(in map[string]*Node) Nodes {
		p := Distribution{H: in["h"], Head: in["head"], Low: in["low"], LowHead: in["lowhead"], Options: o}.LogProbs(in["rows"], in["targets"])
		all := Nodes{p.LogProb, p.Entropy, p.LogSumExp, p.SumLogProb, p.SumSquares, p.MeanLogit, p.ArgMax}
		var list Nodes
		for _, i := range outs {
			list = append(list, all[i])
		}
		return list
	}
	return low, joined
}

// columns is columns lo to hi of a matrix of width d.
func columns(x []float64, d, lo, hi int) []float64 {
	var y []float64
	for at := 0; at < len(x); at += d {
		y = append(y, x[at+lo:at+hi]...)
	}
	return y
}

func TestLowRankHeadIsTheHeadOfJoinedColumns(t *testing.T) {
	for _, o := range []LogProbOptions{{}, {SoftCap: 2, Temperature: 1.3, LogitScale: 0.4}} {
		const d, r, v = 5, 3, 2*maxVocabChunk + 700
		tr, joined := lowRankTrial(7, 9, d, v, r, o, everyStatistic...)
		want := naiveLogProb(joined, o)
		for i, x := range runTrial[float64](t, tr) {
			requireClose(t, want[i], x, logProbTol64, "float64")
		}
		for i, x := range runTrial[float32](t, tr) {
			requireClose(t, want[i], x, logProbTol32, "float32")
		}
		tr, joined = lowRankTrial(7, 9, d, v, r, o, outLogProb, outEntropy)
		seeds := [][]float64{normal(rand.New(rand.NewPCG(1, 2)), 9), normal(rand.New(rand.NewPCG(3, 4)), 9)}
		_, full := runGradients[float64](t, joined, seeds, "h", "head")
		_, got := runGradients[float64](t, tr, seeds, "h", "head", "low", "lowhead")
		for i, part := range [][]float64{columns(full[0], d+r, 0, d), columns(full[1], d+r, 0, d), columns(full[0], d+r, d, d+r), columns(full[1], d+r, d, d+r)} {
			requireClose(t, part, got[i], logProbTol64, "gradients")
		}
		_, some := runGradients[float64](t, tr, seeds, "low", "lowhead")
		require.Equal(t, got[2:], some, "the head's gradient is not needed for that of its update")
	}
}

func TestLowRankHeadGradients(t *testing.T) {
	tr, _ := lowRankTrial(5, 4, 3, 11, 2, LogProbOptions{Temperature: 0.7, LogitScale: 1.2}, outLogProb)
	checkGradients(t, tr, "h", "low", "lowhead")
}

func TestLowRankHeadComputesLiveRowsOnlyAndAllocatesNothing(t *testing.T) {
	tr, _ := lowRankTrial(7, 9, 5, 600, 2, LogProbOptions{}, outLogProb)
	wrt := []string{"h", "low", "lowhead"}
	seeds := [][]float64{normal(rand.New(rand.NewPCG(1, 2)), 9)}
	outs, grads := runGradients[float32](t, tr, seeds, wrt...)
	tr.shapes = map[string][]int{"h": {12, 5}, "low": {12, 2}, "head": {600, 5}, "lowhead": {600, 2}, "rows": {20}, "targets": {20}}
	tr.axes = map[string][]string{"tokens": {"h", "low"}, "scored": {"rows", "targets", "seed0"}}
	tr.live = map[string]int{"tokens": 7, "scored": 9}
	outs2, grads2 := runGradients[float32](t, tr, seeds, wrt...)
	require.Equal(t, outs, outs2)
	require.Equal(t, grads, grads2)
	k := compileTrial[float32](t, tr, wrt...)
	k.bind(t, "seed0", seeds[0])
	k.run(t)
	k.requireNoAllocations(t)
}

func TestLowRankHeadReportsFaults(t *testing.T) {
	for want, shape := range map[string][2]int{"want (N, R) and (V, R)": {4, 3}, "kl: a low-rank update of the head is not supported": {4, 2}} {
		_, err := Build(func(g *Graph) {
			ids := Input(g, Int32, "ids", 4)
			p := Distribution{H: Input(g, Float32, "h", 4, 8), Head: Input(g, Float32, "head", 9, 8)}
			p.Low, p.LowHead = Input(g, Float32, "low", shape[0], shape[1]), Input(g, Float32, "lowhead", 9, 2)
			p.LogProbs(ids, ids)
			TokenKL(p, p, ids)
		})
		require.ErrorIs(t, err, ErrBuild)
		require.ErrorContains(t, err, want)
	}
	_, err := Build(func(g *Graph) {
		ids := Input(g, Int32, "ids", 4)
		Distribution{H: Input(g, Float32, "h", 4, 8), Head: Input(g, Float32, "head", 9, 8), Low: Input(g, Float32, "low", 4, 2)}.LogProbs(ids, ids)
	})
	require.ErrorContains(t, err, "want both or none")
}
