package overlap

import (
	"errors"
	"fmt"
)

// ContaminationOptions steer [NewContamination]. The zero value is the default.
type ContaminationOptions struct {
	// Words is the length of the runs of words that must not be in common
	// (default 13, as GPT-3's). Of shorter tests the whole text is looked for.
	Words int
	// MinWords leaves out tests with fewer words, which are found anywhere
	// (default 8).
	MinWords int
	// Common leaves out runs that are in more tests than that: headings and
	// instructions that all rows share (default 10).
	Common int
}

// Validate reports every field that makes no sense.
func (o ContaminationOptions) Validate() error {
	var errs []error
	for _, f := range []struct {
		name string
		got  int
	}{{"Words", o.Words}, {"MinWords", o.MinWords}, {"Common", o.Common}} {
		if f.got < 0 {
			errs = append(errs, fmt.Errorf("overlap: ContaminationOptions.%s: got %d, want 0 (default) or more", f.name, f.got))
		}
	}
	return errors.Join(errs...)
}

// Hit is a test that training gives away.
type Hit struct {
	Test  int     // its number, in the order of AddTest
	Train int     // the first training text that has a run of it
	Share float64 // of its runs that some training text has
}

// Contamination finds tests that have runs of words in common with training texts.
// All tests are added first. It is not safe for concurrent use.
type Contamination struct {
	opts    ContaminationOptions
	tests   []test
	runs    map[uint64][]int32 // tests that have the run
	lengths map[int]bool       // lengths of runs
	found   map[uint64]bool
	train   int
	short   int
	words   []uint64
}

// test is what is known of a test.
type test struct {
	runs  int // distinct ones that count
	found int
	first int // training text of the first one found
}

// NewContamination returns an empty Contamination.
func NewContamination(o ContaminationOptions) (*Contamination, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Words == 0 {
		o.Words = 13
	}
	if o.MinWords == 0 {
		o.MinWords = 8
	}
	if o.Common == 0 {
		o.Common = 10
	}
	return &Contamination{opts: o, runs: map[uint64][]int32{}, lengths: map[int]bool{}, found: map[uint64]bool{}}, nil
}

// AddTest takes the next test.
func (c *Contamination) AddTest(text string) {
	number := int32(len(c.tests))
	c.tests = append(c.tests, test{})
	c.words = appendWords(c.words[:0], text)
	if len(c.words) < c.opts.MinWords {
		c.short++
		return
	}
	n := min(c.opts.Words, len(c.words))
	c.lengths[n] = true
	runsOf(c.words, n, func(hash uint64) {
		if list := c.runs[hash]; len(list) == 0 || list[len(list)-1] != number {
			c.runs[hash] = append(list, number)
		}
	})
}

// AddTrain takes the next training text and returns how many runs it shares with
// tests.
func (c *Contamination) AddTrain(text string) int {
	c.words = appendWords(c.words[:0], text)
	shared := 0
	for n := 1; n <= c.opts.Words; n++ {
		if !c.lengths[n] {
			continue
		}
		runsOf(c.words, n, func(hash uint64) {
			list := c.runs[hash]
			if len(list) == 0 || len(list) > c.opts.Common {
				return
			}
			shared++
			if c.found[hash] {
				return
			}
			c.found[hash] = true
			for _, i := range list {
				t := &c.tests[i]
				if t.found == 0 {
					t.first = c.train
				}
				t.found++
			}
		})
	}
	c.train++
	return shared
}

// Short is the number of tests left out for having too few words.
func (c *Contamination) Short() int { return c.short }

// Hits lists the tests that training gives away, in their order.
func (c *Contamination) Hits() []Hit {
	for _, list := range c.runs {
		if len(list) <= c.opts.Common {
			for _, i := range list {
				c.tests[i].runs++
			}
		}
	}
	var hits []Hit
	for i := range c.tests {
		t := &c.tests[i]
		if t.found > 0 {
			hits = append(hits, Hit{Test: i, Train: t.first, Share: float64(t.found) / float64(t.runs)})
		}
		t.runs = 0
	}
	return hits
}
