package unpaired_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/unpaired"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// session is a run that can be started again from nothing but its folder.
type session struct {
	rows []unpaired.Row
	opts unpaired.Options
}

func (s session) trainer(t *testing.T, dir string, resume bool) (*unpaired.Trainer, error) {
	t.Helper()
	loop := trial.Loop(9)
	loop.Out, loop.Resume, loop.SaveEvery = dir, resume, 3
	return unpaired.New(adapted(t, tensor.Float32, false), batcher(t, s.rows, unpaired.BatchOptions{RowsPerStep: 4, TokensPerMicro: 24, Seed: 3}), s.opts, loop)
}

// losses runs until the step stop, or to the end.
func losses(t *testing.T, tr *unpaired.Trainer, stop int) (list []float64) {
	t.Helper()
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		list = append(list, s.Loss)
		if s.N == stop {
			break
		}
	}
	return list
}

// A resumed run is the undisturbed one; BCO's running mean goes on with it.
func TestResumedRunIsTheUndisturbedOne(t *testing.T) {
	for _, l := range unpaired.Losses() {
		t.Run(l.Name(), func(t *testing.T) {
			s := session{rows: someRows(14), opts: unpaired.Options{Loss: l, Beta: 1}}
			whole, err := s.trainer(t, "", false)
			require.NoError(t, err)
			want := losses(t, whole, 0)
			require.Len(t, want, 9)
			dir := t.TempDir()
			first, err := s.trainer(t, dir, false)
			require.NoError(t, err)
			require.Equal(t, want[:5], losses(t, first, 5)) // the checkpoint is of step 3
			second, err := s.trainer(t, dir, true)
			require.NoError(t, err)
			require.Equal(t, want[3:], losses(t, second, 0))
			for i, p := range second.Parameters() {
				require.Equal(t, whole.Parameters()[i].Data(), p.Data(), p.Name())
			}
		})
	}
}

func TestResumeRefusesOtherRuns(t *testing.T) {
	s := session{rows: someRows(14)}
	dir := t.TempDir()
	first, err := s.trainer(t, dir, false)
	require.NoError(t, err)
	losses(t, first, 4)
	for name, change := range map[string]func(s *session){
		"rows":      func(s *session) { s.rows = someRows(13) },
		"labels":    func(s *session) { s.rows = someRows(14); s.rows[0].Desirable = !s.rows[0].Desirable },
		"loss":      func(s *session) { s.opts.Loss = unpaired.KTO{DesirableWeight: 2} },
		"beta":      func(s *session) { s.opts.Beta = 0.2 },
		"reference": func(s *session) { s.opts.Reference.Base = true },
	} {
		t.Run(name, func(t *testing.T) {
			other := s
			change(&other)
			tr, err := other.trainer(t, dir, true)
			if err == nil {
				for _, err = range tr.Steps(t.Context()) {
					break
				}
			}
			if name == "rows" || name == "labels" {
				require.ErrorIs(t, err, unpaired.ErrDataChanged)
				return
			}
			require.ErrorIs(t, err, train.ErrOptionsChanged)
			require.ErrorContains(t, err, name)
		})
	}
}

// With a fresh adapter, and with one whose copy is the reference, every loss starts
// where it says, with z = 0 and all rewards 0 (traps T22 and T24).
func TestEveryLossStartsWhereItSays(t *testing.T) {
	for _, l := range append(unpaired.Losses(), unpaired.KTO{DesirableWeight: 1.5, UndesirableWeight: 0.5}) {
		for _, zero := range []bool{true, false} {
			src := batcher(t, someRows(9), unpaired.BatchOptions{RowsPerStep: 9, TokensPerMicro: 32})
			tr, err := unpaired.New(adapted(t, tensor.Float32, zero), src, unpaired.Options{Loss: l}, trial.Loop(1))
			require.NoError(t, err)
			for s, err := range tr.Steps(t.Context()) {
				require.NoError(t, err)
				want := (6*l.Traits().AtReference[0] + 3*l.Traits().AtReference[1]) / 9
				assert.InDelta(t, want, s.Loss, 1e-6, l.Name())
				for _, name := range []string{"rewards/chosen", "rewards/rejected", "rewards/margins", "kl", "delta"} {
					v, _ := s.Metrics.Value(name)
					assert.Zero(t, v, "%s: %s", l.Name(), name)
				}
			}
		}
	}
}

// liar declares another value than it has.
type liar struct{ unpaired.APOZero }

func (liar) Traits() unpaired.Traits {
	return unpaired.Traits{Known: true, AtReference: [2]float64{1, 1}}
}

