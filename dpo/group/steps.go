package group

import (
	"fmt"
	"strings"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
)

// StepReport counts what became of solutions.
type StepReport struct {
	Solutions int // read
	Wrong     int // of which have a first wrong step
	Pairs     int // comparisons made
	Unmatched int // wrong ones without a right step after the same beginning

	FirstUnmatched data.Place
}

// String says in one line what happened.
func (r StepReport) String() string {
	return fmt.Sprintf("%d comparisons of steps from %d solutions, %d of them wrong", r.Pairs, r.Solutions, r.Wrong) +
		policy.CountedFrom(r.Unmatched, "without a right step to compare with", r.FirstUnmatched)
}

// Steps makes comparisons of single steps for Step-DPO out of judged solutions: the
// first wrong step of one is compared with a right step that follows the same
// beginning in another. Everything before both, the question and the steps in
// common, becomes the prompt, so that only the step at which solutions part is
// learned from:
//
//	L = −log σ(β·(log π(s⁺|x, s₁…s_i)/π₀ − log π(s⁻|x, s₁…s_i)/π₀))
//
// which is dpo.Sigmoid on these pairs. A wrong step is compared with every
// different right one, in the order of the rows. separator stands between two
// steps, and between question and first step.
//
// Prepare the result with an empty dpo.PrepareOptions.EOS: a step is not the end of
// a text.
//
// Lai et al. 2024, "Step-DPO: Step-wise Preference Optimization for Long-chain
// Reasoning of LLMs", arXiv:2406.18629, eq. 2.
func Steps(solutions []data.StepRow, separator string) ([]data.PairRow, StepReport) {
	right := map[string][]string{} // right steps by what stands before them
	for _, s := range solutions {
		before := s.Prompt + separator
		for i, step := range s.Completions {
			if !s.Labels[i] {
				break
			}
			right[before] = appendNew(right[before], step)
			before += step + separator
		}
	}
	r := StepReport{Solutions: len(solutions)}
	var pairs []data.PairRow
	for _, s := range solutions {
		wrong := firstWrong(s)
		if wrong < 0 {
			continue
		}
		r.Wrong++
		before := s.Prompt + separator
		if wrong > 0 {
			before += strings.Join(s.Completions[:wrong], separator) + separator
		}
		n := len(pairs)
		for _, step := range right[before] {
			if step != s.Completions[wrong] {
				pairs = append(pairs, data.PairRow{At: s.At, Prompt: before, Chosen: step, Rejected: s.Completions[wrong]})
			}
		}
		if len(pairs) == n {
			policy.Count(&r.Unmatched, &r.FirstUnmatched, s.At)
		}
	}
	r.Pairs = len(pairs)
	return pairs, r
}

// firstWrong is the number of the first wrong step, or -1.
func firstWrong(s data.StepRow) int {
	for i, ok := range s.Labels {
		if !ok {
			return i
		}
	}
	return -1
}

func appendNew(list []string, s string) []string {
	for _, other := range list {
		if other == s {
			return list
		}
	}
	return append(list, s)
}
