package reward_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/tensor"
)

// linear is a reward model r = w·x on features, the smallest there is: every
// scored token of a batch has a row of features.
type linear struct {
	loss     reward.Loss
	batch    *reward.Batch
	features [][]float64
	prior    float64 // of ½·prior·‖w‖², which keeps separable data finite
}

// fit minimises the mean loss by Adam with a falling rate, in float64.
func (l linear) fit(t *testing.T, steps int) []float64 {
	t.Helper()
	x, err := reward.NewCalculator(l.loss, capacityOf(l.batch), 1, tensor.Float64)
	require.NoError(t, err)
	width := len(l.features[0])
	w, m, v, scores := make([]float64, width), make([]float64, width), make([]float64, width), make([]float64, len(l.features))
	for step := range steps {
		for i, f := range l.features {
			scores[i] = dot(w, f)
		}
		values, gradient, err := x.At(l.batch, scores)
		require.NoError(t, err)
		rate := 0.1 * (1 - float64(step)/float64(steps))
		for k := range w {
			g := l.prior * w[k]
			for i, f := range l.features {
				g += gradient[i] * f[k] / float64(len(values))
			}
			m[k], v[k] = 0.9*m[k]+0.1*g, 0.99*v[k]+0.01*g*g
			w[k] -= rate * m[k] / (1 - math.Pow(0.9, float64(step+1))) / (math.Sqrt(v[k]/(1-math.Pow(0.99, float64(step+1)))) + 1e-12)
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

func distance(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += (a[i] - b[i]) * (a[i] - b[i])
	}
	return math.Sqrt(sum)
}

func normals(rng *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

// bedWeights are w* of the beds: features of the true reward.
var bedWeights = []float64{1, -0.5, 0.8, 0.3, -0.9, 0.6}

// rankings draws n prompts with k answers each and orders them as Plackett and
// Luce would: best first by reward plus Gumbel noise.
func rankings(rng *rand.Rand, n, k int) (*reward.Batch, [][]float64) {
	var features [][]float64
	for range n {
		answers, utility := make([][]float64, k), make([]float64, k)
		for i := range answers {
			answers[i] = normals(rng, len(bedWeights))
			utility[i] = dot(bedWeights, answers[i]) - math.Log(rng.ExpFloat64())
		}
		for range k {
			best := 0
			for i := range utility {
				if utility[i] > utility[best] {
					best = i
				}
			}
			features = append(features, answers[best])
			utility[best] = math.Inf(-1)
		}
	}
	return batchOf(n, k, nil), features
}

// The check of card R3: w* comes back from 1,000 comparisons in six dimensions.
func TestBradleyTerryRecoversTheReward(t *testing.T) {
	const seeds = 5
	total := 0.0
	for seed := range uint64(seeds) {
		b, x := rankings(rand.New(rand.NewPCG(seed, 1)), 1000, 2)
		total += distance(linear{loss: reward.BradleyTerry{}, batch: b, features: x}.fit(t, 200), bedWeights)
	}
	// The card measured 0.20.
	assert.Less(t, total/seeds, 0.3)
	assert.Greater(t, total/seeds, 0.1)
}

// The other half of R3: comparisons leave the level of scores open, centring
// closes it; smoothing and margins move scores as they say.
func TestShiftsOfBradleyTerry(t *testing.T) {
	b := batchOf(1, 2, nil)
	at := func(l reward.BradleyTerry, r ...float64) float64 {
		values, _ := calculate(t, l, b, r, tensor.Float64)
		return values[0]
	}
	assert.InDelta(t, at(reward.BradleyTerry{}, 1, 0.2), at(reward.BradleyTerry{}, 8, 7.2), 1e-12)
	assert.Greater(t, at(reward.BradleyTerry{Centring: 0.01}, 8, 7.2), at(reward.BradleyTerry{Centring: 0.01}, 0.4, -0.4))
	assert.InDelta(t, at(reward.BradleyTerry{}, 1, 0), math.Log1p(math.Exp(-1)), 1e-12)
	// With smoothing the best difference is finite: log((1−ε)/ε).
	l := reward.BradleyTerry{LabelSmoothing: 0.1}
	best := math.Log(0.9 / 0.1)
	assert.Less(t, at(l, best, 0), at(l, best+0.5, 0))
	assert.Less(t, at(l, best, 0), at(l, best-0.5, 0))
	margin, _ := calculate(t, reward.BradleyTerry{}, batchOf(1, 2, []float64{0.7}), []float64{1.7, 0}, tensor.Float64)
	assert.InDelta(t, at(reward.BradleyTerry{}, 1, 0), margin[0], 1e-12)
}

// printed is the survey's formula for rankings (erratum E5): the sum in every
// factor is over all answers.
type printed struct{ reward.PlackettLuce }

// Name tells it from the right one.
func (printed) Name() string { return "printed" }

// Build implements reward.Loss.
func (printed) Build(_ *tensor.Graph, in reward.Scores) reward.Terms {
	ones := tensor.AddScalar(tensor.Scale(in.Answer, 0), 1)
	all := tensor.Log(tensor.SegmentSum(tensor.Exp(in.Answer), in.AnswerEnds))
	return reward.Terms{Loss: tensor.Sub(tensor.Mul(tensor.SegmentSum(ones, in.AnswerEnds), all), tensor.SegmentSum(in.Answer, in.AnswerEnds))}
}

// The checks of card R4 and erratum E5 on four items: the probabilities of all
// orders sum to 1, those of the survey's formula do not and are all equal.
func TestOrdersOfFourItems(t *testing.T) {
	r := []float64{0.9, -0.3, 0.4, -1.2}
	var scores []float64
	orders := 0
	permute(4, func(order []int) {
		orders++
		for _, i := range order {
			scores = append(scores, r[i])
		}
	})
	require.Equal(t, 24, orders)
	b := batchOf(orders, 4, nil)
	sum := func(l reward.Loss) (total, least, most float64) {
		values, _ := calculate(t, l, b, scores, tensor.Float64)
		least, most = 1, 0
		for _, v := range values {
			p := math.Exp(-v)
			total, least, most = total+p, min(least, p), max(most, p)
		}
		return total, least, most
	}
	total, least, most := sum(reward.PlackettLuce{})
	assert.InDelta(t, 1, total, 1e-6)
	assert.Greater(t, most, 10*least)
	total, least, most = sum(printed{})
	assert.Less(t, total, 0.1)
	assert.InEpsilon(t, least, most, 1e-9)
}

// permute calls f with every order of n numbers.
func permute(n int, f func(order []int)) {
	order := make([]int, 0, n)
	var used [8]bool
	var next func()
	next = func() {
		if len(order) == n {
			f(order)
			return
		}
		for i := range n {
			if !used[i] {
				used[i], order = true, append(order, i)
				next()
				used[i], order = false, order[:len(order)-1]
			}
		}
	}
	next()
}

// The rest of R4: from as many prompts, rankings of four teach far more than one
// comparison each, over ten seeds; InstructGPT's comparisons of all pairs do, too;
// the survey's formula teaches nothing.
func TestRankingsTeachMoreThanPairs(t *testing.T) {
	const seeds, prompts = 10, 300
	mean := map[string]float64{}
	for seed := range uint64(seeds) {
		ranked, x := rankings(rand.New(rand.NewPCG(seed, 2)), prompts, 4)
		paired, y := rankings(rand.New(rand.NewPCG(seed, 3)), prompts, 2)
		for name, l := range map[string]linear{
			"rankings":  {loss: reward.PlackettLuce{}, batch: ranked, features: x},
			"all pairs": {loss: reward.BradleyTerry{}, batch: ranked, features: x},
			"one pair":  {loss: reward.BradleyTerry{}, batch: paired, features: y},
			"printed":   {loss: printed{}, batch: ranked, features: x, prior: 0.01},
		} {
			mean[name] += distance(l.fit(t, 150), bedWeights) / seeds
		}
	}
	t.Log(mean)
	assert.Less(t, mean["rankings"], 0.6*mean["one pair"])
	assert.Less(t, mean["all pairs"], 0.7*mean["one pair"])
	assert.Less(t, mean["rankings"], 0.3)
	assert.Greater(t, mean["printed"], 1.0, "as good as no reward model: w* has norm 1.76")
}

// Card R1: regression finds the reward that grades were made of, and ordinal
// grades their order.
func TestLabelsRecoverTheReward(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	var graded, measured reward.Batch
	graded.Reset()
	measured.Reset()
	var x [][]float64
	for i := range int32(400) {
		f := normals(rng, len(bedWeights))
		x = append(x, f)
		r := dot(bedWeights, f)
		one := func(label float64) reward.Group {
			return reward.Group{Labelled: true, Answers: []reward.Candidate{{IDs: []int32{0}, Label: label}}}
		}
		measured.Add(one(r+0.3*rng.NormFloat64()), reward.LastToken, i)
		graded.Add(one(min(2, max(-2, math.Round(r+0.5*rng.NormFloat64())))), reward.LastToken, i)
	}
	w := linear{loss: reward.Regression{}, batch: &measured, features: x}.fit(t, 300)
	assert.Less(t, distance(w, bedWeights), 0.1)
	w = linear{loss: reward.Ordinal{Levels: []float64{-2, -1, 0, 1, 2}}, batch: &graded, features: x}.fit(t, 300)
	assert.Greater(t, dot(w, bedWeights)/math.Sqrt(dot(w, w)*dot(bedWeights, bedWeights)), 0.98)
}

// Card R2's form of loss: clicks seen with a propensity that depends on the place
// in a list. Labels z/p undo it, plain clicks learn the places.
func TestPropensitiesUndoThePlaceInTheList(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	quality := make([]float64, 10)
	for i := range quality {
		quality[i] = 0.1 + 0.08*float64(i)
	}
	seen := func(item int) float64 { return 1 / (1 + 0.9*float64(item)) } // better items stand further down
	var naive, weighted reward.Batch
	naive.Reset()
	weighted.Reset()
	var x [][]float64
	for n := range int32(6000) {
		item := rng.IntN(10)
		f := make([]float64, 10)
		f[item] = 1
		x = append(x, f)
		z := 0.0
		if rng.Float64() < seen(item)*quality[item] {
			z = 1
		}
		naive.Add(reward.Group{Labelled: true, Answers: []reward.Candidate{{IDs: []int32{0}, Label: z}}}, reward.LastToken, n)
		weighted.Add(reward.Group{Labelled: true, Answers: []reward.Candidate{{IDs: []int32{0}, Label: z / seen(item)}}}, reward.LastToken, n)
	}
	before := kendall(linear{loss: reward.Outcome{}, batch: &naive, features: x}.fit(t, 150), quality)
	after := kendall(linear{loss: reward.Outcome{}, batch: &weighted, features: x}.fit(t, 150), quality)
	t.Logf("Kendall's τ with quality: %.2f, weighted %.2f", before, after)
	assert.Greater(t, after, before+0.3)
	assert.Greater(t, after, 0.7)
}

// kendall is the rank correlation τ.
func kendall(a, b []float64) float64 {
	sum, n := 0.0, 0.0
	for i := range a {
		for j := range i {
			sum += math.Copysign(1, (a[i]-a[j])*(b[i]-b[j]))
			n++
		}
	}
	return sum / n
}