func TestTheFirstStepIsChecked(t *testing.T) {
	src := func() *unpaired.Batcher { return batcher(t, someRows(9), unpaired.BatchOptions{}) }
	tr, err := unpaired.New(adapted(t, tensor.Float32, true), src(), unpaired.Options{Loss: liar{}}, trial.Loop(1))
	require.NoError(t, err)
	for _, err := range tr.Steps(t.Context()) {
		require.ErrorIs(t, err, dpo.ErrReference)
		require.ErrorContains(t, err, "as it declares")
	}
	p := adapted(t, tensor.Float32, true)
	tr, err = unpaired.New(p, src(), unpaired.Options{}, trial.Loop(1))
	require.NoError(t, err)
	for _, q := range p.Adapter.Params() { // behind the trainer's back
		v := make([]float64, q.Len())
		for i := range v {
			v[i] = 0.1
		}
		require.NoError(t, q.Set(v))
	}
	for _, err := range tr.Steps(t.Context()) {
		require.ErrorIs(t, err, dpo.ErrReference)
	}
}

// Labels are learnt, and evaluations show it; BCO's δ is not moved by them.
func TestLabelsAreLearnt(t *testing.T) {
	for _, l := range unpaired.Losses() {
		t.Run(l.Name(), func(t *testing.T) {
			eval := batcher(t, someRows(8), unpaired.BatchOptions{RowsPerStep: 8, Epochs: 1, Sequential: true})
			run := func(evalEvery int) (margins []float64, last float64) {
				loop := train.Options{Optimizer: train.AdamW{LR: 1e-2}, MaxSteps: 20, EvalEvery: evalEvery}
				o := unpaired.Options{Loss: l, Beta: 0.5, EvalData: eval}
				tr, err := unpaired.New(adapted(t, tensor.Float32, true), batcher(t, someRows(8), unpaired.BatchOptions{RowsPerStep: 8}), o, loop)
				require.NoError(t, err)
				require.NoError(t, tr.Train(t.Context(), train.Hooks{Event: func(e train.Event) error {
					switch e.Kind {
					case train.EventEval:
						v, ok := e.Metrics.Value("eval_rewards/margins")
						require.True(t, ok)
						margins = append(margins, v)
					case train.EventStep:
						last, _ = e.Metrics.Value("loss")
					}
					return nil
				}}))
				return margins, last
			}
			margins, last := run(0)
			require.Len(t, margins, 2)
			assert.Zero(t, margins[0])
			assert.Greater(t, margins[1], 0.3)
			_, often := run(2)
			assert.Equal(t, last, often, "evaluations change nothing")
		})
	}
}

// Losses and gradients are finite wherever policy and reference stand.
func TestExtremesAreFinite(t *testing.T) {
	for _, l := range append(unpaired.Losses(), unpaired.BCO{Density: &unpaired.DensityRatio{}}) {
		p := problem{beta: 0.3}
		for i := range 6 {
			p.policy = append(p.policy, -400+300*float64(i%3-1))
			p.reference = append(p.reference, -400)
			p.ends, p.desirable = append(p.ends, int32(i+1)), append(p.desirable, float64(i/3))
			p.likeness = append(p.likeness, float64(i%2))
		}
		for _, p.baseline = range []float64{0, 300} {
			for _, got := range []result{evaluate[float64](t, l, p), evaluate[float32](t, l, p)} {
				for _, v := range append(got.losses, got.grads...) {
					assert.False(t, math.IsNaN(v) || math.IsInf(v, 0), "%s: %v", l.Name(), v)
				}
			}
		}
	}
}

// Gradients are those of finite differences.
func TestGradientsAreThoseOfDifferences(t *testing.T) {
	const step, tol = 1e-5, 1e-8 // rounding against curvature, in float64 and for losses of order 1
	for _, l := range append(unpaired.Losses(), unpaired.KTO{DesirableWeight: 1.5, UndesirableWeight: 0.3}, unpaired.BCO{Density: &unpaired.DensityRatio{}}) {
		p := problem{
			beta: 0.4, baseline: 0.7, policy: []float64{-3, -1, -2, -4, -1, -2}, reference: []float64{-2, -2, -3, -1, -1, -3},
			ends: []int32{1, 3, 4, 6}, desirable: []float64{1, 0, 1, 0}, likeness: []float64{0.2, 0.6, 0.5, 0.9},
		}
		got := evaluate[float64](t, l, p).grads
		for i, at := range p.policy {
			p.policy[i] = at + step
			up := average(evaluate[float64](t, l, p).losses)
			p.policy[i] = at - step
			down := average(evaluate[float64](t, l, p).losses)
			p.policy[i] = at
			assert.InDelta(t, (up-down)/(2*step), got[i], tol, "%s: token %d", l.Name(), i)
		}
	}
}
