package main

import (
	"errors"
	"regexp"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/data/overlap"
)

// survey is what is known of the rows so far.
type survey struct {
	rows   int
	kinds  map[string]int
	faults map[string]*fault
	first  error

	characters []int
	counter    *counter // nil without a model

	places     []data.Place
	duplicates *overlap.Duplicates
	repeats    repeats

	tests  []data.Place
	shared *overlap.Contamination
	hits   int // training rows that share words with evaluation rows
}

// fault is what several rows have in common that are wrong.
type fault struct {
	What  string `json:"what"`
	Count int    `json:"count"`
	First string `json:"first"`
	Text  string `json:"error"` // of the first
}

// test takes an evaluation row.
func (s *survey) test(row data.AnyRow) error {
	if row.Fault != nil {
		return row.Fault // what is measured with must be sound
	}
	s.tests = append(s.tests, row.At)
	s.shared.AddTest(row.Examples[0].Words())
	return nil
}

// row takes a training row.
func (s *survey) row(row data.AnyRow) error {
	s.rows++
	if row.Fault != nil {
		s.wrong(row)
		return nil
	}
	s.kinds[row.Kind]++
	s.places = append(s.places, row.At)
	text := ""
	for _, e := range row.Examples { // of a comparison both answers
		text += e.Words() + "\n"
	}
	s.characters = append(s.characters, len([]rune(text))-len(row.Examples))
	if m := s.duplicates.Add(text); m.Of >= 0 {
		s.repeats.add(m, row.At, s.places[m.Of])
	}
	if len(s.tests) > 0 && s.shared.AddTrain(text) > 0 {
		s.hits++
	}
	for _, e := range row.Examples {
		if s.counter == nil {
			break
		}
		if err := s.counter.add(e); err != nil { // such as a conversation without a template
			s.kinds[row.Kind]--
			s.wrong(data.AnyRow{At: row.At, Fault: err})
			break
		}
	}
	return nil
}

// numbers are what differs between faults of the same kind.
var numbers = regexp.MustCompile(`\d+`)

// wrong counts a faulty row with those that are wrong in the same way.
func (s *survey) wrong(row data.AnyRow) {
	what := row.Fault.Error()
	var e *data.Error
	if errors.As(row.Fault, &e) {
		what = "got " + e.Got
		if e.Column != "" {
			what = e.Column + ": " + what
		}
		if e.Want != "" {
			what += ", want " + e.Want
		}
	}
	if s.first == nil {
		s.first = row.Fault
	}
	key := numbers.ReplaceAllString(what, "N")
	f, ok := s.faults[key]
	if !ok {
		f = &fault{What: key, First: row.At.String(), Text: row.Fault.Error()}
		s.faults[key] = f
	}
	f.Count++
}

func (s *survey) faulty() int {
	n := 0
	for _, f := range s.faults {
		n += f.Count
	}
	return n
}
