package eval

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Table compares a model before and after training, a measurement a line.
type Table struct {
	Bootstrap Bootstrap `json:"-"`
	Changes   []Change  `json:"changes"`
}

// Add appends a line.
func (t *Table) Add(before, after *Measurement) error {
	c, err := Compare(before, after, t.Bootstrap)
	if err != nil {
		return err
	}
	t.Changes = append(t.Changes, c)
	return nil
}

// String is the table as text, in columns, with confidence intervals in brackets.
func (t *Table) String() string {
	level := strconv.FormatFloat(100*t.Bootstrap.withDefaults().Confidence, 'g', 4, 64)
	lines := [][]string{{"", "before", "after", "change", "p", "items"}}
	for _, c := range t.Changes {
		lines = append(lines, []string{c.Name, c.Before.text(c.Kind, "%"), c.After.text(c.Kind, "%"), c.Difference.text(c.Kind, "%+"), pText(c.P), strconv.Itoa(c.Items)})
	}
	return align(lines) + "[" + level + "% confidence intervals; the change is paired, item by item]\n"
}

// text is the estimate for people; verb begins the numbers' format. Shares are in
// percent, their differences in points.
func (e Estimate) text(k Kind, verb string) string {
	number, unit, factor := verb+".4g", "", 1.0
	if k == KindShare {
		number, unit, factor = verb+".1f", "%", 100
	}
	f := func(x float64) string { return fmt.Sprintf(number, factor*x) }
	return f(e.Value) + unit + " [" + f(e.Low) + ", " + f(e.High) + "]"
}

func pText(p float64) string {
	if p < 0.001 {
		return "<0.001"
	}
	return strconv.FormatFloat(p, 'f', 3, 64)
}

// align pads cells to columns: the first to the left, the others to the right.
func align(lines [][]string) string {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, line := range lines {
		for i, cell := range line {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				b.WriteString(cell + pad)
			} else {
				b.WriteString("  " + pad + cell)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
