package sft_test

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/tensor"
)

// Tolerances of the loss fixtures (README of oracle/trainers, §1), relative to
// the largest number compared.
const (
	loss64Tol = 1e-12
	loss32Tol = 1e-5
	// loss64Floor, in nats, matters for the losses of huge logits alone: 7e-12 is
	// the difference of logits in the hundreds, of which float64, the fixture's
	// too, has 13 digits.
	loss64Floor = 1e-2
	// loss32Floor is the fixture's own floor of a relative distance in float32:
	// a loss of 7e-12 has no digits there.
	loss32Floor = 1e-6
	// accuracyTol is for accuracies, which the fixture has in float32.
	accuracyTol = 1e-7
	// entropyTol is absolute, in nats: entropies are differences of logits, of
	// which float64 has 13 digits where these are in the hundreds.
	entropyTol = 1e-12
)

// array is a tensor of a fixture; sft has no special values.
type array struct {
	Shape []int     `json:"shape"`
	Data  []float64 `json:"data"`
}

// lossCase is a case of losses/sft.json.gz.
type lossCase struct {
	ID     string `json:"id"`
	Params struct {
		Smoothing   float64 `json:"label_smoothing"`
		UseNumItems bool    `json:"use_num_items"`
		LossType    string  `json:"loss_type"`
	} `json:"params"`
	Inputs  map[string]array `json:"inputs"`
	Outputs struct {
		Loss       float64          `json:"loss"`
		PerExample array            `json:"per_example"`
		Grads      map[string]array `json:"grads"`
		Extra      struct {
			Items array `json:"num_items_in_batch"`
		} `json:"extra"`
		Metrics struct {
			Micro []struct {
				Entropy  float64 `json:"entropy"`
				Accuracy float64 `json:"mean_token_accuracy"`
			} `json:"per_micro_batch"`
		} `json:"metrics"`
	} `json:"outputs"`
}

func (c *lossCase) loss() sft.Loss {
	if c.Params.LossType == "dft" {
		return sft.DFT{} // label smoothing is ignored
	}
	return sft.NLL{LabelSmoothing: c.Params.Smoothing}
}

func TestOracleLosses(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "trainers/losses") {
		var file struct {
			Cases []lossCase `json:"cases"`
		}
		oracle.ReadJSON(t, filepath.Join(root, "sft.json.gz"), &file)
		for i := range file.Cases {
			c := &file.Cases[i]
			t.Run(c.ID, func(t *testing.T) {
				compareLoss[float64](t, c, loss64Tol, loss64Floor)
				compareLoss[float32](t, c, loss32Tol, loss32Floor)
				tally.Compared(1)
			})
		}
	}
}

// scored is one micro-batch of logits (N,V) as a program: hidden states that are
// the logits themselves, under a head that is the identity.
type scored[T tensor.Float] struct {
	logits           *tensor.Param
	rows, targets    []int32
	weights          []T
	run              *tensor.Program
	nodes            [3]*tensor.Node // rows, targets, weights
	seed             *tensor.Node
	loss             *tensor.Node
	entropy, argMax  *tensor.Node
	vocabulary, size int
}

func compareLoss[T tensor.Float](t *testing.T, c *lossCase, tol, floor float64) {
	var micros []*scored[T]
	total := 0
	for j := 0; ; j++ {
		logits, ok := c.Inputs[fmt.Sprintf("logits_%d", j)]
		if !ok {
			break
		}
		s := newScored[T](t, c, logits, c.Inputs[fmt.Sprintf("labels_%d", j)])
		micros = append(micros, s)
		total += len(s.rows)
	}
	require.Len(t, micros, c.Outputs.PerExample.Shape[0])
	if c.Params.UseNumItems {
		require.Equal(t, c.Outputs.Extra.Items.Data[0], float64(total))
	}
	sum := 0.0
	for j, s := range micros {
		denominator := total
		if !c.Params.UseNumItems {
			denominator = len(s.rows)
		}
		seed := 1 / float64(max(1, denominator))
		loss := s.compute(t, T(seed)) * seed
		sum += loss
		near(t, []float64{c.Outputs.PerExample.Data[j]}, []float64{loss}, tol, floor, "loss of micro-batch %d", j)
		near(t, c.Outputs.Grads[fmt.Sprintf("logits_%d", j)].Data, gradient[T](s.logits), tol, floor, "gradient of micro-batch %d", j)
		if tol == loss64Tol {
			s.compareMetrics(t, c.Outputs.Metrics.Micro[j].Entropy, c.Outputs.Metrics.Micro[j].Accuracy)
		}
	}
	near(t, []float64{c.Outputs.Loss}, []float64{sum}, tol, floor, "loss")
}

