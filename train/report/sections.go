package report

import (
	"slices"
	"strings"
)

// section is a heading with the charts under it.
type section struct {
	Title  string
	Charts []chart
}

// Headings of charts that have none from their name.
const (
	trainTitle = "Training"
	evalTitle  = "Evaluations"
	speedTitle = "Progress and speed"
)

// speedNames are drawn last: they say nothing about what was learned.
var speedNames = append([]string{"epoch", "num_tokens"}, timingNames...)

// allPoints bounds the points of all charts together: about 1.5 MB of page.
const allPoints = 60_000

// sections draws every series.
func (m *metrics) sections() []section {
	sources := m.sources()
	titles := []string{trainTitle}
	charts := map[string][]chart{}
	d := m.drawing()
	for _, s := range sources {
		title := heading(s)
		if !slices.Contains(titles, title) {
			titles = append(titles, title)
		}
		charts[title] = append(charts[title], d.chart(s))
	}
	var all []section
	for _, last := range []bool{false, true} {
		for _, title := range titles {
			if c := charts[title]; len(c) > 0 && (title == speedTitle) == last {
				all = append(all, section{title, c})
			}
		}
	}
	return all
}

// drawing is the axis that all charts have in common.
func (m *metrics) drawing() drawing {
	low, high := int64(maxStep), int64(0)
	for _, s := range slices.Concat(m.train.all, m.eval.all) {
		if s.n > 0 {
			low, high = min(low, s.first.step), max(high, s.last.step)
		}
	}
	if low >= high {
		low, high = max(high-1, 0), high+1
	}
	count := max(len(m.train.all)+len(m.eval.all), 1)
	return drawing{scale{float64(low), float64(high), false}, min(maxPoints, allPoints/count)}
}

// sources says which series stand in which chart.
func (m *metrics) sources() []source {
	var all []source
	taken := map[*series]bool{}
	evaluated := func(s *series) source {
		src := source{title: s.name, eval: s}
		low, high := m.eval.names[s.name+lowSuffix], m.eval.names[s.name+highSuffix]
		if low != nil && high != nil {
			src.low, src.high = low, high
			taken[low], taken[high] = true, true
		}
		return src
	}
	for _, s := range m.train.all {
		src := source{title: s.name}
		if e := m.eval.names[evalPrefix+s.name]; e != nil && comparable(s, e) {
			src = evaluated(e)
			src.title, taken[e] = s.name, true
		}
		src.train = s
		all = append(all, src)
	}
	var rest []source
	for _, s := range m.eval.all {
		if !taken[s] {
			rest = append(rest, evaluated(s))
		}
	}
	for _, src := range rest {
		if !taken[src.eval] { // bounds may come before what they bound
			all = append(all, src)
		}
	}
	return all
}

const (
	evalPrefix = "eval_"
	lowSuffix  = "_low"
	highSuffix = "_high"
)

// comparable says whether two series can be read on one axis.
func comparable(a, b *series) bool {
	if a.n == 0 || b.n == 0 {
		return true
	}
	const much = 5 // times the range of the first
	aLow, aHigh := a.extremes()
	bLow, bHigh := b.extremes()
	span := max(aHigh.value, bHigh.value)/much - min(aLow.value, bLow.value)/much
	return span <= aHigh.value-aLow.value || aHigh.value == aLow.value
}

func heading(s source) string {
	name := s.title
	switch prefix, _, found := strings.Cut(name, "/"); {
	case slices.Contains(speedNames, name):
		return speedTitle
	case s.train == nil:
		return evalTitle
	case found && prefix != "":
		return prefix
	}
	return trainTitle
}
