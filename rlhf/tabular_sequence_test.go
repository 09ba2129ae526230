package rlhf_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/advantage"
)

// The sequence bed of card E2: eight tokens out of six, rewarded only if all are right.
const (
	spelled  = 8
	alphabet = 6
)

// speller is a policy of one row of logits a position.
func speller(t *testing.T) *table {
	return newTable(t, spelled, alphabet, make([]float64, spelled*alphabet))
}

func letter(position int) int32 { return int32((position * 5) % alphabet) }

// spells is the probability of the whole word.
func spells(p *table) float64 {
	out := 1.0
	for i := range spelled {
		out *= p.policy(int32(i))[letter(i)]
	}
	return out
}

// spell trains for some steps of 64 rows whose first tokens are taught and the others
// sampled.
func spell(p *table, rng *rand.Rand, steps int, taught func(step int) int, rate float64) (least float64) {
	const batch = 64
	p.uses(rlhf.Objective{Policy: rlhf.REINFORCE{}}, batch, spelled, features{taught: true})
	least = spells(p)
	for step := range steps {
		s := taught(step)
		b := rowsOf{mask: make([]float64, batch*spelled)}
		var rewards []float64
		given := make([][]float64, batch)
		for i := range batch {
			given[i] = make([]float64, spelled)
			right := 1.0
			for k := range spelled {
				a := letter(k)
				if k < s {
					given[i][k] = 1
				} else {
					a, b.mask[i*spelled+k] = draw(rng, p.policy(int32(k))), 1
				}
				if a != letter(k) {
					right = 0
				}
				b.states, b.actions = append(b.states, int32(k)), append(b.actions, a)
			}
			rewards = append(rewards, right)
		}
		for _, a := range advantage.Group(rewards, make([]int, batch), advantage.GroupOptions{Scale: advantage.NoScale}).Advantages {
			b.advantage = append(b.advantage, filled(spelled, a)...)
		}
		if s == 0 {
			b.taught = make([]float64, batch*spelled)
		} else {
			b.taught = flat(advantage.Taught(given, float64(s)/spelled, batch))
		}
		p.descend(b, batch, rate)
		least = min(least, spells(p))
	}
	return least
}

// The check of card E2 over five seeds: from scratch REINFORCE stays at chance; after some
// teaching it learns; MIXER gets to the same, and is never below where the teaching ended.
func TestMixerLearnsWhereREINFORCECannot(t *testing.T) {
	const warm, steps = 20, 180
	for seed := range seeds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 16))
			none := func(int) int { return 0 }
			all := func(int) int { return spelled }
			scratch := speller(t)
			spell(scratch, rng, warm+steps, none, 2)
			staged := speller(t)
			spell(staged, rng, warm, all, 2)
			start := spells(staged)
			spell(staged, rng, steps, none, 2)
			mixed := speller(t)
			schedule := advantage.MixerSchedule{Length: spelled, Delta: 2, WarmUp: 0, EpochsAStep: 20}
			spell(mixed, rng, warm, all, 2)
			least := spell(mixed, rng, steps, schedule.TaughtTokens, 2)
			t.Logf("p(all right): from scratch %.1e, taught %.3f, then REINFORCE %.3f, MIXER %.3f (never below %.3f)", spells(scratch), start, spells(staged), spells(mixed), least)
			assert.Less(t, spells(scratch), 1e-4)
			assert.Greater(t, spells(staged), 0.9)
			assert.Greater(t, spells(mixed), spells(staged)-0.05)
			assert.GreaterOrEqual(t, least, start-1e-9)
		})
	}
}

// The thinking bed of card P15: twenty prompts; at each of eight moments the policy may
// think on or give one of ten answers, which ends it. It starts out thinking long, for
// nothing: it answers as well at any moment.
const (
	puzzles = 20
	moments = 8
	think   = 10 // the action after the ten answers
)

