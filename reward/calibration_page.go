package reward

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
)

//go:embed calibration.html.tmpl
var calibrationPage string

// calibrationView is what the page shows.
type calibrationView struct {
	Title        string
	Columns      []string
	Rows         []calibrationRow
	Bars, Points []mark
	Low, High    string
}

type calibrationRow struct {
	Name   string
	Values []string
}

// mark is a bar or a point of a chart.
type mark struct {
	X, Y, Height float64
	Text         string
}

// WriteCalibration writes a page of HTML that compares two calibrations, such as
// those before and after training, and draws the margins and the reliability of
// the second. It is one file that needs no network.
func WriteCalibration(w io.Writer, title string, before, after Calibration) error {
	page, err := template.New("calibration").Parse(calibrationPage)
	if err != nil {
		return fmt.Errorf("reward: calibration page: %w", err)
	}
	v := calibrationView{Title: title, Columns: []string{"before", "after"}, Rows: calibrationRows(before, after)}
	v.Low, v.High = fmt.Sprintf("%.3g", after.Margins.Low), fmt.Sprintf("%.3g", -after.Margins.Low)
	v.Bars, v.Points = after.Margins.bars(), after.points()
	if err := page.Execute(w, v); err != nil {
		return fmt.Errorf("reward: calibration page: %w", err)
	}
	return nil
}

func calibrationRows(list ...Calibration) []calibrationRow {
	fields := []struct {
		name string
		of   func(c Calibration) string
	}{
		{"judgements", func(c Calibration) string { return fmt.Sprint(c.Judgements) }},
		{"accuracy (95 %)", func(c Calibration) string { return fmt.Sprintf("%.3f [%.3f, %.3f]", c.Accuracy, c.Low, c.High) }},
		{"calibration error", func(c Calibration) string { return fmt.Sprintf("%.3f", c.ECE) }},
		{"mean margin", func(c Calibration) string { return fmt.Sprintf("%.3g", c.Margin) }},
		{"area under ROC", func(c Calibration) string { return share(c.AUC) }},
		{"correlation with length", func(c Calibration) string { return fmt.Sprintf("%+.3f", c.LengthCorrelation) }},
		{"the same within a prompt", func(c Calibration) string { return fmt.Sprintf("%+.3f", c.LengthWithin) }},
		{"longer answer is better", func(c Calibration) string { return share(c.LongerBetter) }},
		{"longer answer preferred", func(c Calibration) string { return share(c.LongerPreferred) }},
	}
	rows := make([]calibrationRow, len(fields))
	for i, f := range fields {
		rows[i].Name = f.name
		for _, c := range list {
			rows[i].Values = append(rows[i].Values, f.of(c))
		}
	}
	return rows
}

func share(x float64) string {
	if math.IsNaN(x) {
		return "–"
	}
	return fmt.Sprintf("%.3f", x)
}

// bars draws the counts between 20 and 580, 150 high.
func (h Histogram) bars() []mark {
	most := 1
	for _, n := range h.Counts {
		most = max(most, n)
	}
	var list []mark
	for i, n := range h.Counts {
		height := 150 * float64(n) / float64(most)
		low := h.Low + float64(i)*h.Width
		list = append(list, mark{X: 21 + 28*float64(i), Y: 150 - height, Height: height, Text: fmt.Sprintf("%.3g to %.3g: %d", low, low+h.Width, n)})
	}
	return list
}

// points draws accuracy over confidence.
func (c Calibration) points() []mark {
	var list []mark
	for _, b := range c.Bins {
		if b.Judgements > 0 {
			list = append(list, mark{
				X: 50 + 1000*(b.Confidence-0.5), Y: 250 - 400*(b.Accuracy-0.5),
				Height: 3 + 12*math.Sqrt(float64(b.Judgements)/float64(c.Judgements)),
				Text:   fmt.Sprintf("confidence %.2f, accuracy %.2f, %d judgements", b.Confidence, b.Accuracy, b.Judgements),
			})
		}
	}
	return list
}
