package tensor

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Tolerances relative to the largest element: statistics are logarithms and
// sums of a few thousand float32 logits with errors of some 1e-6 each.
const (
	logProbTol64     = 1e-12
	logProbTol32     = 3e-6
	logProbGradTol32 = 1e-5
)

// logProbTrial scores m rows of n hidden states. Row 1 is never listed, row 0
// more than once.
func logProbTrial(n, m, d, v int, o LogProbOptions, outs ...int) trial {
	rng := rand.New(rand.NewPCG(uint64(m), uint64(v)))
	tr := trial{
		floats: map[string][]float64{"h": normal(rng, n*d), "head": normal(rng, v*d)},
		ints:   map[string][]int32{},
		shapes: map[string][]int{"h": {n, d}, "head": {v, d}},
	}
	for i := range m {
		row := i * 2 % n
		if row == 1 {
			row = 0
		}
		tr.ints["rows"] = append(tr.ints["rows"], int32(row))
		tr.ints["targets"] = append(tr.ints["targets"], int32(rng.IntN(v)))
	}
	tr.ints["targets"][0] = int32(v - 1)
	tr.build = func(in map[string]*Node) Nodes {
		p := TokenLogProb(in["h"], in["head"], in["rows"], in["targets"], o)
		all := Nodes{p.LogProb, p.Entropy, p.LogSumExp, p.SumLogProb, p.SumSquares, p.MeanLogit, p.ArgMax}
		var list Nodes
		for _, i := range outs {
			list = append(list, all[i])
		}
		return list
	}
	return tr
}

// naiveLogProb returns all statistics by their definitions.
func naiveLogProb(tr trial, o LogProbOptions) [][]float64 {
	res := make([][]float64, outArgMax+1)
	d, v := tr.shapes["h"][1], tr.shapes["head"][0]
	for i, row := range tr.ints["rows"] {
		logits := make([]float64, v)
		total, best := 0.0, 0
		for t := range v {
			for c := range d {
				logits[t] += tr.floats["h"][int(row)*d+c] * tr.floats["head"][t*d+c]
			}
			if o.LogitScale != 0 {
				logits[t] *= o.LogitScale
			}
			if o.SoftCap > 0 {
				logits[t] = o.SoftCap * math.Tanh(logits[t]/o.SoftCap)
			}
			if o.Temperature != 0 {
				logits[t] /= o.Temperature
			}
			total += math.Exp(logits[t])
			if logits[t] > logits[best] {
				best = t
			}
		}
		lse := math.Log(total)
		var entropy, sum, squares, mean float64
		for _, l := range logits {
			p := math.Exp(l - lse)
			entropy -= p * (l - lse)
			sum += l - lse
			squares += p * p
			mean += l / float64(v)
		}
		for k, x := range []float64{logits[tr.ints["targets"][i]] - lse, entropy, lse, sum, squares, mean, float64(best)} {
			res[k] = append(res[k], x)
		}
	}
	return res
}

var everyStatistic = []int{outLogProb, outEntropy, outLogSumExp, outSumLogProb, outSumSquares, outMeanLogit, outArgMax}

func TestTokenLogProbEqualsItsDefinition(t *testing.T) {
	for _, o := range []LogProbOptions{{}, {Temperature: 0.7, LogitScale: 0.5}, {SoftCap: 2, Temperature: 1.3, LogitScale: 0.4}} {
		// More than one chunk of the vocabulary, the last a short one.
		tr := logProbTrial(7, 9, 5, 2*maxVocabChunk+700, o, everyStatistic...)
		want := naiveLogProb(tr, o)
		for i, x := range runTrial[float64](t, tr) {
			requireClose(t, want[i], x, logProbTol64, "float64")
		}
		for i, x := range runTrial[float32](t, tr) {
			requireClose(t, want[i], x, logProbTol32, "float32")
		}
		// One statistic at a time gives what all together do.
		all := runTrial[float32](t, tr)
		for _, i := range everyStatistic {
			one := runTrial[float32](t, logProbTrial(7, 9, 5, 2*maxVocabChunk+700, o, i))
			requireClose(t, all[i], one[0], 1e-6, "alone")
		}
	}
}

