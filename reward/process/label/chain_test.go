package label_test

import (
	"context"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/reward/process"
	"github.com/posttrain/posttrain/reward/process/label"
)

// chain is a policy that adds up the numbers of a prompt one by one, a running total a
// step. After a right total it goes wrong, by 1 too many, with probability 1 − q; it
// never mends a mistake.
type chain struct {
	rng *rand.Rand
	q   float64
}

// Continue implements label.Sampler.
func (c chain) Continue(_ context.Context, prefixes []process.Solution, times int) ([][]string, error) {
	out := make([][]string, len(prefixes))
	for i, p := range prefixes {
		for range times {
			total := 0
			if n := len(p.Steps); n > 0 {
				total, _ = strconv.Atoi(p.Steps[n-1])
			}
			var rest []string
			for _, n := range numbers(p.Prompt)[len(p.Steps):] {
				total += n
				if c.rng.Float64() >= c.q {
					total++
				}
				rest = append(rest, strconv.Itoa(total))
			}
			out[i] = append(out[i], strings.Join(rest, "\n"))
		}
	}
	return out, nil
}

func numbers(prompt string) (list []int) {
	for _, f := range strings.Fields(prompt) {
		n, _ := strconv.Atoi(f)
		list = append(list, n)
	}
	return list
}

// total checks the last line.
var total = reward.Func("total", func(s reward.Sample) (float64, error) {
	lines := strings.Split(strings.TrimSpace(s.Completion), "\n")
	if lines[len(lines)-1] == s.Reference {
		return 1, nil
	}
	return 0, nil
})

// task is a solution of so many steps whose totals are too large from step wrong on.
func task(rng *rand.Rand, steps, wrong int) label.Task {
	var t label.Task
	var prompt []string
	sum := 0
	for i := range steps {
		n := 1 + rng.IntN(9)
		prompt = append(prompt, strconv.Itoa(n))
		sum += n
		says := sum
		if i >= wrong {
			says++
		}
		t.Steps = append(t.Steps, strconv.Itoa(says))
	}
	t.Prompt, t.Reference = strings.Join(prompt, " "), strconv.Itoa(sum)
	return t
}

func rater(t testing.TB, s label.Sampler, o label.Options) *label.Rater {
	t.Helper()
	r, err := label.New(s, total, o)
	require.NoError(t, err)
	return r
}

// With a policy that makes no mistakes the search is exact for every place of the
// mistake, in ⌈log₂ n⌉ probes; looking step by step takes as many as the mistake is
// far away.
func TestSearchIsExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	r := rater(t, chain{rng, 1}, label.Options{})
	for steps := 1; steps <= 20; steps++ {
		most := int(math.Ceil(math.Log2(float64(steps))))
		for wrong := 0; wrong <= steps; wrong++ {
			work := task(rng, steps, wrong)
			f, err := r.FirstError(t.Context(), work)
			require.NoError(t, err)
			assert.Equal(t, wrong, f.Step, "%d steps", steps)
			assert.LessOrEqual(t, f.Cost.Probes, most)
			assert.Equal(t, 8*f.Cost.Probes, f.Cost.Rollouts)
			slow, err := r.FirstErrorInOrder(t.Context(), work)
			require.NoError(t, err)
			assert.Equal(t, wrong, slow.Step, "%d steps, in order", steps)
			if wrong < steps {
				assert.Equal(t, min(wrong+1, steps-1), slow.Cost.Probes)
			} else {
				assert.Zero(t, f.Cost, "a right answer needs no probe")
			}
		}
	}
}

