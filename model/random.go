package model

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"

	"github.com/posttrain/posttrain/tensor"
)

// Maker is a Source that can make any weight it is asked for.
type Maker interface {
	Source
	// Make returns the weight of that name and shape for a model with
	// configuration c.
	Make(c *Config, name string, shape ...int) (*tensor.Param, error)
}

// Random is a Source of random weights, for tests, for measurements without a
// checkpoint, and for training from scratch. A weight depends on Seed and its
// name only.
type Random struct {
	Seed uint64
	// Std is the standard deviation of matrices, 0 for 0.02, the usual one of
	// checkpoints before training. Norm weights are 1, or 0 where the
	// configuration adds 1 to them; biases are 0.
	Std float64
	// Jitter is the standard deviation of noise on norm weights and biases, so
	// that a test notices when one is left out.
	Jitter float64
}

var _ Maker = Random{}

// Names lists nothing: weights are made when they are asked for.
func (Random) Names() []string { return nil }

// Param fails: the shape of the weight is not known.
func (Random) Param(name string) (*tensor.Param, error) {
	return nil, fmt.Errorf("%w: %s: a random source needs a shape", ErrMissingWeight, name)
}

// Make draws the weight.
func (r Random) Make(c *Config, name string, shape ...int) (*tensor.Param, error) {
	h := fnv.New64a()
	h.Write([]byte(name))
	rng := rand.New(rand.NewPCG(r.Seed, h.Sum64()))
	mean, std := 0.0, r.Std
	if std == 0 {
		std = 0.02
	}
	if len(shape) == 1 {
		std = r.Jitter
		if !strings.HasSuffix(name, ".bias") {
			mean = 1 - c.NormOffset
		}
	}
	n := 1
	for _, d := range shape {
		n *= d
	}
	data := make([]float32, n)
	for i := range data {
		data[i] = float32(mean + std*rng.NormFloat64())
	}
	return tensor.NewParam(name, data, shape...)
}
