package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/data/overlap"
	"github.com/posttrain/posttrain/examples/internal/cli"
)

// say prints an event for people, or as JSON.
func say(event string, e fmt.Stringer) error {
	if *asJSON {
		return cli.Line(event, e)
	}
	_, err := fmt.Println(e)
	return err
}

type start struct {
	Data     string `json:"data"`
	EvalData string `json:"eval_data,omitempty"`
	Model    string `json:"model,omitempty"`
}

func (s start) String() string { return s.Data }

type kind struct {
	Name string `json:"kind"`
	Rows int    `json:"rows"`
}

func (k kind) String() string { return fmt.Sprintf("%-8d rows  %s", k.Rows, k.Name) }

func (f *fault) String() string {
	return fmt.Sprintf("%-8d FAULT %s\n         first: %s", f.Count, f.What, f.Text)
}

type lengths struct {
	Characters data.Summary `json:"characters"`
}

func (l lengths) String() string { return "characters    " + l.Characters.String() }

// repeats are the rows that repeat earlier ones.
type repeats struct {
	Exact int      `json:"exact"`
	Near  int      `json:"near"`
	Cases []repeat `json:"cases"`
}

type repeat struct {
	Row        string  `json:"row"`
	Of         string  `json:"of"`
	Similarity float64 `json:"similarity"`
}

func (r *repeats) add(m overlap.Match, row, of data.Place) {
	if m.Exact {
		r.Exact++
	} else {
		r.Near++
	}
	if len(r.Cases) < *show {
		r.Cases = append(r.Cases, repeat{row.String(), of.String(), m.Similarity})
	}
}

func (r repeats) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "duplicates    %d exact, %d near", r.Exact, r.Near)
	for _, c := range r.Cases {
		fmt.Fprintf(&s, "\n  %s repeats %s (%.2f)", c.Row, c.Of, c.Similarity)
	}
	return s.String()
}

// contamination is what training rows give away.
type contamination struct {
	Tests int    `json:"tests"`
	Short int    `json:"too_short"` // tests that were not looked for
	Given int    `json:"given_away"`
	Rows  int    `json:"training_rows"` // that have words of tests
	Cases []leak `json:"cases"`
}

type leak struct {
	Test  string  `json:"test"`
	Train string  `json:"train"`
	Share float64 `json:"share"`
}

func (c contamination) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "contamination %d of %d evaluation rows, by %d rows (%d are too short to tell)", c.Given, c.Tests, c.Rows, c.Short)
	for _, l := range c.Cases {
		fmt.Fprintf(&s, "\n  %s is in %s (%.0f%%)", l.Test, l.Train, 100*l.Share)
	}
	return s.String()
}

type result struct {
	OK     bool `json:"ok"`
	Rows   int  `json:"rows"`
	Faulty int  `json:"faulty"`
}

func (r result) String() string {
	if r.OK {
		return fmt.Sprintf("%d rows, none of them faulty", r.Rows)
	}
	return fmt.Sprintf("%d rows, %d of them faulty", r.Rows, r.Faulty)
}

// tell prints what was found.
func (s *survey) tell() error {
	var events []fmt.Stringer
	var names []string
	add := func(name string, e fmt.Stringer) { names, events = append(names, name), append(events, e) }
	for _, name := range slices.Sorted(maps.Keys(s.kinds)) {
		add("kind", kind{name, s.kinds[name]})
	}
	for _, f := range slices.SortedFunc(maps.Values(s.faults), func(a, b *fault) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.What, b.What))
	}) {
		add("fault", f)
	}
	add("lengths", lengths{data.Summarize(s.characters)})
	if s.counter != nil {
		add("tokens", s.counter.report())
	}
	add("duplicates", s.repeats)
	if len(s.tests) > 0 {
		add("contamination", s.leaks())
	}
	add("result", result{OK: s.faulty() == 0, Rows: s.rows, Faulty: s.faulty()})
	for i, e := range events {
		if err := say(names[i], e); err != nil {
			return err
		}
	}
	return nil
}

// leaks names the evaluation rows that are given away.
func (s *survey) leaks() contamination {
	hits := s.shared.Hits()
	c := contamination{Tests: len(s.tests), Short: s.shared.Short(), Given: len(hits), Rows: s.hits}
	for _, h := range hits[:min(len(hits), *show)] {
		c.Cases = append(c.Cases, leak{s.tests[h.Test].String(), s.places[h.Train].String(), h.Share})
	}
	return c
}
