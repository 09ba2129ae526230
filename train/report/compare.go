package report

// gallery is what the page shows of the samples.
type gallery struct {
	First, Last int64
	Pairs       []pair         // prompts of the first step that came again in the last
	Groups      []*sampleGroup // all others
	Open        bool           // whether the groups are shown unfolded
	Left        int            // samples that the page leaves out
	LeftSteps   int            // steps without any sample on the page
}

// pair is what became of one prompt.
type pair struct {
	Before, After sample
	Scores        []scoreChange
	Same          bool // word for word
}

// scoreChange compares a score.
type scoreChange struct{ Name, Before, After, Difference string }

// gallery picks what fits.
func (s *samples) gallery() *gallery {
	if len(s.groups) == 0 {
		return nil
	}
	v := &gallery{First: s.groups[0].Step, LeftSteps: s.seen - len(s.groups)}
	left := samplesBudget
	shown := map[*sampleGroup]map[sampleKey]bool{}
	first, last := s.groups[0], s.groups[len(s.groups)-1]
	v.Last = last.Step
	if first != last {
		v.pair(first, last, &left, shown)
	}
	v.Open = len(v.Pairs) == 0 && len(s.groups) == 1
	for _, g := range s.groups {
		if rest := g.without(shown[g], &left, &v.Left); rest != nil {
			v.Groups = append(v.Groups, rest)
		}
	}
	return v
}

// pair finds samples of the same prompt in the first and the last step.
func (v *gallery) pair(first, last *sampleGroup, left *int, shown map[*sampleGroup]map[sampleKey]bool) {
	shown[first], shown[last] = map[sampleKey]bool{}, map[sampleKey]bool{}
	after := map[sampleKey]sample{}
	for _, s := range last.Samples {
		after[s.key] = s
	}
	for _, before := range first.Samples {
		s, ok := after[before.key]
		if !ok || !spend(left, before, s) {
			continue
		}
		shown[first][s.key], shown[last][s.key] = true, true
		v.Pairs = append(v.Pairs, pair{before, s, compareScores(before.Scores, s.Scores), before.Completion == s.Completion})
	}
}

// compareScores lines scores up by name; both lists are sorted.
func compareScores(before, after []score) []scoreChange {
	var all []scoreChange
	for len(before) > 0 || len(after) > 0 {
		switch {
		case len(after) == 0 || len(before) > 0 && before[0].Name < after[0].Name:
			all = append(all, scoreChange{Name: before[0].Name, Before: before[0].Text})
			before = before[1:]
		case len(before) == 0 || after[0].Name < before[0].Name:
			all = append(all, scoreChange{Name: after[0].Name, After: after[0].Text})
			after = after[1:]
		default:
			c := scoreChange{Name: after[0].Name, Before: before[0].Text, After: after[0].Text}
			if d := after[0].value - before[0].value; finite(d) {
				c.Difference = signed(d)
			}
			all = append(all, c)
			before, after = before[1:], after[1:]
		}
	}
	return all
}

// without is the group without the samples that are shown elsewhere, as far as
// they fit; nil when nothing is left.
func (g *sampleGroup) without(shown map[sampleKey]bool, left, lost *int) *sampleGroup {
	rest := *g
	rest.Samples = nil
	*lost += g.Count - len(g.Samples)
	for _, s := range g.Samples {
		switch {
		case shown[s.key]:
		case spend(left, s):
			rest.Samples = append(rest.Samples, s)
		default:
			*lost++
		}
	}
	if len(rest.Samples) == 0 {
		return nil
	}
	return &rest
}

// sampleMarkup is about what the markup of a sample takes, in bytes.
const sampleMarkup = 800

// spend takes the samples out of the budget, unless they do not fit.
func spend(left *int, all ...sample) bool {
	cost := 0
	for _, s := range all {
		cost += sampleMarkup
		for _, t := range []string{s.Prompt, s.Completion, s.Reference, s.Finish} {
			cost += escapedLength(t)
		}
		for _, v := range s.Scores {
			cost += 100 + escapedLength(v.Name)
		}
	}
	if cost > *left {
		return false
	}
	*left -= cost
	return true
}
