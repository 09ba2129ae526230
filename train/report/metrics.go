package report

import (
	"io"
	"slices"
)

// Limits on what metrics.jsonl may make a report keep.
const (
	maxSeries = 200
	maxName   = 200     // bytes of a metric's name
	maxStep   = 1 << 53 // float64 counts no further
	maxKeys   = 4096    // spellings of names that are remembered
)

// timingNames are the metrics that depend on the clock (train.IsTiming). They
// are drawn, and nothing else is made of them.
var timingNames = []string{"tokens_per_second", "step_seconds", "eval_runtime", "time_share/generation", "time_share/scoring", "time_share/training"}

func isTiming(name string) bool { return slices.Contains(timingNames, name) }

// metrics are what metrics.jsonl says.
type metrics struct {
	tally
	train, eval group
	// evaluations before and after, nil when there was none; count is how many
	// there are.
	before, after *evaluation
	count         int
}

// group are the series of one kind of line, in the order in which their names
// came up.
type group struct {
	all   []*series
	names map[string]*series
	keys  map[string]*series // by name as spelt in the file, nil for those not kept
	step  int64              // of the last line
	seen  bool
	more  int // values of series beyond maxSeries
}

// evaluation is the result of one evaluation.
type evaluation struct {
	Step   int64
	names  []string
	values map[string]float64
}

func readMetrics(r io.Reader) (*metrics, error) {
	m := &metrics{}
	err := eachLine(r, &m.tally, m.use)
	return m, err
}

// use takes the numbers out of a line.
func (m *metrics) use(line []byte) bool {
	kind, step, ok := header(line)
	g := &m.train
	switch {
	case !ok:
		return false
	case kind == "start" || kind == "sample" || kind == "checkpoint" || kind == "result":
		return true // lines of programs that print all events
	case kind == "eval":
		g = &m.eval
	}
	if g.seen && step < g.step {
		m.backwards++
		return true
	}
	g.seen, g.step = true, step
	var e *evaluation
	if kind == "eval" {
		e = &evaluation{step, nil, map[string]float64{}}
	}
	eachField(line, func(name, value []byte) {
		if string(name) == `"step"` {
			return
		}
		v, ok := number(value)
		if !ok {
			return
		}
		if s := g.series(name); s == nil {
			g.more++
		} else {
			s.add(point{step, v})
			e.set(s.name, v)
		}
	})
	if e != nil {
		m.evaluated(e)
	}
	return true
}

// header reads what a line is about; ok is false when it has no usable step.
func header(line []byte) (kind string, step int64, ok bool) {
	eachField(line, func(name, value []byte) {
		switch string(name) {
		case `"event"`:
			kind = unquote(value)
		case `"step"`:
			v, number := number(value)
			ok = number && v >= 0 && v <= maxStep && v == float64(int64(v))
			if ok {
				step = int64(v)
			}
		}
	})
	return kind, step, ok
}

// series is the series of a name as spelt in the file; nil when there are too
// many.
func (g *group) series(key []byte) *series {
	if s, ok := g.keys[string(key)]; ok {
		return s
	}
	if g.keys == nil {
		g.keys, g.names = map[string]*series{}, map[string]*series{}
	}
	name := visible(unquote(key))
	s := g.names[name]
	if s == nil && len(g.all) < maxSeries && len(name) <= maxName && name != "" {
		s = &series{name: name}
		g.all = append(g.all, s)
		g.names[name] = s
	}
	if len(g.keys) < maxKeys && len(key) <= maxLine/maxKeys {
		g.keys[string(key)] = s
	}
	return s
}

// set keeps a value of an evaluation; nil keeps nothing.
func (e *evaluation) set(name string, v float64) {
	if e == nil || isTiming(name) {
		return
	}
	if _, ok := e.values[name]; !ok {
		e.names = append(e.names, name)
	}
	e.values[name] = v
}

func (m *metrics) evaluated(e *evaluation) {
	m.count++
	if m.before == nil {
		m.before = e
		return
	}
	m.after = e
}
