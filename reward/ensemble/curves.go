package ensemble

import (
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
)

//go:embed curves.html.tmpl
var curvesPage string

// Curve is what optimising against one score does: at each distance from the first
// policy, √KL in √nats, the true reward and, where it is known, the score itself.
type Curve struct {
	Name     string
	Distance []float64
	Gold     []float64
	Proxy    []float64 // nil, or as long
}

// Peak is the place of the best true reward.
func (c Curve) Peak() int {
	best := 0
	for i, g := range c.Gold {
		if g > c.Gold[best] {
			best = i
		}
	}
	return best
}

// check refuses what cannot be drawn.
func (c Curve) check() error {
	if len(c.Gold) == 0 || len(c.Distance) != len(c.Gold) || c.Proxy != nil && len(c.Proxy) != len(c.Gold) {
		return fmt.Errorf("ensemble: curve %s: got %d distances, %d true rewards and %d scores, want as many of each, or no scores", c.Name, len(c.Distance), len(c.Gold), len(c.Proxy))
	}
	for _, list := range [][]float64{c.Distance, c.Gold, c.Proxy} {
		for i, v := range list {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("ensemble: curve %s: point %d is %g, want a finite number", c.Name, i, v)
			}
		}
	}
	return nil
}

// curveView is a curve as the page shows it.
type curveView struct {
	Name, Colour, Gold, Proxy string // the lines as "x,y x,y"
	PeakX, PeakY              float64
	At, Best, End             string
}

// colours tell curves apart, also for eyes that do not see red and green alike (Okabe
// and Ito 2008).
var colours = []string{"#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#666666"}

// Chart is curves on common axes.
type Chart struct {
	Title, Note string // "" for none
	Curves      []Curve
}

// chartView is a chart as the page shows it.
type chartView struct {
	Title, Note            string
	Low, High, Left, Right string
	Zero                   float64
	Curves                 []curveView
}

// WriteCurves writes a page of HTML that draws the curves on common axes, with the
// peak of every one. It is one file that needs no network.
func WriteCurves(w io.Writer, title string, curves []Curve) error {
	return WriteCharts(w, title, []Chart{{Curves: curves}})
}

// WriteCharts is WriteCurves for several charts below each other.
func WriteCharts(w io.Writer, title string, charts []Chart) error {
	view := struct {
		Title  string
		Charts []chartView
	}{Title: title}
	for _, c := range charts {
		v, err := c.view()
		if err != nil {
			return err
		}
		view.Charts = append(view.Charts, v)
	}
	page, err := template.New("curves").Parse(curvesPage)
	if err == nil {
		err = page.Execute(w, view)
	}
	if err != nil {
		return fmt.Errorf("ensemble: page of curves: %w", err)
	}
	return nil
}

// view places the curves on axes.
func (c Chart) view() (chartView, error) {
	if len(c.Curves) == 0 {
		return chartView{}, errors.New("ensemble: page of curves: got a chart without curves, want one at least")
	}
	var x, y span
	for _, c := range c.Curves {
		if err := c.check(); err != nil {
			return chartView{}, err
		}
		x.add(c.Distance)
		y.add(c.Gold)
		y.add(c.Proxy)
	}
	view := chartView{c.Title, c.Note, number(y.low), number(y.high), number(x.low), number(x.high), y.at(0, 300, 20), nil}
	for i, c := range c.Curves {
		p := c.Peak()
		view.Curves = append(view.Curves, curveView{
			Name: c.Name, Colour: colours[i%len(colours)], Gold: line(c.Distance, c.Gold, x, y), Proxy: line(c.Distance, c.Proxy, x, y),
			PeakX: x.at(c.Distance[p], 50, 590), PeakY: y.at(c.Gold[p], 300, 20),
			At: number(c.Distance[p]), Best: number(c.Gold[p]), End: number(c.Gold[len(c.Gold)-1]),
		})
	}
	return view, nil
}

func number(v float64) string { return fmt.Sprintf("%.2f", v) }

// span is the range of an axis.
type span struct {
	low, high float64
	some      bool
}

func (s *span) add(list []float64) {
	for _, v := range list {
		if !s.some {
			s.low, s.high, s.some = v, v, true
		}
		s.low, s.high = min(s.low, v), max(s.high, v)
	}
}

// at is where v lies between from, for the lowest, and to.
func (s span) at(v, from, to float64) float64 {
	if s.high == s.low {
		return (from + to) / 2
	}
	return math.Round(10*(from+(to-from)*(v-s.low)/(s.high-s.low))) / 10
}

// line lists the points of a polyline.
func line(xs, ys []float64, x, y span) string {
	var s strings.Builder
	for i := range ys {
		fmt.Fprintf(&s, "%.1f,%.1f ", x.at(xs[i], 50, 590), y.at(ys[i], 300, 20))
	}
	return strings.TrimSpace(s.String())
}
