package trial

import (
	"context"
	"io"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/train"
)

// Loop are options under which steps can be compared: no clipping, a constant rate.
func Loop(steps int) train.Options {
	return train.Options{Optimizer: train.AdamW{LR: 1e-2}, Schedule: train.Constant{}, MaxGradNorm: new(0.0), MaxSteps: steps}
}

// Steps yields steps that are given, as a source of a trainer.
type Steps[S any] struct {
	List []S
	at   int
}

// Next fills step with the next one.
func (s *Steps[S]) Next(step *S) error {
	if s.at == len(s.List) {
		return io.EOF
	}
	*step = s.List[s.at]
	s.at++
	return nil
}

// Rewind starts again with the first.
func (s *Steps[S]) Rewind() { s.at = 0 }

// Trainer is any of the trainers.
type Trainer interface {
	Steps(ctx context.Context) iter.Seq2[train.Step, error]
	Parameters() []train.Parameter
}

// Outcome is what a run computed.
type Outcome struct {
	Losses []float64
	Grads  []float64          // of the last step
	Values []float64          // trained weights
	Last   map[string]float64 // metrics of the last step
}

// Run trains to the end.
func Run(t testing.TB, tr Trainer) Outcome {
	t.Helper()
	out := Outcome{Last: map[string]float64{}}
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		out.Losses = append(out.Losses, s.Loss)
		clear(out.Last)
		for name, v := range s.Metrics.All() {
			out.Last[name] = v
		}
	}
	out.Grads, out.Values = Parameters(tr)
	return out
}

// Parameters lists all gradients and all values.
func Parameters(tr Trainer) (grads, values []float64) {
	for _, p := range tr.Parameters() {
		for _, v := range p.Grad() {
			grads = append(grads, float64(v))
		}
		for _, v := range p.Data() {
			values = append(values, float64(v))
		}
		if wide, ok := p.(train.Parameter64); ok {
			grads, values = append(grads, wide.Grad64()...), append(values, wide.Data64()...)
		}
	}
	return grads, values
}

// Close wants numbers to be near, relative to the largest that is wanted.
func Close(t testing.TB, want, got []float64, tol float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	size := 0.0
	for _, v := range want {
		size = max(size, v, -v)
	}
	require.Positive(t, size, what)
	for i := range want {
		require.InDelta(t, want[i], got[i], tol*size, "%s %d", what, i)
	}
}