func TestTokenLogProbGradients(t *testing.T) {
	floating := everyStatistic[:outArgMax]
	for _, o := range []LogProbOptions{{Temperature: 0.7, LogitScale: 1.2}, {SoftCap: 2, Temperature: 1.3}} {
		for _, outs := range append([][]int{floating, {outLogProb}, {outLogProb, outLogSumExp}}, [][]int{{outEntropy}, {outSumSquares}, {outSumLogProb, outMeanLogit}}...) {
			tr := logProbTrial(5, 4, 3, 11, o, outs...)
			checkGradients(t, tr, "h")
			checkGradients(t, tr, "head")
			checkGradients(t, tr, "h", "head")
		}
	}
}

func TestCheapLogProbGradientIsTheFullOne(t *testing.T) {
	tr := logProbTrial(40, 50, 16, 3000, LogProbOptions{Temperature: 0.8}, outLogProb, outLogSumExp)
	rng := rand.New(rand.NewPCG(1, 2))
	seeds := [][]float64{normal(rng, 50), normal(rng, 50)}
	_, full := runGradients[float64](t, tr, seeds, "h", "head")
	_, cheap64 := runGradients[float64](t, tr, seeds, "h")
	requireClose(t, full[0], cheap64[0], logProbTol64, "float64")
	_, cheap := runGradients[float32](t, tr, seeds, "h")
	requireClose(t, full[0], cheap[0], logProbGradTol32, "float32")
	_, full32 := runGradients[float32](t, tr, seeds, "h", "head")
	requireClose(t, full[0], full32[0], logProbGradTol32, "float32, full")
	requireClose(t, full[1], full32[1], logProbGradTol32, "float32, head")
	require.Equal(t, make([]float64, 16), cheap[0][16:32], "row 1 is not listed")

	k := compileTrial[float32](t, tr, "h")
	require.Contains(t, k.p.Nodes(), "logprob.grad")
	k = compileTrial[float32](t, tr, "h", "head")
	require.Contains(t, k.p.Nodes(), "logprob.grad.full")
}

func TestTokenLogProbOfA16BitHead(t *testing.T) {
	const d, v = 8, 300
	tr := logProbTrial(6, 5, d, v, LogProbOptions{}, outLogProb)
	for _, dt := range []Dtype{BFloat16, Float16} {
		head, err := NewParam("w", toFloat32(tr.floats["head"]), v, d)
		require.NoError(t, err)
		half, err := head.Convert(dt)
		require.NoError(t, err)
		rounded := tr
		rounded.floats = map[string][]float64{"h": tr.floats["h"], "head": toFloat64(half.Float32s())}
		seeds := [][]float64{{1, -2, 0.5, 3, 1}}
		outs, grads := runGradients[float32](t, rounded, seeds, "h")
		stored := tr
		stored.floats = map[string][]float64{"h": tr.floats["h"]}
		stored.build = func(in map[string]*Node) Nodes {
			w := half.Node(in["h"].Graph())
			return Nodes{TokenLogProb(in["h"], w, in["rows"], in["targets"], LogProbOptions{}).LogProb}
		}
		outs16, grads16 := runGradients[float32](t, stored, seeds, "h")
		requireClose(t, outs[0], outs16[0], 1e-6, "log-probabilities")
		requireClose(t, grads[0], grads16[0], 1e-6, "gradients")
	}
}

