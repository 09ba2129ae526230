package report

import (
	"crypto/sha256"
	"encoding/json"
	"io"
	"maps"
	"slices"
)

// Limits on what samples.jsonl may make a report keep.
const (
	maxGroups     = 24   // steps with samples
	maxGroup      = 48   // samples of one step
	maxText       = 6000 // bytes of a text
	maxScores     = 20
	samplesBudget = 1_000_000 // bytes of page for all samples
)

// sample is a line of samples.jsonl.
type sample struct {
	Prompt, Completion, Reference, Finish string
	Scores                                []score
	key                                   sampleKey
}

// sampleKey says which samples of two steps belong together: the second answer to
// a prompt is compared with the second.
type sampleKey struct {
	prompt [sha256.Size]byte
	times  int // the prompt came up before in its step
}

// score is a measurement of a sample.
type score struct {
	Name, Text string
	value      float64
}

// sampleGroup are the samples of one step.
type sampleGroup struct {
	Step    int64
	Samples []sample
	Count   int     // with those that were not kept
	Means   []score // over all of them
	sums    map[string]*scoreSum
	index   int // among all steps with samples
}

type scoreSum struct {
	sum float64
	n   int
}

// samples are what samples.jsonl says.
type samples struct {
	tally
	groups []*sampleGroup
	every  int // of the groups before the last, one in so many is kept
	seen   int // groups
}

func readSamples(r io.Reader) (*samples, error) {
	s := &samples{every: 1}
	if err := eachLine(r, &s.tally, s.use); err != nil {
		return nil, err
	}
	for _, g := range s.groups {
		g.average()
	}
	return s, nil
}

// use takes a sample from a line.
func (s *samples) use(line []byte) bool {
	_, step, ok := header(line)
	var v struct {
		Prompt, Completion, Reference, Finish json.RawMessage
		Scores                                map[string]json.RawMessage
	}
	if !ok || json.Unmarshal(line, &v) != nil || v.Prompt == nil && v.Completion == nil {
		return false
	}
	k := len(s.groups)
	switch {
	case k > 0 && step < s.groups[k-1].Step:
		s.backwards++
		return true
	case k == 0 || step > s.groups[k-1].Step:
		s.open(step)
	}
	out := sample{Prompt: text(v.Prompt), Completion: text(v.Completion), Reference: text(v.Reference), Finish: text(v.Finish)}
	out.key.prompt = sha256.Sum256(v.Prompt)
	for _, name := range slices.Sorted(maps.Keys(v.Scores)) {
		if n, ok := number(v.Scores[name]); ok && len(out.Scores) < maxScores {
			out.Scores = append(out.Scores, score{label(name, maxName), format(n), n})
		}
	}
	s.groups[len(s.groups)-1].add(out)
	return true
}

// open begins the group of a step. The first and the last stay; when there are
// too many, every second one between goes.
func (s *samples) open(step int64) {
	between := func(g *sampleGroup) bool { return g.index%s.every != 0 }
	s.groups = slices.DeleteFunc(s.groups, between) // at most the one that was the last
	if len(s.groups) == maxGroups {
		s.every *= 2
		s.groups = slices.DeleteFunc(s.groups, between)
	}
	s.groups = append(s.groups, &sampleGroup{Step: step, index: s.seen, sums: map[string]*scoreSum{}})
	s.seen++
}

// add keeps a sample, or only counts it.
func (g *sampleGroup) add(s sample) {
	g.Count++
	for _, v := range s.Scores {
		sum := g.sums[v.Name]
		if sum == nil && len(g.sums) < maxScores {
			sum = &scoreSum{}
			g.sums[v.Name] = sum
		}
		if sum != nil && finite(v.value) {
			sum.sum += v.value
			sum.n++
		}
	}
	if len(g.Samples) == maxGroup {
		return
	}
	for _, other := range g.Samples {
		if other.key.prompt == s.key.prompt {
			s.key.times++
		}
	}
	g.Samples = append(g.Samples, s)
}

// average fills in the means.
func (g *sampleGroup) average() {
	for _, name := range slices.Sorted(maps.Keys(g.sums)) {
		if s := g.sums[name]; s.n > 0 {
			mean := s.sum / float64(s.n)
			g.Means = append(g.Means, score{name, format(mean), mean})
		}
	}
}

// text is a JSON value as it stands in the page: a string as it is, anything else,
// such as a list of messages, as JSON; "" for null.
func text(raw json.RawMessage) string {
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	s := string(raw)
	if raw[0] == '"' {
		s = unquote(raw)
	}
	return visible(shorten(s, maxText))
}
