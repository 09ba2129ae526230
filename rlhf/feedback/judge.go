package feedback

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// Duel is two answers to a prompt in the order in which they are shown.
type Duel struct {
	Prompt, Reference string // Reference is the right answer, "" where there is none
	First, Second     string
	Principle         string // what better means; "" leaves that to the judge
}

// Judge says which answer is better.
type Judge interface {
	// Name identifies it in metrics and errors.
	Name() string
	// Compare returns for each duel the probability, from 0 to 1, that the answer
	// shown first is the better one; NaN where it does not know.
	Compare(ctx context.Context, duels []Duel) ([]float64, error)
}

// JudgeFunc makes a Judge of a function.
func JudgeFunc(name string, compare func(ctx context.Context, duels []Duel) ([]float64, error)) Judge {
	return judgeFunc{name, compare}
}

type judgeFunc struct {
	name    string
	compare func(ctx context.Context, duels []Duel) ([]float64, error)
}

// Name implements Judge.
func (j judgeFunc) Name() string { return j.name }

// Compare implements Judge.
func (j judgeFunc) Compare(ctx context.Context, duels []Duel) ([]float64, error) {
	return j.compare(ctx, duels)
}

// Opinion is what a judge says of two answers, asked in both orders.
type Opinion struct {
	// First is the probability that the first is better, without any liking for a
	// place: ½·(P(first | a, b) + 1 − P(first | b, a)).
	First float64
	// Place is the liking for the answer shown first, from −½ to ½:
	// ½·(P(first | a, b) + P(first | b, a)) − ½.
	Place float64
	// Consistent says that the same answer won in both orders.
	Consistent bool
}

// ErrJudge is wrapped by errors about judges that say what cannot be.
var ErrJudge = errors.New("feedback: judge failed")

// BothOrders shows each duel as it is and turned round. (Lee et al. 2023,
// arXiv:2309.00267, §2.2: position bias.)
func BothOrders(ctx context.Context, j Judge, duels []Duel) ([]Opinion, error) {
	if len(duels) == 0 {
		return nil, nil
	}
	both := make([]Duel, 0, 2*len(duels))
	for _, d := range duels {
		turned := d
		turned.First, turned.Second = d.Second, d.First
		both = append(both, d, turned)
	}
	p, err := j.Compare(ctx, both)
	if err != nil {
		return nil, fmt.Errorf("feedback: judge %s: %w", j.Name(), err)
	}
	if len(p) != len(both) {
		return nil, fmt.Errorf("%w: %s: got %d probabilities, want one for each of %d duels", ErrJudge, j.Name(), len(p), len(both))
	}
	out := make([]Opinion, len(duels))
	for i := range out {
		a, b := p[2*i], p[2*i+1]
		if a < 0 || a > 1 || b < 0 || b > 1 {
			return nil, fmt.Errorf("%w: %s: got the probabilities %v and %v, want 0 to 1, or NaN", ErrJudge, j.Name(), a, b)
		}
		out[i] = Opinion{First: (a + 1 - b) / 2, Place: (a + b - 1) / 2, Consistent: a > 0.5 && b < 0.5 || a < 0.5 && b > 0.5 || a == 0.5 && b == 0.5}
	}
	return out, nil
}

// known says that the judge had an opinion.
func (o Opinion) known() bool { return !math.IsNaN(o.First) }
