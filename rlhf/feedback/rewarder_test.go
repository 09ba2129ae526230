package feedback_test

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/rlhf/feedback"
	"github.com/posttrain/posttrain/rlhf/rollout"
)

// TestBetterJudgesTeachMore is the check of card P2: a policy over six answers, of
// which the judge prefers the larger with some accuracy and a place bias, learns from
// win rates by REINFORCE; what it ends with rises with the judge's accuracy.
func TestBetterJudgesTeachMore(t *testing.T) {
	const answers, members, steps, rate = 6, 8, 60, 0.1
	end := func(right float64) (mean float64) {
		w, err := feedback.WinRate(simulated(right, 0.2, 21), feedback.WinRateOptions{})
		require.NoError(t, err)
		r := rand.New(rand.NewPCG(22, 0))
		var logits [answers]float64
		odds := func() (q [answers]float64) {
			total := 0.0
			for i, l := range logits {
				q[i] = math.Exp(l)
				total += q[i]
			}
			for i := range q {
				q[i] /= total
			}
			return q
		}
		for range steps {
			q, said := odds(), make([]int, members)
			list := make([]rollout.Completion, members)
			for i := range said {
				u := r.Float64()
				for u -= q[0]; u >= 0 && said[i] < answers-1; u -= q[said[i]] {
					said[i]++
				}
				list[i] = rollout.Completion{Prompt: &rollout.Prompt{}, Text: strconv.Itoa(said[i])}
			}
			rewards, err := w.Rewards(t.Context(), list)
			require.NoError(t, err)
			for i, a := range said {
				for b := range logits {
					logits[b] -= rate * (rewards[i] - 0.5) * q[b]
				}
				logits[a] += rate * (rewards[i] - 0.5)
			}
		}
		for a, p := range odds() {
			mean += float64(a) * p
		}
		return mean
	}
	last := float64(answers-1) / 2 // a policy that has learnt nothing
	for _, right := range []float64{0.6, 0.7, 0.8, 0.9, 1} {
		got := end(right)
		t.Logf("judge right %.1f: ends at %.2f", right, got)
		assert.Greater(t, got, last)
		last = got
	}
}
