package reward_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/reward"
)

// solution is one of TB6 of the method cards: six steps, each right with
// probability q after right ones, and what can be seen of each step.
type solution struct {
	seen  []float64 // mean and smallest evidence of a step, their product, 1
	right bool
}

func solve(rng *rand.Rand, q float64) solution {
	const steps, noise, carried = 6, 1.2, 0.7
	s, along, total, low := solution{right: true}, rng.NormFloat64(), 0.0, math.Inf(1)
	for range steps {
		s.right = s.right && rng.Float64() < q
		along = carried*along + math.Sqrt(1-carried*carried)*rng.NormFloat64()
		evidence := -1.0
		if s.right {
			evidence = 1
		}
		evidence += noise * along
		total, low = total+evidence/steps, min(low, evidence)
	}
	s.seen = []float64{total, low, total * low, 1}
	return s
}

// The check of card R5 on TB6: an outcome model learnt from final answers tells
// right solutions from wrong ones, and choosing the best of eight by it beats
// choosing any.
func TestOutcomeModelChoosesAmongSolutions(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	var b reward.Batch
	b.Reset()
	var x [][]float64
	for i := range int32(800) {
		s := solve(rng, 0.85)
		label := 0.0
		if s.right {
			label = 1
		}
		x = append(x, s.seen)
		b.Add(reward.Group{Labelled: true, Answers: []reward.Candidate{{IDs: []int32{0}, Label: label}}}, reward.LastToken, i)
	}
	w := linear{loss: reward.Outcome{}, batch: &b, features: x}.fit(t, 200)
	var logOdds, labels []float64
	chosen, any := 0.0, 0.0
	const problems, samples = 500, 8
	for range problems {
		best, right := math.Inf(-1), false
		for range samples {
			s := solve(rng, 0.85)
			r, label := dot(w, s.seen), 0.0
			if s.right {
				label = 1
				any += 1.0 / problems / samples
			}
			logOdds, labels = append(logOdds, r), append(labels, label)
			if r > best {
				best, right = r, s.right
			}
		}
		if right {
			chosen += 1.0 / problems
		}
	}
	c, err := reward.Calibrate(logOdds, labels)
	require.NoError(t, err)
	t.Logf("AUC %.3f, calibration error %.3f; right: any %.2f, best of %d %.2f", c.AUC, c.ECE, any, samples, chosen)
	assert.Greater(t, c.AUC, 0.85)
	assert.Less(t, c.ECE, 0.06)
	assert.Greater(t, chosen, any+0.25)
}

// world is a bed for card R7: answers with a quality and a feature that grows
// with it in what the first policy writes, and that can be driven further at no
// cost but the true reward's.
type world struct {
	features [][]float64
	gold     []float64
}

func newWorld(rng *rand.Rand) world {
	var w world
	for i := range 200 {
		quality := rng.NormFloat64()
		trick := 0.7*quality + 0.3*rng.NormFloat64()
		if i%20 == 0 {
			quality, trick = -1, 7 // seldom written at first
		}
		w.features = append(w.features, []float64{quality + 0.7*rng.NormFloat64(), trick})
		gold := quality
		if trick > 4 {
			gold -= 2
		}
		w.gold = append(w.gold, gold)
	}
	return w
}

// run climbs the reward model's score by mirror ascent, with the
// reward model trained anew on comparisons of the current policy's answers, beside
// all old ones, every refresh steps; 0 means never.
func (w world) run(t *testing.T, refresh int) (proxy, gold []float64) {
	rng := rand.New(rand.NewPCG(13, 14))
	logits := make([]float64, len(w.gold))
	for i, f := range w.features {
		if f[1] > 4 {
			logits[i] = -6
		}
	}
	var pairs [][2]int
	var weights []float64
	const steps = 400
	for step := range steps {
		policy := softmax(logits)
		if step == 0 || refresh > 0 && step%refresh == 0 {
			for range 400 {
				i, j := draw(rng, policy), draw(rng, policy)
				if rng.Float64() > 1/(1+math.Exp(-2*(w.gold[i]-w.gold[j]))) {
					i, j = j, i
				}
				pairs = append(pairs, [2]int{i, j})
			}
			weights = w.learn(t, pairs)
		}
		score, mean, g := make([]float64, len(logits)), 0.0, 0.0
		for i := range logits {
			score[i] = dot(weights, w.features[i])
			mean, g = mean+policy[i]*score[i], g+policy[i]*w.gold[i]
		}
		proxy, gold = append(proxy, mean), append(gold, g)
		for i := range logits {
			logits[i] += 0.02 * (score[i] - mean)
		}
	}
	return proxy, gold
}

func (w world) learn(t *testing.T, pairs [][2]int) []float64 {
	var x [][]float64
	for _, p := range pairs {
		x = append(x, w.features[p[0]], w.features[p[1]])
	}
	return linear{loss: reward.BradleyTerry{}, batch: batchOf(len(pairs), 2, nil), features: x, prior: 1e-3}.fit(t, 80)
}

func softmax(logits []float64) []float64 {
	top, total := slices.Max(logits), 0.0
	p := make([]float64, len(logits))
	for i, v := range logits {
		p[i] = math.Exp(v - top)
		total += p[i]
	}
	for i := range p {
		p[i] /= total
	}
	return p
}

func draw(rng *rand.Rand, p []float64) int {
	u := rng.Float64()
	for i, v := range p {
		if u -= v; u < 0 {
			return i
		}
	}
	return len(p) - 1
}

// The check of card R7: against a reward model that stands still the true reward
// falls from its peak while the score rises; refreshed every 50 steps with answers
// of the policy as it is, it ends near its best.
func TestRefreshedRewardModelsAreNotOutwitted(t *testing.T) {
	w := newWorld(rand.New(rand.NewPCG(15, 16)))
	proxy, gold := w.run(t, 0)
	peak, end := slices.Max(gold), gold[len(gold)-1]
	t.Logf("still: proxy %.2f to %.2f, gold %.2f, peak %.2f, end %.2f", proxy[0], proxy[len(proxy)-1], gold[0], peak, end)
	assert.Greater(t, proxy[len(proxy)-1], proxy[slices.Index(gold, peak)]+0.5)
	assert.Less(t, end, peak-1)
	_, fresh := w.run(t, 50)
	peak, end = slices.Max(fresh), fresh[len(fresh)-1]
	t.Logf("refreshed: gold %.2f, peak %.2f, end %.2f", fresh[0], peak, end)
	assert.Greater(t, end, 0.95*peak)
	assert.Greater(t, end, slices.Max(gold)-0.05)
}
