package report

import (
	"crypto/sha256"
	_ "embed" // the page's parts
	"encoding/base64"
	"fmt"
	"html/template"
	"slices"
)

// The parts of the page. Style and script are fixed texts, so that the page's
// security policy can name them by their hash and forbid all others.
var (
	//go:embed page.html.tmpl
	pageText string
	//go:embed style.css
	styleText string
	//go:embed script.js
	scriptText string

	pageTemplate = template.Must(template.New("page").Parse(pageText))
)

// page is what the template shows.
type page struct {
	Title    string
	Policy   template.HTMLAttr
	Style    template.CSS
	Script   template.JS
	Status   string
	Done     bool
	Tiles    []tile
	Notes    []string
	Evals    *evaluations
	Sections []section
	Samples  *gallery
	Tables   []factTable
}

// tile is a fact at the top of the page.
type tile struct{ Name, Value, More string }

// evaluations is the table before and after.
type evaluations struct {
	Before, After int64
	Single        bool // there was one evaluation
	Count         int
	Changes       []change
	HasBounds     bool
}

func newPage(r Run, in *inputs) *page {
	p := &page{
		Title:    visible(r.Title),
		Policy:   policy(),
		Style:    template.CSS(styleText),
		Script:   template.JS(scriptText),
		Done:     in.run.finished,
		Notes:    append(slices.Clone(r.Notes), in.notes()...),
		Evals:    in.evaluations(),
		Sections: in.metrics.sections(),
		Samples:  in.samples.gallery(),
		Tables:   in.run.tables(),
		Tiles:    in.tiles(),
	}
	if p.Title == "" {
		p.Title = "Training run"
		if in.run.stage != "" {
			p.Title += ": " + label(in.run.stage, maxName)
		}
	}
	p.Status = "not finished"
	if p.Done {
		p.Status = "finished"
	}
	return p
}

// policy lets the browser load nothing and run only this package's script.
func policy() template.HTMLAttr {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return template.HTMLAttr(`content="default-src 'none'; style-src ` + hash(styleText) + `; script-src ` + hash(scriptText) + `; base-uri 'none'; form-action 'none'"`)
}

func (in *inputs) evaluations() *evaluations {
	m := in.metrics
	changes := m.changes(in.run.directions())
	if len(changes) == 0 {
		return nil
	}
	e := &evaluations{Before: m.before.Step, Single: m.after == nil, Count: m.count, Changes: changes}
	if m.after != nil {
		e.After = m.after.Step
	}
	e.HasBounds = slices.ContainsFunc(changes, func(c change) bool { return c.Before.Bounds != "" || c.After.Bounds != "" })
	return e
}

// notes say what the page does not show, and why.
func (in *inputs) notes() []string {
	var all []string
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for _, name := range in.missing {
		if name != samplesName { // a run need not have any
			say("%s is missing.", name)
		}
	}
	if in.runFault != nil {
		say("%s", label(in.runFault.Error(), maxFactLength))
	}
	for _, f := range []struct {
		name string
		t    *tally
	}{{metricsName, &in.metrics.tally}, {samplesName, &in.samples.tally}} {
		all = append(all, f.t.notes(f.name)...)
	}
	if more := in.metrics.train.more + in.metrics.eval.more; more > 0 {
		say("%s: %s left out: a chart is drawn for at most %d metrics of a kind, with names of at most %d bytes.", metricsName, count(more, "value was", "values were"), maxSeries, maxName)
	}
	return append(all, in.metrics.faults()...)
}

// faults name the series with values that are not finite.
func (m *metrics) faults() []string {
	const most = 10
	var all []string
	for _, s := range slices.Concat(m.train.all, m.eval.all) {
		if s.bad > 0 {
			all = append(all, s.name+": "+s.fault()+".")
		}
	}
	if more := len(all) - most; more > 0 {
		all = append(all[:most], count(more, "other metric has values that are", "other metrics have values that are")+" not finite.")
	}
	return all
}

// notes describe the lines that could not be used.
func (t *tally) notes(name string) []string {
	var all []string
	if n := t.malformed; n > 0 {
		text := fmt.Sprintf("%s: %s skipped: not an object with a step, as JSON (first at line %s).", name, count(n, "malformed line was", "malformed lines were"), formatInt(int64(t.first)))
		if t.cut {
			text += " The last line is not complete: the run was stopped while writing, or is still running."
		}
		all = append(all, text)
	}
	if t.long > 0 {
		all = append(all, fmt.Sprintf("%s: %s skipped: longer than %d MiB.", name, count(t.long, "line was", "lines were"), maxLine>>20))
	}
	if t.backwards > 0 {
		all = append(all, fmt.Sprintf("%s: %s skipped: of an earlier step than the line before.", name, count(t.backwards, "line was", "lines were")))
	}
	return all
}

// count writes a number with the right form of a word.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return formatInt(int64(n)) + " " + many
}
