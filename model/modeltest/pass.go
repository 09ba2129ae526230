package modeltest

import (
	"fmt"
	"math"

	"github.com/posttrain/posttrain/model"
)

// PassOptions say what Compute computes. The zero value gives hidden states,
// log-probabilities and entropies.
type PassOptions struct {
	Adapter string // active adapter; its virtual tokens are put before all rows
	// Prefix is, for each row, an earlier row whose tokens stand before it, or −1;
	// nil for none. Positions continue those of the prefix.
	Prefix []int32
	// Spare is how many tokens and segments the graph has beyond the live ones.
	Spare  int
	Layers bool // fill Pass.Layers
	Logits bool // fill Pass.Logits
	// Weights turns the loss and the gradients of all trainable parameters on:
	// the loss weight of predicting Weights[row][t], the first of a row unused.
	Weights [][]float64
	// Balance, if not 0, adds that much of the load balance of all mixtures of experts
	// (tensor.LoadBalance) to what is differentiated, and fills Pass.Balance.
	Balance float64
}

// Pass is what a model computes for a packed batch of N tokens, in float64
// whatever the model computes in.
type Pass struct {
	Starts  []int       // first packed row of each row of tokens, and N; virtual tokens of the adapter stand before the first
	Layers  [][]float64 // the input of layer 0, then the output of each layer, each (N·D)
	Hidden  []float64   // after the final norm (N·D)
	LogProb []float64   // of the next token in the segment (N); the last of a segment scores token 0
	Entropy []float64   // nats (N)
	Logits  []float64   // (N·V)
	Loss    float64     // Σ weight·(−log p) / Σ weight
	Balance float64     // tensor.LoadBalance of all mixtures of experts
	Grads   map[string][]float64
}

// Row is the part of x, (N·width), that belongs to segment i.
func (p *Pass) Row(x []float64, i int) []float64 {
	width := len(x) / p.Starts[len(p.Starts)-1]
	return x[p.Starts[i]*width : p.Starts[i+1]*width]
}

// Compute runs m over rows of token ids, packed into one batch. It reads the
// gradients of parameters that are trainable, and clears them.
func Compute(m model.Model, rows [][]int32, o PassOptions) (*Pass, error) {
	c := newComputation(m, rows, o)
	if err := c.compile(); err != nil {
		return nil, err
	}
	defer c.program.Close()
	for _, q := range c.trained {
		q.ZeroGrad()
	}
	if err := c.bind(); err != nil {
		return nil, err
	}
	if err := c.program.Run(); err != nil {
		return nil, err
	}
	return c.read()
}

// Farthest is the largest distance of two lists, and the largest magnitude of the
// second: what a tolerance is compared with. Lists of different lengths, and a
// NaN, are infinitely far apart.
func Farthest(got, want []float64) (distance, magnitude float64) {
	if len(got) != len(want) {
		return math.Inf(1), 0
	}
	for i := range want {
		d := math.Abs(got[i] - want[i])
		if math.IsNaN(d) {
			d = math.Inf(1)
		}
		distance, magnitude = max(distance, d), max(magnitude, math.Abs(want[i]))
	}
	return distance, magnitude
}

// Trainable makes all parameters of m trainable, or none.
func Trainable(m model.Model, on bool) error {
	for name, p := range m.Params() {
		if err := p.SetTrainable(on); err != nil {
			return fmt.Errorf("modeltest: %s: %w", name, err)
		}
	}
	return nil
}

// Norm is the Euclidean norm of x.
func Norm(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	return math.Sqrt(sum)
}