func thinker(t *testing.T, rng *rand.Rand) *table {
	p := newTable(t, puzzles*moments, think+1, normal(rng, puzzles*moments*(think+1), 0.3))
	for s := range puzzles * moments {
		p.logits.Data64()[s*(think+1)+think] += 6.5
		p.logits.Data64()[s*(think+1)+s/moments%10] += 5
		if s%moments == moments-1 {
			p.logits.Data64()[s*(think+1)+think] -= 30 // time is up
		}
	}
	return p.uses(rlhf.Objective{Policy: rlhf.GRPO{}}, puzzles*answers, moments, features{})
}

// thought is the exact probability of a right answer and the mean length.
func thought(p *table) (accuracy, length float64) {
	for puzzle := range puzzles {
		alive := 1.0
		for k := range moments {
			probs := p.policy(int32(puzzle*moments + k))
			length += alive / puzzles
			accuracy += alive * probs[puzzle%10] / puzzles
			alive *= probs[think]
		}
	}
	return accuracy, length
}

// ponder takes steps with the length reward, weighted, added to that of the answer.
func ponder(p *table, rng *rand.Rand, steps int, weight float64) {
	for range steps {
		b := rowsOf{mask: make([]float64, puzzles*answers*moments)}
		var correct, lengths []float64
		var groups []int
		for row := range puzzles * answers {
			puzzle, n, right, done := row/answers, 0, 0.0, false
			for k := range moments {
				s := int32(puzzle*moments + k)
				a := int32(0)
				if !done {
					a = draw(rng, p.policy(s))
					b.mask[row*moments+k], n = 1, n+1
					if done = a != think; done && int(a) == puzzle%10 {
						right = 1
					}
				}
				b.states, b.actions = append(b.states, s), append(b.actions, a)
			}
			correct, lengths, groups = append(correct, right), append(lengths, float64(n)), append(groups, puzzle)
		}
		rewards := advantage.Sum([][]float64{correct, advantage.LengthReward(correct, lengths, groups)}, []float64{1, weight})
		for _, a := range advantage.Group(rewards, groups, advantage.GroupOptions{}).Advantages {
			b.advantage = append(b.advantage, filled(moments, a)...)
		}
		p.descend(b, answers, 1)
	}
}

// The check of card P15 over five seeds: with the length reward, as right within a point and
// at least 30 % shorter.
func TestLengthRewardShortensThinking(t *testing.T) {
	for seed := range seeds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			after := func(weight float64) (accuracy, length float64) {
				rng := rand.New(rand.NewPCG(seed, 17))
				p := thinker(t, rng)
				ponder(p, rng, 60, weight)
				return thought(p)
			}
			accuracy, length := after(0)
			short, shortLength := after(0.5)
			t.Logf("accuracy %.3f at %.2f tokens, with the length reward %.3f at %.2f", accuracy, length, short, shortLength)
			assert.Greater(t, accuracy, 0.9)
			assert.Greater(t, short, accuracy-0.01)
			assert.Less(t, shortLength, 0.7*length)
		})
	}
}

// Process supervision (card P9) over five seeds: told of each token whether it was right,
// the policy learns the word that the outcome alone never shows it.
func TestProcessSupervisionFindsWhatOutcomesCannot(t *testing.T) {
	const batch, steps = 32, 150
	lengths, one := make([]int, batch), make([]int, batch)
	for i := range lengths {
		lengths[i] = spelled
	}
	for seed := range seeds() {
		rng := rand.New(rand.NewPCG(seed, 19))
		p := speller(t).uses(rlhf.Objective{Policy: rlhf.GRPO{}}, batch, spelled, features{})
		for range steps {
			var b rowsOf
			judged := make([][]advantage.Step, batch)
			for i := range batch {
				for k := range spelled {
					a := draw(rng, p.policy(int32(k)))
					step := advantage.Step{End: k}
					if a == letter(k) {
						step.Reward = 1
					}
					judged[i] = append(judged[i], step)
					b.states, b.actions = append(b.states, int32(k)), append(b.actions, a)
				}
			}
			b.advantage = flat(advantage.Process(judged, lengths, one, 0))
			p.descend(b, batch, 4)
		}
		t.Logf("seed %d: p(all right) %.3f", seed, spells(p))
		assert.Greater(t, spells(p), 0.9)
	}
}