// A policy that errs finds nearly all first mistakes, too; the binary search takes a
// third of the rollouts, and fewer still when a probe ends with the first success.
func TestSearchCostsALogarithm(t *testing.T) {
	const steps, tasks = 16, 400
	found, rollouts := map[string]float64{}, map[string]float64{}
	for name, o := range map[string]label.Options{"binary": {}, "in order": {}, "one by one": {Together: 1}} {
		rng := rand.New(rand.NewPCG(3, 4))
		r := rater(t, chain{rng, 0.97}, o)
		search := r.FirstError
		if name == "in order" {
			search = r.FirstErrorInOrder
		}
		for range tasks {
			wrong := rng.IntN(steps)
			f, err := search(t.Context(), task(rng, steps, wrong))
			require.NoError(t, err)
			if f.Step == wrong {
				found[name] += 1.0 / tasks
			}
			rollouts[name] += float64(f.Cost.Rollouts) / tasks
		}
	}
	t.Logf("found %v, rollouts a solution %v", found, rollouts)
	for name, share := range found {
		assert.Greater(t, share, 0.97, name)
	}
	assert.InDelta(t, 8*4, rollouts["binary"], 1e-9, "log₂ 16 probes of 8")
	assert.Greater(t, rollouts["in order"], 2*rollouts["binary"])
	assert.Less(t, rollouts["one by one"], 0.8*rollouts["binary"])
}

// The check of card R6 on Monte-Carlo labels: those of 8 rollouts differ from the exact
// probability q^(D−i) by no more than the binomial says, √(p(1−p)/8), and have no
// bias; behind a mistake they are 0.
func TestSoftLabelsAreTheProbability(t *testing.T) {
	const steps, q, solutions = 6, 0.85, 3000
	rng := rand.New(rand.NewPCG(5, 6))
	r := rater(t, chain{rng, q}, label.Options{})
	var square, bias [steps]float64
	for range solutions {
		estimates, cost, err := r.Rate(t.Context(), task(rng, steps, steps))
		require.NoError(t, err)
		require.Equal(t, label.Cost{Rollouts: 8 * (steps - 1), Probes: steps - 1}, cost)
		for i, e := range estimates {
			d := e.Soft() - math.Pow(q, float64(steps-1-i))
			square[i], bias[i] = square[i]+d*d/solutions, bias[i]+d/solutions
		}
	}
	for i := range steps {
		p := math.Pow(q, float64(steps-1-i))
		bound := math.Sqrt(p * (1 - p) / 8)
		t.Logf("step %d: p %.3f, RMSE %.4f of %.4f", i+1, p, math.Sqrt(square[i]), bound)
		// 4 % is three standard errors of an RMSE over 3,000 solutions.
		assert.LessOrEqual(t, math.Sqrt(square[i]), 1.04*bound)
		assert.InDelta(t, 0, bias[i], 3.5*bound/math.Sqrt(solutions)+1e-12)
	}
	estimates, _, err := r.Rate(t.Context(), task(rng, steps, 3))
	require.NoError(t, err)
	for i, e := range estimates[3:] {
		assert.Zero(t, e.Soft(), "step %d", 3+i)
		assert.Zero(t, e.Hard())
	}
	assert.InDelta(t, 1.0, estimates[0].Hard(), 0, "0.85⁵ is 0.44: eight rollouts that all fail are rare")
}

// Rows are what process.Prepare reads.
func TestRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	r := rater(t, chain{rng, 1}, label.Options{Rollouts: 2})
	tasks := data.Slice[label.Task]{task(rng, 4, 2), task(rng, 3, 3)}
	for kind, want := range map[label.Kind][][]float64{label.Soft: {{1, 1, 0, 0}, {1, 1, 1}}, label.Hard: {{1, 1, 0, 0}, {1, 1, 1}}, label.Search: {{1, 1, 0}, {1, 1, 1}}} {
		var cost label.Cost
		var got [][]float64
		for row, err := range r.Rows(t.Context(), tasks, kind, &cost).All() {
			require.NoError(t, err)
			require.Len(t, row.Steps, len(row.Labels))
			got = append(got, row.Labels)
		}
		assert.Equal(t, want, got)
		if kind == label.Search {
			assert.Equal(t, label.Cost{Rollouts: 4, Probes: 2}, cost)
		} else {
			assert.Equal(t, label.Cost{Rollouts: 10, Probes: 5}, cost)
		}
	}
}
