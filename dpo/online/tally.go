package online

import (
	"math"
	"slices"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/train"
)

// tally counts what a round gave.
type tally struct {
	Cases, Answers int
	Ended          int     // answers that ended by themselves
	Known          int     // answers with a score
	Score          float64 // sum over known answers
	Surprise       float64 // sum over answers of −log π, nats
	Pairs          int
	Gap            float64 // sum over pairs
	Longer         int     // pairs whose chosen answer is the longer one
	Tokens         int     // of all answers
	Compared       int
	Consistent     int
	Dropped        int // cases whose comparisons depended on the order
}

// add books a case and makes its pair: the best answer and the worst. Of equal ones
// the first counts.
func (t *tally) add(c Case, v Verdict, o Options) (savedPair, bool) {
	t.Cases++
	t.Compared += v.Compared
	t.Consistent += v.Consistent
	best, worst := -1, -1
	scores := slices.Clone(v.Scores)
	for i, a := range c.Answers {
		t.Answers++
		t.Tokens += len(a.IDs)
		t.Surprise -= a.LogProb
		if a.Finish == generate.FinishLength {
			scores[i] -= o.MissingEOSPenalty
		} else {
			t.Ended++
		}
		if math.IsNaN(scores[i]) {
			continue
		}
		t.Known++
		t.Score += scores[i]
		if best < 0 || scores[i] > scores[best] {
			best = i
		}
		if worst < 0 || scores[i] < scores[worst] {
			worst = i
		}
	}
	if o.Consistent && v.Consistent < v.Compared {
		t.Dropped++
		return savedPair{}, false
	}
	if best < 0 || !(scores[best]-scores[worst] > o.MinGap) || slices.Equal(c.Answers[best].IDs, c.Answers[worst].IDs) {
		return savedPair{}, false
	}
	t.Pairs++
	t.Gap += scores[best] - scores[worst]
	if len(c.Answers[best].IDs) > len(c.Answers[worst].IDs) {
		t.Longer++
	}
	q := c.Question
	return savedPair{Prompt: q.Prompt, Chosen: c.Answers[best].IDs, Rejected: c.Answers[worst].IDs, File: q.At.File, Line: q.At.Line}, true
}

// report logs the round under TRL's names where it has any.
func (t *tally) report(m *train.Metrics, round int) {
	share := func(name string, sum float64, n int) {
		if n > 0 {
			m.Set(name, sum/float64(n))
		}
	}
	m.Set("round", float64(round))
	share("objective/scores", t.Score, t.Known)
	share("objective/scores_margin", t.Gap, t.Pairs)
	share("objective/entropy", t.Surprise, t.Answers)
	share("val/contain_eos_token", float64(t.Ended), t.Answers)
	share("completions/mean_length", float64(t.Tokens), t.Answers)
	share("judge/ties", float64(t.Cases-t.Pairs-t.Dropped), t.Cases)
	share("judge/longer_chosen", float64(t.Longer), t.Pairs)
	share("judge/swap_consistency", float64(t.Consistent), t.Compared)
}
