package rlhf_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/advantage"
)

// Modular addition is TB4 of the method cards: a hundred prompts (a, b) with ten logits
// each, of which (a+b) mod 10 is right; eight answers a prompt and step.
const (
	prompts = 100
	answers = 8
)

func rightAnswer(prompt int) int32 { return int32((prompt/10 + prompt%10) % 10) }

// addition is a policy that is right about one time in eight: logits of deviation ½, the
// right one 0.2 higher. (The card does not say what its logits were; where they spread
// more, prompts whose right answer is never sampled hold the mean back.)
func addition(t *testing.T, rng *rand.Rand, l rlhf.Loss) *table {
	p := newTable(t, prompts, 10, normal(rng, prompts*10, 0.5))
	for prompt := range prompts {
		p.logits.Data64()[prompt*10+int(rightAnswer(prompt))] += 0.2
	}
	return p.uses(rlhf.Objective{Policy: l}, prompts*answers, 1, features{})
}

// correct is the mean probability of the right answer.
func correct(p *table) float64 {
	sum := 0.0
	for prompt := range prompts {
		sum += p.policy(int32(prompt))[rightAnswer(prompt)] / prompts
	}
	return sum
}

// climb takes one step of group-relative learning and returns how many groups taught
// nothing. The learning rate is a prompt's own: groups do not share the denominator.
func climb(p *table, rng *rand.Rand, scale advantage.Scale, rate float64) (idle int) {
	var b rowsOf
	var rewards []float64
	var groups []int
	for prompt := range prompts {
		probs := p.policy(int32(prompt))
		right := 0
		for range answers {
			a := draw(rng, probs)
			r := 0.0
			if a == rightAnswer(prompt) {
				r, right = 1, right+1
			}
			b.states, b.actions = append(b.states, int32(prompt)), append(b.actions, a)
			rewards, groups = append(rewards, r), append(groups, prompt)
		}
		if right == 0 || right == answers {
			idle++
		}
	}
	b.advantage = advantage.Group(rewards, groups, advantage.GroupOptions{Scale: scale}).Advantages
	p.descend(b, answers, rate)
	return idle
}

// The check of card P9 (and P3, whose reward this is) over five seeds: 8 answers, rate 1,
// no KL. GRPO is right 95 times in 100 within 25 steps; without the division by the
// deviation it is slower; idle groups fall, then rise.
func TestGRPOLearnsToAdd(t *testing.T) {
	for seed := range seeds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			curve := func(scale advantage.Scale) (at map[int]float64, idle []int) {
				rng := rand.New(rand.NewPCG(seed, 5))
				p := addition(t, rng, rlhf.GRPO{})
				at = map[int]float64{0: correct(p)}
				for step := 1; step <= 100; step++ {
					idle = append(idle, climb(p, rng, scale, 1))
					at[step] = correct(p)
				}
				return at, idle
			}
			with, idle := curve(advantage.GroupStd)
			without, _ := curve(advantage.NoScale)
			least := answers * prompts
			for _, n := range idle {
				least = min(least, n)
			}
			t.Logf("p(correct) after 0, 10, 25, 100 steps: %.2f %.2f %.3f %.3f; without std %.2f %.2f %.3f; idle groups %d, %d, %d of 100",
				with[0], with[10], with[25], with[100], without[10], without[25], without[100], idle[0], least, idle[99])
			assert.InDelta(t, 0.12, with[0], 0.03)
			assert.GreaterOrEqual(t, with[25], 0.95)
			assert.GreaterOrEqual(t, with[100], 0.99)
			assert.Less(t, without[25], with[25]-0.1)
			assert.Less(t, least, idle[0]-10)
			assert.Greater(t, idle[99], 90)
		})
	}
}
