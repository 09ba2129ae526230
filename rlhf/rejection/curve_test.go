package rejection_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/rlhf/rejection"
	"github.com/posttrain/posttrain/rlhf/rollout"
)

// table is the bed TB4 of methods.md: a policy with ten logits for each of 100
// prompts a+b, to be answered modulo 10.
type table struct {
	logits [100][10]float64
}

func newTable(seed uint64) *table {
	p, r := &table{}, rand.New(rand.NewPCG(seed, 1))
	for i := range p.logits {
		for a := range 10 {
			p.logits[i][a] = r.NormFloat64()
		}
	}
	return p
}

func sums() (list []rollout.Prompt) {
	for i := range 100 {
		list = append(list, rollout.Prompt{IDs: []int32{int32(i)}, Text: fmt.Sprint(i), Reference: fmt.Sprint((i/10 + i%10) % 10)})
	}
	return list
}

func (p *table) probabilities(i int32) (q [10]float64) {
	total := 0.0
	for a, l := range p.logits[i] {
		q[a] = math.Exp(l)
		total += q[a]
	}
	for a := range q {
		q[a] /= total
	}
	return q
}

// accuracy is the mean probability of the right answer.
func (p *table) accuracy() (mean float64) {
	for i := range int32(100) {
		mean += p.probabilities(i)[(i/10+i%10)%10] / 100
	}
	return mean
}

// Sample implements rollout.Sampler.
func (p *table) Sample(_ context.Context, req rollout.Request) (list []*rollout.Completion, err error) {
	r := rand.New(rand.NewPCG(req.Seed, 2))
	for _, x := range req.Prompts {
		q := p.probabilities(x.IDs[0])
		for range req.Completions {
			u, a := r.Float64(), 0
			for ; a < 9 && u >= q[a]; a++ {
				u -= q[a]
			}
			if len(x.IDs) > 1 && r.Float64() < 0.5 {
				a = int(x.IDs[1])
			}
			list = append(list, &rollout.Completion{Text: fmt.Sprint(a), Finish: generate.FinishEOS, Tokens: []rollout.Token{{ID: int32(a)}}})
		}
	}
	return list, nil
}

// learn takes steps of gradient descent on the cross-entropy of the examples.
func (p *table) learn(r *rejection.Round) {
	const steps, rate = 30, 0.3
	for range steps {
		for _, e := range r.Examples {
			i, a := e.Prompt.IDs[0], e.Tokens[0].ID
			for b, q := range p.probabilities(i) {
				p.logits[i][b] -= rate * q
			}
			p.logits[i][a] += rate
		}
	}
}

func exact() rollout.Rewarder {
	return rollout.Each("exact", func(_ context.Context, c *rollout.Completion) (float64, error) {
		if c.Text == c.Prompt.Reference {
			return 1, nil
		}
		return 0, nil
	})
}

// curve is the accuracy before and after each round.
func curve(t *testing.T, p *table, o rejection.Options) []float64 {
	t.Helper()
	c, err := rejection.New(sums(), p, exact(), o)
	require.NoError(t, err)
	list := []float64{p.accuracy()}
	for r, err := range c.Rounds(t.Context()) {
		require.NoError(t, err)
		p.learn(r)
		list = append(list, p.accuracy())
	}
	return list
}

// TestAccuracyRisesRoundByRound is the check of card F17: it rises in each of 3
// rounds, here over 5 seeds. Measured, on average: 0.10 → 0.31 → 0.44 → 0.55.
func TestAccuracyRisesRoundByRound(t *testing.T) {
	const least = 0.35 // gained in all; measured 0.40 to 0.51
	for seed := range uint64(5) {
		c := curve(t, newTable(seed), rejection.Options{Rounds: 3, Completions: 4, Seed: seed})
		t.Logf("seed %d: %.3f", seed, c)
		for i := 1; i < len(c); i++ {
			assert.Greater(t, c[i], c[i-1], "round %d", i)
		}
		assert.Greater(t, c[len(c)-1], c[0]+least)
		again := curve(t, newTable(seed), rejection.Options{Rounds: 3, Completions: 4, Seed: seed})
		assert.Equal(t, c, again, "equal seeds give equal bits")
	}
}

// TestHintsReachWhatIsNeverSaid is STaR's point: prompts whose right answer the
// policy never gives are learnt by rationalisation alone.
func TestHintsReachWhatIsNeverSaid(t *testing.T) {
	stuck := func() *table {
		p := newTable(1)
		for i := range p.logits {
			p.logits[i][(i/10+i%10)%10] = -6
		}
		return p
	}
	hint := func(p rollout.Prompt) (rollout.Prompt, bool) {
		p.IDs = []int32{p.IDs[0], int32(p.Reference[0] - '0')}
		return p, true
	}
	without := curve(t, stuck(), rejection.Options{Rounds: 3, Completions: 4})
	with := curve(t, stuck(), rejection.Options{Rounds: 3, Completions: 4, Hint: hint})
	t.Logf("without hints %.3f, with %.3f", without, with)
	assert.Less(t, without[3], 0.05)
	assert.Greater(t, with[3], 0.3)
}

func TestAccumulateKeepsEachAnswerOnce(t *testing.T) {
	c, err := rejection.New(sums(), newTable(3), exact(), rejection.Options{Rounds: 3, Completions: 4, Accumulate: true})
	require.NoError(t, err)
	before := 0
	for r, err := range c.Rounds(t.Context()) {
		require.NoError(t, err)
		seen := map[string]bool{}
		for _, e := range r.Examples {
			assert.False(t, seen[e.Prompt.Text], "one right answer to each prompt")
			seen[e.Prompt.Text] = true
		}
		assert.GreaterOrEqual(t, len(r.Examples), before)
		before = len(r.Examples)
	}
	assert.Greater(t, before, 50)
}
