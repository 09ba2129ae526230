package rejection

import "github.com/posttrain/posttrain/train"

// Stats count what became of the samples of a round.
type Stats struct {
	Prompts int
	Sampled int // without hint
	Hinted  int // with
	// Accepted were right and complete, those with a hint not counted.
	Accepted   int
	Unknown    int // without a reward
	Wrong      int
	Truncated  int // right, but cut off or empty
	Duplicates int // right, but said before
	Spare      int // right and new, but more than the prompt may give
	Kept       int
	Tokens     int // of what was kept

	Unsolved     int // prompts without a right answer, hints not counted
	Rationalised int // of those, prompts that a hint solved
	Solved       int // prompts all of whose samples were right
}

// add books a prompt of which so many answers were kept.
func (s *Stats) add(a *asked, kept, tokens int) {
	p := a.stats
	s.Prompts++
	s.Sampled += p.Sampled
	s.Hinted += p.Hinted
	s.Accepted += p.Accepted
	s.Unknown += p.Unknown
	s.Wrong += p.Wrong
	s.Truncated += p.Truncated
	s.Duplicates += p.Duplicates
	s.Spare += len(a.candidates) - kept
	s.Kept += kept
	s.Tokens += tokens
	switch {
	case p.Accepted == 0:
		s.Unsolved++
		if len(a.candidates) > 0 {
			s.Rationalised++
		}
	case p.Accepted == p.Sampled:
		s.Solved++
	}
}

// KeptShare is the share of all samples that were kept.
func (s Stats) KeptShare() float64 { return ratio(s.Kept, s.Sampled+s.Hinted) }

// Accuracy is the share of samples without hint that were right and complete.
func (s Stats) Accuracy() float64 { return ratio(s.Accepted, s.Sampled) }

// Measure logs the round.
func (s Stats) Measure(m *train.Metrics) {
	m.Set("rejection/accuracy", s.Accuracy())
	m.Set("rejection/kept_share", s.KeptShare())
	m.Set("rejection/kept", float64(s.Kept))
	m.Set("rejection/unsolved_share", ratio(s.Unsolved, s.Prompts))
	m.Set("rejection/rationalised_share", ratio(s.Rationalised, s.Prompts))
	m.Set("rejection/duplicate_share", ratio(s.Duplicates, s.Sampled+s.Hinted))
	m.Set("rejection/unknown", float64(s.Unknown))
	m.Set("completions/mean_length", ratio(s.Tokens, s.Kept))
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
