package losstest

import (
	"math/rand/v2"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/tensor"
)

// batch is B pairs as a loss sees them.
type batch struct {
	chosen, rejected, refChosen, refRejected []float64
	chosenTokens, rejectedTokens, confidence []float64
	prompts                                  []float64 // log-probabilities of the prompts
	meanTokens                               float64

	divergence dpo.Divergence // nil means ReverseKL
}

// surest bounds log-probabilities of a token from above, in nats: probabilities
// are below 1.
const surest = -0.05

// random is n pairs with log-ratios of a few nats.
func random(n int, seed uint64) batch {
	rng := rand.New(rand.NewPCG(seed, 7))
	b := batch{meanTokens: 9.5}
	for range n {
		tokens := [2]float64{float64(1 + rng.IntN(12)), float64(1 + rng.IntN(12))}
		b.chosenTokens, b.rejectedTokens = append(b.chosenTokens, tokens[0]), append(b.rejectedTokens, tokens[1])
		b.refChosen = append(b.refChosen, -tokens[0]*(0.5+rng.Float64()))
		b.refRejected = append(b.refRejected, -tokens[1]*(0.5+rng.Float64()))
		b.confidence = append(b.confidence, 0.5+rng.Float64())
		b.prompts = append(b.prompts, -3*rng.Float64())
	}
	b.chosen, b.rejected = make([]float64, n), make([]float64, n)
	for i := range n {
		b.chosen[i] = min(b.refChosen[i]+2*rng.NormFloat64(), surest*b.chosenTokens[i])
		b.rejected[i] = min(b.refRejected[i]+2*rng.NormFloat64(), surest*b.rejectedTokens[i])
	}
	return b
}

// permuted is the batch in another order.
func (b batch) permuted(order []int) batch {
	take := func(x []float64) []float64 {
		out := make([]float64, len(order))
		for i, from := range order {
			out[i] = x[from]
		}
		return out
	}
	return batch{
		take(b.chosen), take(b.rejected), take(b.refChosen), take(b.refRejected),
		take(b.chosenTokens), take(b.rejectedTokens), take(b.confidence), take(b.prompts), b.meanTokens, b.divergence,
	}
}

// atReference is the batch with the policy put where its reference is.
func (b batch) atReference() batch {
	b.chosen, b.rejected = b.refChosen, b.refRejected
	return b
}

// outcome is what a loss makes of a batch: losses times weights, and the gradients
// of their sum.
type outcome struct{ losses, chosen, rejected []float64 }

// evaluate runs a loss in the precision T, with room for more pairs than there
// are.
func evaluate[T tensor.Float](t checker, l dpo.Loss, b batch, beta float64, capacity int) outcome {
	t.Helper()
	params := [2]*tensor.Param{param[T](t, "chosen", b.chosen, capacity), param[T](t, "rejected", b.rejected, capacity)}
	values := [][]float64{b.refChosen, b.refRejected, b.chosenTokens, b.rejectedTokens, b.confidence, b.prompts}
	var rows [6]*tensor.Node
	var order, mean, seed, loss *tensor.Node
	var acc []tensor.Accumulation
	divergence := b.divergence
	if divergence == nil {
		divergence = dpo.ReverseKL{}
	}
	g, err := tensor.Build(func(g *tensor.Graph) {
		for i, name := range [...]string{"ref_chosen", "ref_rejected", "chosen_tokens", "rejected_tokens", "confidence", "prompts"} {
			rows[i] = tensor.Input(g, params[0].Dtype(), name, capacity)
		}
		order = tensor.Input(g, tensor.Int32, "order", capacity)
		mean, seed = tensor.Input(g, params[0].Dtype(), "mean", 1), tensor.Input(g, params[0].Dtype(), "seed", 1)
		c, r := tensor.Gather(params[0].Node(g), order), tensor.Gather(params[1].Node(g), order)
		terms := l.Build(g, dpo.LogProbs{
			Chosen: c, Rejected: r, RefChosen: rows[0], RefRejected: rows[1],
			ChosenRatio: tensor.Sub(c, rows[0]), RejectedRatio: tensor.Sub(r, rows[1]),
			ChosenTokens: rows[2], RejectedTokens: rows[3], Confidence: rows[4],
			ChosenLikelihood: c, MeanChosenTokens: mean, PromptLikelihood: rows[5], MeanTextTokens: mean,
			Beta: beta, Divergence: divergence,
		})
		if terms.Loss == nil || !terms.Loss.Shape().Eq(c.Shape()) {
			tensor.Fail("losstest: loss %s: got %v, want one number a pair, the shape of LogProbs.Chosen", l.Name(), terms.Loss)
		}
		loss = terms.Loss
		if terms.Weight != nil {
			loss = tensor.Mul(loss, tensor.Detach(terms.Weight))
		}
		wrt := tensor.Nodes{params[0].Node(g), params[1].Node(g)}
		for i, parts := range tensor.Gradients(tensor.Nodes{tensor.Sum(loss)}, tensor.Nodes{seed}, wrt) {
			for _, part := range parts {
				acc = append(acc, tensor.Accumulation{Grad: part, Into: params[i]})
			}
		}
	})
	require.NoError(t, err)
	run, err := tensor.Compile(g, tensor.Nodes{loss}, tensor.CompileOptions{
		Accumulate: acc, Axes: []tensor.Axis{{Name: "pairs", Inputs: append(tensor.Nodes{order}, rows[:]...)}},
	})
	require.NoError(t, err)
	require.NoError(t, run.SetLive("pairs", len(b.chosen)))
	places := make([]int32, len(b.chosen))
	for i := range places {
		places[i] = int32(i)
	}
	require.NoError(t, tensor.Bind(run, order, places))
	for i, n := range rows {
		require.NoError(t, tensor.Bind(run, n, narrow[T](values[i])))
	}
	require.NoError(t, tensor.Bind(run, mean, []T{T(b.meanTokens)}))
	require.NoError(t, tensor.Bind(run, seed, []T{1}))
	require.NoError(t, run.Run())
	got, err := tensor.Values[T](run, loss)
	require.NoError(t, err)
	return outcome{wide(got), gradient(params[0])[:len(b.chosen)], gradient(params[1])[:len(b.chosen)]}
}

// param holds the live values and, behind them, numbers that must not count.
func param[T tensor.Float](t checker, name string, v []float64, capacity int) *tensor.Param {
	t.Helper()
	x := narrow[T](v)
	for len(x) < capacity {
		x = append(x, -1e6)
	}
	p, err := tensor.NewParam(name, x, capacity)
	require.NoError(t, err)
	require.NoError(t, p.SetTrainable(true))
	return p
}

func narrow[T tensor.Float](v []float64) []T {
	out := make([]T, len(v))
	for i, x := range v {
		out[i] = T(x)
	}
	return out
}

func wide[T tensor.Float](v []T) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

func gradient(p *tensor.Param) []float64 {
	if g := p.Grad64(); g != nil {
		return g
	}
	return wide(p.Grad())
}