// newScored builds the program of one micro-batch; label t is predicted by row
// t−1, the first of a row counts for nothing.
func newScored[T tensor.Float](t *testing.T, c *lossCase, logits, labels array) *scored[T] {
	width, vocabulary := logits.Shape[1], logits.Shape[2]
	s := &scored[T]{size: logits.Shape[0] * width, vocabulary: vocabulary}
	for i, label := range labels.Data {
		if label >= 0 && i%width > 0 {
			s.rows, s.targets, s.weights = append(s.rows, int32(i-1)), append(s.targets, int32(label)), append(s.weights, 1)
		}
	}
	h := make([]T, len(logits.Data))
	for i, v := range logits.Data {
		h[i] = T(v)
	}
	identity := make([]T, vocabulary*vocabulary)
	for i := range vocabulary {
		identity[i*vocabulary+i] = 1
	}
	var err error
	s.logits, err = tensor.NewParam("logits", h, s.size, vocabulary)
	require.NoError(t, err)
	require.NoError(t, s.logits.SetTrainable(true))
	head, err := tensor.NewParam("head", identity, vocabulary, vocabulary)
	require.NoError(t, err)
	s.build(t, c.loss(), head)
	return s
}

func (s *scored[T]) build(t *testing.T, loss sft.Loss, head *tensor.Param) {
	var acc []tensor.Accumulation
	g, err := tensor.Build(func(g *tensor.Graph) {
		s.nodes = [3]*tensor.Node{tensor.Input(g, tensor.Int32, "rows", s.size), tensor.Input(g, tensor.Int32, "targets", s.size), tensor.Input(g, s.logits.Dtype(), "weights", s.size)}
		s.seed = tensor.Input(g, s.logits.Dtype(), "seed", 1)
		h := s.logits.Node(g)
		lp := tensor.TokenLogProb(h, head.Node(g), s.nodes[0], s.nodes[1], tensor.LogProbOptions{})
		each := loss.Build(sft.Tokens{LogProbs: lp, Hidden: h, Rows: s.nodes[0], Targets: s.nodes[1], Vocab: s.vocabulary})
		s.loss, s.entropy, s.argMax = tensor.MaskedSum(each, s.nodes[2]), lp.Entropy, lp.ArgMax
		for _, part := range tensor.Gradients(tensor.Nodes{s.loss}, tensor.Nodes{s.seed}, tensor.Nodes{h})[0] {
			acc = append(acc, tensor.Accumulation{Grad: part, Into: s.logits})
		}
	})
	require.NoError(t, err)
	s.run, err = tensor.Compile(g, tensor.Nodes{s.loss, s.entropy, s.argMax}, tensor.CompileOptions{
		Accumulate: acc, Axes: []tensor.Axis{{Name: "targets", Inputs: s.nodes[:]}},
	})
	require.NoError(t, err)
}

// compute runs the program and returns the sum of losses.
func (s *scored[T]) compute(t *testing.T, seed T) float64 {
	require.NoError(t, s.run.SetLive("targets", len(s.rows)))
	require.NoError(t, tensor.Bind(s.run, s.nodes[0], s.rows))
	require.NoError(t, tensor.Bind(s.run, s.nodes[1], s.targets))
	require.NoError(t, tensor.Bind(s.run, s.nodes[2], s.weights))
	require.NoError(t, tensor.Bind(s.run, s.seed, []T{seed}))
	require.NoError(t, s.run.Run())
	v, err := tensor.Values[T](s.run, s.loss)
	require.NoError(t, err)
	return float64(v[0])
}

func (s *scored[T]) compareMetrics(t *testing.T, entropy, accuracy float64) {
	h, err := tensor.Values[T](s.run, s.entropy)
	require.NoError(t, err)
	best, err := tensor.Values[int32](s.run, s.argMax)
	require.NoError(t, err)
	require.Len(t, h, len(s.rows))
	gotEntropy, hits := 0.0, 0.0
	for i := range h {
		gotEntropy += float64(h[i]) / float64(len(h))
		if best[i] == s.targets[i] {
			hits += 1 / float64(len(h))
		}
	}
	require.InDelta(t, entropy, gotEntropy, entropyTol)
	require.InDelta(t, accuracy, hits, accuracyTol)
}

// gradient is a parameter's accumulator in float64.
func gradient[T tensor.Float](p *tensor.Param) []float64 {
	if g := p.Grad64(); g != nil {
		return g
	}
	out := make([]float64, p.Len())
	for i, v := range p.Grad() {
		out[i] = float64(v)
	}
	return out
}

// near compares lists relative to the largest number wanted, or to floor.
func near(t *testing.T, want, got []float64, tol, floor float64, what string, args ...any) {
	t.Helper()
	require.Len(t, got, len(want), what)
	size := floor
	for _, v := range want {
		size = math.Max(size, math.Abs(v))
	}
	for i := range want {
		require.LessOrEqual(t, math.Abs(got[i]-want[i]), tol*size, fmt.Sprintf(what, args...)+": element %d: got %v, want %v", i, got[i], want[i])
	}
}
