package stages

import (
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"strings"
)

// Column is a metric of the exams.
type Column struct {
	Metric  string // as the exam calls it, with NAME_low and NAME_high where there are bounds
	Title   string
	Percent bool
}

// cell is a metric of a result; "" where it is not known.
func (c Column) cell(r Result) string {
	if r.Metrics == nil {
		return ""
	}
	at := func(name string) (string, bool) {
		v, ok := r.Metrics.Value("eval_" + name)
		if c.Percent {
			return fmt.Sprintf("%.1f", 100*v), ok
		}
		return fmt.Sprintf("%.3g", v), ok
	}
	text, ok := at(c.Metric)
	if !ok {
		return ""
	}
	if c.Percent {
		text += " %"
	}
	if low, ok := at(c.Metric + "_low"); ok {
		high, _ := at(c.Metric + "_high")
		text += fmt.Sprintf(" [%s, %s]", low, high)
	}
	return text
}

// name is what a result's line is called.
func (r Result) name() string {
	if r.Stage == "" {
		return "before"
	}
	return r.Stage
}

// Table is a line a stage.
func (r *Run) Table(columns ...Column) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%-24s", "held-out problems")
	for _, c := range columns {
		fmt.Fprintf(&s, "  %-24s", c.Title)
	}
	for _, x := range r.Results {
		fmt.Fprintf(&s, "\n%-24s", x.name())
		for _, c := range columns {
			fmt.Fprintf(&s, "  %-24s", c.cell(x))
		}
	}
	return s.String()
}

// page is the report of a run of several stages.
var page = template.Must(template.New("stages").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{.Title}}</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}td,th{padding:.3rem 1rem .3rem 0;text-align:left;border-bottom:1px solid #8884}</style>
<h1>{{.Title}}</h1>
{{range .Notes}}<p>{{.}}</p>{{end}}
<table><tr><th>held-out problems</th>{{range .Columns}}<th>{{.Title}}</th>{{end}}</tr>
{{range .Lines}}<tr><td>{{if .Link}}<a href="{{.Name}}/report.html">{{.Name}}</a>{{else}}{{.Name}}{{end}}</td>{{range .Cells}}<td>{{.}}</td>{{end}}</tr>
{{end}}</table>
<p>In brackets: 95 % intervals after Wilson. Each stage has a report of its own.</p>
</html>
`))

// Report writes the table as report.html into -out, with links to the reports of the
// stages.
func (r *Run) Report(notes []string, columns ...Column) error {
	if r.Flags.Out == "" {
		return nil
	}
	type line struct {
		Name  string
		Link  bool
		Cells []string
	}
	var lines []line
	for _, x := range r.Results {
		l := line{Name: x.name(), Link: x.Stage != ""}
		for _, c := range columns {
			l.Cells = append(l.Cells, c.cell(x))
		}
		lines = append(lines, l)
	}
	f, err := os.Create(filepath.Join(r.Flags.Out, "report.html"))
	if err != nil {
		return err
	}
	defer f.Close()
	return page.Execute(f, struct {
		Title   string
		Notes   []string
		Columns []Column
		Lines   []line
	}{r.Title, notes, columns, lines})
}
