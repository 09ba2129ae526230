package online

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/generate"
)

// Question is a prompt to answer.
type Question struct {
	Prompt    []int32           // ids that the policy continues
	Text      string            // the same for judges
	Reference string            // the right answer, where there is one
	Columns   map[string]string // further columns of the row
	At        data.Place
}

// Answer is what the policy wrote.
type Answer struct {
	IDs     []int32 // end token included
	Text    string
	Finish  generate.Finish
	LogProb float64 // nats, of all tokens under the policy that wrote it
}

// Case is a question with its answers, to be judged.
type Case struct {
	Question Question
	Answers  []Answer
}

// Verdict is what a judge says of a case.
type Verdict struct {
	// Scores has a number an answer; more is better, and equal is a tie. NaN says
	// that nothing is known of an answer.
	Scores []float64
	// Compared counts pairs of answers that were compared in both orders, and
	// Consistent those of them that came out alike: the same answer won, or none.
	Compared, Consistent int
}

// check wants as many scores as answers.
func (v Verdict) check(c Case) error {
	if len(v.Scores) != len(c.Answers) {
		return fmt.Errorf("online: verdict: got %d scores, want one for each of %d answers", len(v.Scores), len(c.Answers))
	}
	for i, s := range v.Scores {
		if math.IsInf(s, 0) {
			return fmt.Errorf("online: verdict: got the score %v of answer %d, want a finite number, or NaN where nothing is known", s, i)
		}
	}
	return nil
}

// Judge says which answers are better. It must say the same of the same answers;
// an error ends the round.
type Judge interface {
	Name() string
	// Judge returns a verdict for each case, in order.
	Judge(ctx context.Context, cases []Case) ([]Verdict, error)
}

// Scored makes a Judge of a function that scores one answer, such as a verifier of
// package reward or a reward model.
func Scored(name string, score func(ctx context.Context, q Question, a Answer) (float64, error)) Judge {
	return scored{name, score}
}

type scored struct {
	name  string
	score func(ctx context.Context, q Question, a Answer) (float64, error)
}

// Name implements Judge.
func (s scored) Name() string { return s.name }

// Judge implements Judge.
func (s scored) Judge(ctx context.Context, cases []Case) ([]Verdict, error) {
	list := make([]Verdict, len(cases))
	for i, c := range cases {
		for _, a := range c.Answers {
			v, err := s.score(ctx, c.Question, a)
			if err != nil {
				return nil, fmt.Errorf("online: judge %s: %v: %w", s.name, c.Question.At, err)
			}
			list[i].Scores = append(list[i].Scores, v)
		}
	}
	return list, nil
}

// Duel is two answers to a question in the order in which they are shown.
type Duel struct {
	Question      Question
	First, Second Answer
}

// Comparer returns for each duel the probability, from 0 to 1, that the answer
// shown first is the better one.
type Comparer func(ctx context.Context, duels []Duel) ([]float64, error)

// BothOrders makes a Judge of a Comparer. Each pair of answers of a case is shown
// in both orders, which cancels any liking for a place:
//
//	p(a ≻ b) = ½·(P(first | a, b) + 1 − P(first | b, a))
//
// and the score of an answer is its mean p over the others. Verdicts count the
// pairs that were compared, and those that came out alike in both orders.
//
// Lee et al. 2023, arXiv:2309.00267, §2.2 (position bias).
func BothOrders(name string, compare Comparer) Judge { return bothOrders{name, compare} }

type bothOrders struct {
	name    string
	compare Comparer
}

// Name implements Judge.
func (j bothOrders) Name() string { return j.name }

// Judge implements Judge.
func (j bothOrders) Judge(ctx context.Context, cases []Case) ([]Verdict, error) {
	var duels []Duel
	for _, c := range cases {
		for a := range c.Answers {
			for b := range a {
				duels = append(duels, Duel{c.Question, c.Answers[b], c.Answers[a]}, Duel{c.Question, c.Answers[a], c.Answers[b]})
			}
		}
	}
	p, err := j.compare(ctx, duels)
	if err != nil {
		return nil, fmt.Errorf("online: judge %s: %w", j.name, err)
	}
	if len(p) != len(duels) {
		return nil, fmt.Errorf("online: judge %s: got %d probabilities, want one for each of %d comparisons", j.name, len(p), len(duels))
	}
	for _, v := range p {
		if !(v >= 0 && v <= 1) {
			return nil, fmt.Errorf("online: judge %s: got the probability %v, want 0 to 1", j.name, v)
		}
	}
	list := make([]Verdict, len(cases))
	for i, c := range cases {
		list[i], p = average(len(c.Answers), p)
	}
	return list, nil
}

// average makes a verdict on n answers of the probabilities at the start of p and
// returns the others.
func average(n int, p []float64) (Verdict, []float64) {
	v := Verdict{Scores: make([]float64, n)}
	for a := range n {
		for b := range a {
			first, second := p[0], 1-p[1] // that b is better than a, asked in both orders
			p = p[2:]
			v.Compared++
			if first != 0.5 && second != 0.5 && (first > 0.5) == (second > 0.5) || first == second {
				v.Consistent++
			}
			won := (first + second) / 2
			v.Scores[b] += won / float64(n-1)
			v.Scores[a] += (1 - won) / float64(n-1)
		}
	}
	return v, p
}

// ErrNoPreference is wrapped by the error about rounds in which no answer was
// better than another.
var ErrNoPreference = errors.New("online: no answer was preferred to another")
