package blend

import (
	"hash/fnv"
	"math/rand/v2"
)

// DARE drops elements of the task vectors at random and divides the others by the
// share that stays (Yu et al. 2023, "Language Models are Super Mario",
// arXiv:2311.03099, eq. 5 and 6), then adds the sum of what is left, each times its
// factor and all times Scale, to the base; with Elect the signs are elected as in
// TIES instead of summed. What is dropped depends on Seed, the number of the model
// and the name of the parameter only.
type DARE struct {
	Density float64   // probability that an element stays, in (0, 1]; 0 means 0.5
	Scale   float64   // 0 means 1
	Factors []float64 // of the models; nil means 1 each
	Elect   bool
	Seed    uint64
}

// Name is "dare", or "dare_ties".
func (d DARE) Name() string {
	if d.Elect {
		return "dare_ties"
	}
	return "dare"
}

// NeedsBase is true.
func (DARE) NeedsBase() bool { return true }

// Check reports settings that make no sense.
func (d DARE) Check(models int) error {
	return checkTask(d.Name(), d.Density, d.Scale, d.Factors, models)
}

// Combine computes one parameter.
func (d DARE) Combine(dst, base []float64, models [][]float64, name string) {
	tasks := make([][]float64, len(models))
	density := orElse(d.Density, 0.5)
	for i, values := range models {
		tasks[i] = difference(values, base)
		h := fnv.New64a()
		h.Write([]byte(name))
		random := rand.New(rand.NewPCG(d.Seed+uint64(i), h.Sum64()))
		for j := range tasks[i] {
			tasks[i][j] /= density
			if random.Float64() >= density {
				tasks[i][j] = 0
			}
		}
	}
	if d.Elect {
		agree(dst, tasks, d.Factors)
	} else {
		for i, t := range tasks {
			for j, x := range t {
				dst[j] += factor(d.Factors, i) * x
			}
		}
	}
	addScaled(dst, base, orElse(d.Scale, 1))
}
