package report

import (
	"fmt"
	"math"
	"strings"
)

// chart is a drawing of one metric: of training, of evaluations, or both.
type chart struct {
	Title  string
	Log    bool
	Lines  []line
	XTicks []mark
	YTicks []mark
	// XRange and YRange tell the script what the axes cover.
	XRange, YRange string
	Label          string // the chart in words
}

// mark is a tick of an axis, or a point.
type mark struct {
	At, Y string // x and y of a point; At alone for a tick
	Text  string
}

// line is one series of a chart.
type line struct {
	Name  string
	Class string // "train" or "eval"
	// Path is the line through all points, Trend a smoother one for noise.
	Path, Trend string
	Bars        string // confidence intervals
	Dots        []mark
	// Steps are differences to the point before; with Values they are what
	// the script shows.
	Steps, Values string
	Summary       string
	Fault         string
}

// The plot area in the SVG's own units.
const (
	chartWidth, chartHeight = 480, 240
	left, right             = 58, 456
	top, bottom             = 10, 214
)

// Numbers of ticks that fit, and of points that are drawn as dots.
const (
	xTicks, yTicks = 5, 5
	maxTrainDots   = 40
	maxEvalDots    = 120
)

// source is what a chart is drawn from.
type source struct {
	title       string
	train, eval *series
	low, high   *series // confidence bounds of eval
}

// drawing draws charts on a common axis of steps.
type drawing struct {
	x     scale
	limit int // points a series
}

// chart draws one.
func (d *drawing) chart(s source) chart {
	c := chart{Title: s.title}
	var low, high = math.Inf(1), math.Inf(-1)
	for _, part := range []*series{s.train, s.eval, s.low, s.high} {
		if part == nil {
			continue
		}
		part.shrink(d.limit)
		if part.n > 0 {
			l, h := part.extremes()
			low, high = min(low, l.value), max(high, h.value)
		}
	}
	y := scale{0, 1, false}
	if low <= high {
		y = newScale(low, high, wantsLog(s))
		for _, t := range y.ticks(yTicks) {
			c.YTicks = append(c.YTicks, mark{At: d.py(y, t.value), Text: t.label})
		}
	}
	for _, t := range d.x.ticks(xTicks) {
		if t.value >= 0 && t.value == math.Trunc(t.value) {
			c.XTicks = append(c.XTicks, mark{At: d.px(t.value), Text: t.label})
		}
	}
	c.Log = y.log
	c.XRange, c.YRange = fmt.Sprint(d.x.low, " ", d.x.high), fmt.Sprint(y.low, " ", y.high)
	if s.train != nil {
		c.Lines = append(c.Lines, d.line(s.train, "train", y))
	}
	if s.eval != nil {
		l := d.line(s.eval, "eval", y)
		l.Bars = d.bars(s, y)
		c.Lines = append(c.Lines, l)
	}
	var words []string
	for _, l := range c.Lines {
		words = append(words, l.Name+": "+strings.TrimSpace(l.Summary+" "+l.Fault))
	}
	c.Label = strings.Join(words, "; ")
	return c
}

// wantsLog says whether a linear scale would show one spike and a flat line.
// Losses and learning rates are always compared on a linear one.
func wantsLog(s source) bool {
	if strings.Contains(s.title, "loss") || strings.Contains(s.title, "learning_rate") {
		return false
	}
	const squashed = 50 // the usual value would stand this far below the top
	main := s.train
	if main == nil {
		main = s.eval
	}
	for _, part := range []*series{s.train, s.eval, s.low, s.high} {
		if part != nil && part.n > 0 {
			if low, _ := part.extremes(); low.value <= 0 {
				return false
			}
		}
	}
	if main.n == 0 {
		return false
	}
	_, high := main.extremes()
	return high.value/squashed > main.median()
}

// line draws a series.
func (d *drawing) line(s *series, class string, y scale) line {
	l := line{Name: s.name, Class: class}
	runs := s.points()
	l.Path = d.path(runs, y)
	l.Steps, l.Values = data(runs)
	if s.noisy() {
		l.Trend = d.path(s.trend(), y)
	}
	if class == "train" && s.n <= maxTrainDots || class == "eval" && s.n <= maxEvalDots {
		for _, run := range runs {
			for _, p := range run {
				l.Dots = append(l.Dots, mark{d.px(float64(p.step)), d.py(y, p.value), fmt.Sprintf("step %s: %s", formatInt(p.step), format(p.value))})
			}
		}
	}
	l.Summary, l.Fault = s.summary(), s.fault()
	return l
}

// bars draws confidence intervals as one path, for as many points as have dots.
func (d *drawing) bars(s source, y scale) string {
	if s.low == nil || s.high == nil || s.low.n > maxEvalDots || s.high.n > maxEvalDots {
		return ""
	}
	lows := map[int64]float64{}
	for _, run := range s.low.points() {
		for _, p := range run {
			lows[p.step] = p.value
		}
	}
	var b strings.Builder
	for _, run := range s.high.points() {
		for _, p := range run {
			if low, ok := lows[p.step]; ok {
				fmt.Fprintf(&b, "M%s,%sV%s", d.px(float64(p.step)), d.py(y, low), d.py(y, p.value))
			}
		}
	}
	return b.String()
}

// path is the outline of runs of points.
func (d *drawing) path(runs [][]point, y scale) string {
	var b strings.Builder
	for _, run := range runs {
		for i, p := range run {
			command := byte('L')
			if i == 0 {
				command = 'M'
			}
			b.WriteByte(command)
			b.WriteString(d.px(float64(p.step)))
			b.WriteByte(',')
			b.WriteString(d.py(y, p.value))
		}
		if len(run) == 1 {
			b.WriteString("h0") // round ends make it a dot
		}
	}
	return b.String()
}

func (d *drawing) px(step float64) string {
	return coordinate(left + (right-left)*d.x.at(step))
}

func (d *drawing) py(y scale, v float64) string {
	return coordinate(bottom - (bottom-top)*y.at(v))
}
