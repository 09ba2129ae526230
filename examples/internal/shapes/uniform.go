package shapes

import (
	"fmt"
	"hash/fnv"
	"math"
	"strings"
	"sync"

	"github.com/posttrain/posttrain/internal/kernel"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// deviation is the standard deviation of matrices, the usual one of checkpoints
// before training.
const deviation = 0.02

// uniform is a source of uniform weights. It is made for speed, so that the time
// until the first step is not that of drawing random numbers.
type uniform struct{ seed uint64 }

var _ model.Maker = uniform{}

// Names implements model.Source.
func (uniform) Names() []string { return nil }

// Param implements model.Source.
func (uniform) Param(name string) (*tensor.Param, error) {
	return nil, fmt.Errorf("%w: %s: a random source needs a shape", model.ErrMissingWeight, name)
}

// piece is the number of weights that one goroutine draws.
const piece = 1 << 20

// Make implements model.Maker: norm weights are neutral, biases 0.
func (u uniform) Make(c *model.Config, name string, shape ...int) (*tensor.Param, error) {
	n := 1
	for _, d := range shape {
		n *= d
	}
	w := make([]float32, n)
	if len(shape) > 1 {
		h := fnv.New32a()
		h.Write([]byte(name))
		u.fill(w, h.Sum32())
	} else if !strings.HasSuffix(name, ".bias") {
		for i := range w {
			w[i] = float32(1 - c.NormOffset)
		}
	}
	return tensor.NewParam(name, w, shape...)
}

// fill draws from ±√3·deviation, which has the standard deviation wanted.
func (u uniform) fill(w []float32, purpose uint32) {
	bound := float32(math.Sqrt(3) * deviation)
	var wait sync.WaitGroup
	for lo := 0; lo < len(w); lo += piece {
		wait.Go(func() {
			part := w[lo:min(lo+piece, len(w))]
			kernel.UniformFill(part, u.seed, purpose, 0, uint64(lo))
			for i, x := range part {
				part[i] = bound * (2*x - 1)
			}
		})
	}
	wait.Wait()
}
