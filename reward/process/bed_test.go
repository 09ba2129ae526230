package process_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/reward/process"
	"github.com/posttrain/posttrain/tensor"
)

const bedSteps = 6

// attempt is a solution of TB6 of the method cards: six steps, each right with
// probability 0.85 after right ones, no recovery, and noisy evidence about each.
type attempt struct {
	seen  [bedSteps][]float64 // evidence of the step, the smallest so far, 1
	right int                 // steps before the first mistake
}

func try(rng *rand.Rand) attempt {
	var a attempt
	along, low, wrong := rng.NormFloat64(), math.Inf(1), false
	for i := range bedSteps {
		wrong = wrong || rng.Float64() > 0.85
		along = 0.7*along + math.Sqrt(1-0.49)*rng.NormFloat64()
		evidence := 1 + 1.2*along
		if wrong {
			evidence -= 2
		} else {
			a.right++
		}
		low = min(low, evidence)
		a.seen[i] = []float64{evidence, low, 1}
	}
	return a
}

// The check of card R6 on TB6: from labels of steps a linear process reward model
// learns probabilities that are calibrated, and finds first mistakes far better
// than chance (F1 of ProcessBench: harmonic mean of the accuracies on faulty and on
// faultless solutions; calling all faultless, or all faulty at the first step, has
// 0).
func TestProcessModelFindsTheFirstMistake(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	const training = 400
	var b reward.Batch
	b.Reset()
	var x [][]float64
	for i := range int32(training) {
		a, c := try(rng), reward.Candidate{IDs: make([]int32, bedSteps)}
		for k, f := range a.seen {
			y := 0.0
			if k < a.right {
				y = 1
			}
			c.Marks = append(c.Marks, reward.Mark{Token: k, Label: y})
			x = append(x, f)
		}
		b.Add(reward.Group{Answers: []reward.Candidate{c}}, reward.MarkedTokens, i)
	}
	w := fit(t, &b, x)
	judge := func(a attempt) (p []float64) {
		for _, f := range a.seen {
			p = append(p, 1/(1+math.Exp(-dot(w, f))))
		}
		return p
	}
	var logOdds, labels []float64
	var hits, cases [2]float64 // of faulty and faultless solutions
	for range 500 {
		a := try(rng)
		p := judge(a)
		for i := range p {
			y := 0.0
			if i < a.right {
				y = 1
			}
			logOdds, labels = append(logOdds, math.Log(p[i]/(1-p[i]))), append(labels, y)
		}
		found := slices.IndexFunc(p, func(v float64) bool { return v < 0.5 })
		if found < 0 {
			found = bedSteps
		}
		kind := 0
		if a.right == bedSteps {
			kind = 1
		}
		cases[kind]++
		if found == a.right {
			hits[kind]++
		}
	}
	c, err := reward.Calibrate(logOdds, labels)
	require.NoError(t, err)
	faulty, faultless := hits[0]/cases[0], hits[1]/cases[1]
	f1 := 2 * faulty * faultless / (faulty + faultless)
	t.Logf("AUC %.3f, calibration error %.3f, F1 %.2f (faulty %.2f, faultless %.2f)", c.AUC, c.ECE, f1, faulty, faultless)
	assert.Greater(t, c.AUC, 0.85)
	assert.Less(t, c.ECE, 0.05)
	assert.Greater(t, f1, 0.45)
}

// fit minimises the mean cross-entropy of steps by gradient descent.
func fit(t *testing.T, b *reward.Batch, x [][]float64) []float64 {
	t.Helper()
	room := reward.Capacity{Tokens: len(b.Tokens), Groups: len(b.Groups), Answers: len(b.Last), Rows: len(b.Rows)}
	calculator, err := reward.NewCalculator(process.Loss{}, room, 1, tensor.Float64)
	require.NoError(t, err)
	w, scores := make([]float64, len(x[0])), make([]float64, len(x))
	for range 300 {
		for i, f := range x {
			scores[i] = dot(w, f)
		}
		_, gradient, err := calculator.At(b, scores)
		require.NoError(t, err)
		for i, f := range x {
			for k, v := range f {
				w[k] -= gradient[i] * v / float64(len(x))
			}
		}
	}
	return w
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
