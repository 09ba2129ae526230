package generate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"
)

// randomLogits draws n logits with ties and, with holes, tokens that cannot be.
func randomLogits(seed uint64, n int, spread float64, holes bool) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(math.Round(r.NormFloat64()*spread*64) / 64)
		if holes && r.IntN(3) == 0 {
			x[i] = float32(math.Inf(-1))
		}
	}
	return x
}

// TestTruncationFindsWhatSortingFinds compares the passes over the vocabulary
// with the same rules on a sorted list.
func TestTruncationFindsWhatSortingFinds(t *testing.T) {
	for _, n := range []int{1, 2, 17, 300, 5000} {
		for i, o := range []Options{
			{Temperature: 1, TopK: 1}, {Temperature: 0.7, TopK: 40}, {Temperature: 1.5, TopK: n}, {Temperature: 1, TopK: 2 * n},
			{Temperature: 1, TopP: 0.1}, {Temperature: 0.5, TopP: 0.9}, {Temperature: 3, TopP: 0.99}, {Temperature: 1, TopP: 1e-9},
			{Temperature: 1, MinP: 0.1}, {Temperature: 2, MinP: 1}, {Temperature: 1, MinP: 1e-6},
			{Temperature: 0.8, TopK: 100, TopP: 0.8}, {Temperature: 1.2, TopP: 0.95, MinP: 0.02}, {Temperature: 1, TopK: 30, TopP: 0.9, MinP: 0.05},
		} {
			for _, spread := range []float64{0, 0.5, 8} {
				logits := randomLogits(uint64(n+i), n, spread, n > 2)
				logits[n/2] = 3
				o = o.withDefaults()
				fast, plain := sampler{opt: o}, sampler{opt: o}
				fast.truncate(logits, argMax(logits))
				wide := make([]float, n)
				for j, x := range logits {
					wide[j] = float(x)
				}
				plain.truncate64(wide)
				byID := func(a, b candidate) int { return int(a.id - b.id) }
				slices.SortFunc(fast.kept, byID)
				slices.SortFunc(plain.kept, byID)
				require.Equal(t, plain.kept, fast.kept, "n %d, options %+v, spread %g", n, o, spread)
			}
		}
	}
}

func TestGreedyTakesTheFirstOfEquals(t *testing.T) {
	s := sampler{opt: Options{}.withDefaults()}
	got, err := s.pick([]float32{1, 3, 2, 3}, 0, 0)
	require.NoError(t, err)
	lse := math.Log(math.Exp(1) + 2*math.Exp(3) + math.Exp(2))
	assert.Equal(t, int32(1), got.ID)
	assert.InDelta(t, 3-lse, got.LogProb, 1e-6, "float32 exponentials")
	assert.Zero(t, got.SamplerLogProb)
}

func TestSamplerRefusesBrokenLogits(t *testing.T) {
	inf := float32(math.Inf(1))
	s := sampler{opt: Options{Temperature: 1}.withDefaults()}
	for _, x := range [][]float32{{1, float32(math.NaN()), 2}, {1, inf}, {-inf, -inf}} {
		_, err := s.pick(x, 0, 0)
		assert.ErrorIs(t, err, ErrNotFinite, "%v", x)
	}
}

// TestSamplingFollowsTheDistribution draws many tokens and compares their counts
// with the probabilities by a chi-square test. The seed is fixed, so it cannot
// fail by chance; significance is the chance that a right sampler had with
// another seed.
func TestSamplingFollowsTheDistribution(t *testing.T) {
	const draws, significance = 40000, 1e-3
	logits := randomLogits(5, 1100, 1.5, true) // more than two blocks
	for _, o := range []Options{
		{Temperature: 1}, {Temperature: 0.5}, {Temperature: 2, TopK: 20}, {Temperature: 1, TopP: 0.8}, {Temperature: 1, MinP: 0.1}, {Temperature: 1.3, TopK: 64, TopP: 0.9, MinP: 0.02},
	} {
		o.Seed = 7
		o = o.withDefaults()
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			s, want := sampler{opt: o}, sampler{opt: o}
			wide := make([]float, len(logits))
			for j, x := range logits {
				wide[j] = float(x)
			}
			want.truncate64(wide)
			counts, logProbs := make([]float64, len(logits)), map[int32]float64{}
			for i := range uint64(draws) {
				tok, err := s.pick(logits, uint32(i%16), i/16)
				require.NoError(t, err)
				counts[tok.ID]++
				logProbs[tok.ID] = tok.SamplerLogProb
			}
			checkCounts(t, want.kept, counts, draws, significance)
			total := massOf(want.kept)
			for _, c := range want.kept {
				if lp, ok := logProbs[c.id]; ok {
					assert.InDelta(t, c.shifted-math.Log(total), lp, 1e-5, "sampler log-probability of %d in float32", c.id)
				}
			}
		})
	}
}

