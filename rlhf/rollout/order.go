package rollout

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/posttrain/posttrain/data"
)

// Order says which prompts come when. It keeps no state: the same seed and place
// give the same prompts, so that a run can go on from anywhere.
type Order interface {
	// Name identifies the order in saved options.
	Name() string
	// Pick appends the places of n prompts, the first of which is number at of all
	// that are ever drawn.
	Pick(dst []int32, prompts []Prompt, seed uint64, at, n int64) []int32
}

// Shuffled walks over all prompts, pass after pass, each in an order of its own.
type Shuffled struct{}

// Name is "shuffled".
func (Shuffled) Name() string { return "shuffled" }

// Pick implements Order.
func (Shuffled) Pick(dst []int32, prompts []Prompt, seed uint64, at, n int64) []int32 {
	size := int64(len(prompts))
	var order []int32
	epoch := int64(-1)
	for ; n > 0; at, n = at+1, n-1 {
		if e := at / size; e != epoch {
			epoch = e
			order = data.Permutation(order, len(prompts), seed, uint64(epoch))
		}
		dst = append(dst, order[at%size])
	}
	return dst
}

// Sequential walks over the prompts in the order in which they are given.
type Sequential struct{}

// Name is "sequential".
func (Sequential) Name() string { return "sequential" }

// Pick implements Order.
func (Sequential) Pick(dst []int32, prompts []Prompt, _ uint64, at, n int64) []int32 {
	for i := range n {
		dst = append(dst, int32((at+i)%int64(len(prompts))))
	}
	return dst
}

// Curriculum draws prompts at random from the easiest ones, of which it takes in
// more and more: a share From of all (0 means 0.2) at first, all after Over drawn
// prompts. Reverse begins with the hardest: where a prompt holds part of its
// solution and Difficulty says how much is left to do, From easy to hard is the
// reverse curriculum of Xi et al. 2024 (R³, arXiv:2402.05808).
type Curriculum struct {
	From    float64
	Over    int64 // drawn prompts, at least 1
	Reverse bool
}

// Name tells the curriculum with its settings.
func (c Curriculum) Name() string {
	return fmt.Sprintf("curriculum from %g over %d, reverse %t", c.from(), c.Over, c.Reverse)
}

func (c Curriculum) from() float64 {
	if c.From == 0 {
		return 0.2
	}
	return c.From
}

// Validate reports settings that make no sense.
func (c Curriculum) Validate() error {
	if !(c.From >= 0 && c.From <= 1) || c.Over < 1 {
		return errors.Join(ErrOptions, fmt.Errorf("rollout: Curriculum: got From %g and Over %d, want a share from 0 to 1 and at least 1", c.From, c.Over))
	}
	return nil
}

// Pick implements Order.
func (c Curriculum) Pick(dst []int32, prompts []Prompt, seed uint64, at, n int64) []int32 {
	order := make([]int32, len(prompts))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		if c.Reverse {
			a, b = b, a
		}
		return cmp.Compare(prompts[a].Difficulty, prompts[b].Difficulty)
	})
	for i := range n {
		done := min(1, float64(at+i)/float64(max(1, c.Over)))
		open := int(float64(len(order)) * (c.from() + (1-c.from())*done))
		r := rand.New(rand.NewPCG(seed, uint64(at+i)))
		dst = append(dst, order[r.IntN(max(1, min(open, len(order))))])
	}
	return dst
}