func toFloat32(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

func toFloat64(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func TestTokenLogProbComputesLiveRowsOnly(t *testing.T) {
	for _, wrt := range [][]string{{"h"}, {"h", "head"}} {
		tr := logProbTrial(7, 9, 5, 600, LogProbOptions{}, outLogProb)
		seeds := [][]float64{normal(rand.New(rand.NewPCG(1, 2)), 9)}
		outs, grads := runGradients[float32](t, tr, seeds, wrt...)
		tr.shapes = map[string][]int{"h": {12, 5}, "head": {600, 5}, "rows": {20}, "targets": {20}}
		tr.axes = map[string][]string{"tokens": {"h"}, "scored": {"rows", "targets", "seed0"}}
		tr.live = map[string]int{"tokens": 7, "scored": 9}
		outs2, grads2 := runGradients[float32](t, tr, seeds, wrt...)
		require.Equal(t, outs, outs2)
		require.Equal(t, grads, grads2)
		tr.live["scored"] = 0
		outs3, grads3 := runGradients[float32](t, tr, [][]float64{{}}, wrt...)
		require.Empty(t, outs3[0])
		for i := range grads3 {
			require.Equal(t, make([]float64, len(grads[i])), grads3[i])
		}
	}
}

func TestTokenLogProbIsTheSameOnAnyNumberOfWorkers(t *testing.T) {
	tr := logProbTrial(40, 64, 24, 5000, LogProbOptions{}, everyStatistic[:outArgMax]...)
	var seeds [][]float64
	for range outArgMax {
		seeds = append(seeds, normal(rand.New(rand.NewPCG(1, 2)), 64))
	}
	var outs, grads [3][][]float64
	for i, n := range []int{1, 2, 5} {
		tr.device = NewDevice(n)
		outs[i], grads[i] = runGradients[float32](t, tr, seeds, "h", "head")
		tr.device.Close()
		require.Equal(t, outs[0], outs[i])
		require.Equal(t, grads[0], grads[i])
	}
}

func TestTokenLogProbAllocatesNothing(t *testing.T) {
	for _, wrt := range [][]string{{"h"}, {"h", "head"}} {
		tr := logProbTrial(7, 9, 5, 600, LogProbOptions{}, outLogProb)
		k := compileTrial[float32](t, tr, wrt...)
		k.bind(t, "seed0", make([]float64, 9))
		k.run(t)
		k.requireNoAllocations(t)
	}
}

func TestTokenLogProbReportsFaults(t *testing.T) {
	tr := logProbTrial(7, 9, 5, 600, LogProbOptions{}, outLogProb)
	tr.ints["targets"][3] = 600
	k := compileTrial[float32](t, tr)
	require.ErrorContains(t, k.p.Run(), "id 600 at position 3, want at least 0 and less than 600")
	_, err := Build(func(g *Graph) {
		ids := Input(g, Int32, "ids", 4)
		TokenLogProb(Input(g, Float32, "h", 4, 8), Input(g, Float32, "head", 9, 7), ids, ids, LogProbOptions{})
	})
	require.ErrorIs(t, err, ErrBuild)
	require.ErrorContains(t, err, "want (N, D) and (V, D)")
}

func TestHeadGradientsAddToTheirAccumulator(t *testing.T) {
	const n, m, d, v = 5, 4, 3, 300
	tr := logProbTrial(n, m, d, v, LogProbOptions{}, outLogProb)
	seeds := [][]float64{{1, -2, 0.5, 3}}
	_, want := runGradients[float64](t, tr, seeds, "head")
	head, err := NewParam("w", append([]float64(nil), tr.floats["head"]...), v, d)
	require.NoError(t, err)
	require.NoError(t, head.SetTrainable(true))
	var h, rows, targets, seed *Node
	var o CompileOptions
	g, err := Build(func(g *Graph) {
		h, seed = Input(g, Float64, "h", n, d), Input(g, Float64, "seed", m)
		rows, targets = Input(g, Int32, "rows", m), Input(g, Int32, "targets", m)
		w := head.Node(g)
		p := TokenLogProb(h, w, rows, targets, LogProbOptions{})
		for _, part := range Gradients(Nodes{p.LogProb}, Nodes{seed}, Nodes{w})[0] {
			o.Accumulate = append(o.Accumulate, Accumulation{part, head})
		}
	})
	require.NoError(t, err)
	p, err := Compile(g, nil, o)
	require.NoError(t, err)
	require.NotContains(t, p.Nodes(), "accumulate w", "the kernel adds by itself")
	require.NoError(t, Bind(p, h, tr.floats["h"]))
	require.NoError(t, Bind(p, seed, seeds[0]))
	require.NoError(t, Bind(p, rows, tr.ints["rows"]))
	require.NoError(t, Bind(p, targets, tr.ints["targets"]))
	require.NoError(t, p.Run())
	require.NoError(t, p.Run())
	for i := range want[0] {
		want[0][i] *= 2
	}
	requireClose(t, want[0], head.Grad64(), logProbTol64, "twice the gradient")
}