// checkCounts tests counts against the candidates' probabilities; tokens that are
// expected less than 10 times are counted together.
func checkCounts(t *testing.T, kept []candidate, counts []float64, draws, significance float64) {
	total, chi2, cells := massOf(kept), 0.0, 0
	rare, rareWant, seen := 0.0, 0.0, 0.0
	for _, c := range kept {
		want := draws * c.mass / total
		seen += counts[c.id]
		if want < 10 {
			rare, rareWant = rare+counts[c.id], rareWant+want
			continue
		}
		chi2 += (counts[c.id] - want) * (counts[c.id] - want) / want
		cells++
	}
	if rareWant > 0 {
		chi2 += (rare - rareWant) * (rare - rareWant) / rareWant
		cells++
	}
	require.Equal(t, draws, seen, "draws of tokens that truncation allows")
	require.Greater(t, cells, 3)
	assert.Greater(t, distuv.ChiSquared{K: float64(cells - 1)}.Survival(chi2), significance, "chi-square %g of %d cells", chi2, cells)
}

func TestUniformReachesTheTail(t *testing.T) {
	// A token of probability 1e-9 lies between two multiples of 2⁻²⁴.
	s := sampler{opt: Options{Temperature: 1}.withDefaults()}
	logits := []float32{0, 0, float32(math.Log(1e-9))}
	s.opt.TopP = 1
	id, _ := s.drawAny(logits, 0, 1-1e-10)
	assert.Equal(t, int32(2), id)
	id, _ = s.drawAny(logits, 0, 0.75)
	assert.Equal(t, int32(1), id)
	id, _ = s.drawAny(logits, 0, 0)
	assert.Equal(t, int32(0), id)
	assert.NotEqual(t, uniform(1, 2, 3), uniform(1, 2, 4))
	assert.NotEqual(t, uniform(1, 2, 3), uniform(1, 3, 3))
	assert.NotEqual(t, uniform(1, 2, 3), uniform(2, 2, 3))
}

func TestSamplerAllocatesNothing(t *testing.T) {
	logits := randomLogits(3, 4000, 1, false)
	for _, o := range []Options{{}, {Temperature: 1}, {Temperature: 1, TopK: 50}, {Temperature: 1, TopP: 0.9}, {Temperature: 1, MinP: 0.1}} {
		s := sampler{opt: o.withDefaults()}
		position := uint64(0)
		pick := func() { s.pick(logits, 0, position); position++ }
		pick()
		assert.Zero(t, testing.AllocsPerRun(20, pick), "%+v", o)
	}
}

func BenchmarkPick(b *testing.B) {
	const vocabulary = 262144
	for _, spread := range []float64{0.1, 3} { // nearly flat, and like a language model
		logits := randomLogits(3, vocabulary, spread, false)
		for _, o := range []Options{{}, {Temperature: 1}, {Temperature: 0.8}, {Temperature: 1, TopK: 50}, {Temperature: 1, TopK: 1000}, {Temperature: 1, TopP: 0.9}, {Temperature: 1, MinP: 0.1}, {Temperature: 1, TopK: 50, TopP: 0.9}} {
			b.Run(fmt.Sprintf("spread=%g/T=%g,k=%d,p=%g,min=%g", spread, o.Temperature, o.TopK, o.TopP, o.MinP), func(b *testing.B) {
				s := sampler{opt: o.withDefaults()}
				for i := range b.N {
					s.pick(logits, 0, uint64(i))
				}
			})
		}
	}
}
