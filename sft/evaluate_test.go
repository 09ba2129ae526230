package sft_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// measured is what evaluation should find, computed from whole logits.
type measured struct{ loss, nll, entropy, accuracy float64 }

func byHand(t *testing.T, m model.Model, adapter string, rows []data.Example, smoothing float64) measured {
	var ids [][]int32
	for _, e := range rows {
		ids = append(ids, e.IDs)
	}
	pass, err := modeltest.Compute(m, ids, modeltest.PassOptions{Adapter: adapter, Logits: true})
	require.NoError(t, err)
	var sum measured
	n := 0.0
	for r, e := range rows {
		for i := 1; i < len(e.IDs); i++ {
			if !e.Mask[i] {
				continue
			}
			at := pass.Starts[r] + i - 1
			logits := pass.Logits[at*trial.Vocab : (at+1)*trial.Vocab]
			best, lse := 0, 0.0
			for v, x := range logits {
				lse += math.Exp(x)
				if x > logits[best] {
					best = v
				}
			}
			lse = math.Log(lse)
			uniform := 0.0
			for _, x := range logits {
				sum.entropy -= math.Exp(x-lse) * (x - lse)
				uniform += (lse - x) / trial.Vocab
			}
			nll := lse - logits[e.IDs[i]]
			sum.nll += nll
			sum.loss += (1-smoothing)*nll + smoothing*uniform
			if int32(best) == e.IDs[i] {
				sum.accuracy++
			}
			n++
		}
	}
	return measured{sum.loss / n, sum.nll / n, sum.entropy / n, sum.accuracy / n}
}

// constant is a caller's own evaluator.
type constant struct{ err error }

func (c constant) Evaluate(_ context.Context, m *train.Metrics) error {
	m.Set("mine", 42)
	return c.err
}

func TestEvaluationIsTheMeanOverTargets(t *testing.T) {
	const smoothing = 0.2
	for _, family := range trial.Families() {
		if family == "wide" {
			continue
		}
		t.Run(family, func(t *testing.T) {
			p := adapted(t, trial.Model(t, family, tensor.Float64), lora.Config{Dropout: 0.5})
			held := examples(9)
			want := byHand(t, p.Model, "default", held, smoothing)
			o := sft.Options{
				Loss: sft.NLL{LabelSmoothing: smoothing}, NEFTuneAlpha: 50, // neither noise nor dropout in evaluations
				EvalData: batcher(t, 9, data.BatchOptions{Epochs: 1, Sequential: true, TokensPerStep: 40, TokensPerMicro: 20}),
			}
			loop := trial.Loop(3)
			loop.Optimizer, loop.EvalEvery, loop.Evaluator = train.AdamW{LR: still}, 2, constant{}
			tr, err := sft.New(p, batcher(t, 20, data.BatchOptions{TokensPerMicro: 64}), o, loop)
			require.NoError(t, err)
			require.Len(t, steps(t, tr, 0), 3)
			first, latest := tr.Evaluations()
			require.NotNil(t, first)
			assert.NotSame(t, first, latest)
			for _, m := range []*train.Metrics{first, latest} {
				for name, w := range map[string]float64{
					"eval_loss": want.loss, "eval_nll": want.nll, "perplexity": math.Exp(want.nll),
					"eval_entropy": want.entropy, "eval_mean_token_accuracy": want.accuracy, "eval_mine": 42,
				} {
					got, ok := m.Value(name)
					require.True(t, ok, name)
					assert.InDelta(t, w, got, 1e-10*math.Max(1, w), name)
				}
			}
		})
	}
}

// failing is an evaluation source that fails.
type failing struct{ seek, next error }

func (f failing) Next(*data.Step) error  { return f.next }
func (f failing) Seek(data.Cursor) error { return f.seek }

func TestEvaluationErrors(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		src sft.EvalSource
		own train.Evaluator
	}{"seek": {src: failing{seek: broken}}, "next": {src: failing{next: broken}},
		"own": {src: batcher(t, 3, data.BatchOptions{Epochs: 1, TokensPerMicro: 32}), own: constant{err: broken}}} {
		t.Run(name, func(t *testing.T) {
			loop := trial.Loop(1)
			loop.Evaluator = c.own
			tr, err := sft.New(sft.Policy{Model: trial.Model(t, "llama", tensor.Float32)}, oneRow(1), sft.Options{EvalData: c.src}, loop)
			require.NoError(t, err)
			for _, err = range tr.Steps(t.Context()) {
				break
			}
			require.ErrorIs(t, err, broken)
			assert.ErrorContains(t, err, "evaluation")
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		tr, err := sft.New(sft.Policy{Model: trial.Model(t, "llama", tensor.Float32)}, oneRow(1), sft.Options{EvalData: cancelling{cancel}}, trial.Loop(1))
		require.NoError(t, err)
		for _, err = range tr.Steps(ctx) {
			break
		}
		require.ErrorIs(t, err, context.Canceled)
	})
}

// cancelling ends the context of the evaluation it is drawn in.
type cancelling struct{ cancel func() }

func (c cancelling) Next(s *data.Step) error { c.cancel(); *s = data.Step{}; return nil }
func (cancelling) Seek(data.Cursor) error    { return nil }
