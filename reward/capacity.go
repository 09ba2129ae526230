package reward

import (
	"errors"
	"fmt"
)

// Capacity is how large a micro-batch may be; memory is planned for it. A zero
// field takes what the source states, or follows from Tokens.
type Capacity struct {
	Tokens      int `json:"tokens,omitempty"`      // 0: 2,048
	Segments    int `json:"segments,omitempty"`    // 0: Groups + Answers
	Groups      int `json:"groups,omitempty"`      // 0: Tokens/16
	Answers     int `json:"answers,omitempty"`     // 0: 2·Groups
	Comparisons int `json:"comparisons,omitempty"` // 0: Answers
	Rows        int `json:"rows,omitempty"`        // 0: Answers, or Tokens where more than the last token is scored
}

// validate reports every field that makes no sense.
func (c Capacity) validate() error {
	var faults []error
	for _, f := range c.fields() {
		if *f.n < 0 || *f.n > 1<<24 {
			faults = append(faults, fmt.Errorf("reward: Capacity.%s: got %d, want 1 to %d, or 0 for the default", f.name, *f.n, 1<<24))
		}
	}
	return errors.Join(faults...)
}

// field is a field of a Capacity by name.
type field struct {
	name string
	n    *int
}

func (c *Capacity) fields() [6]field {
	return [...]field{{"Tokens", &c.Tokens}, {"Segments", &c.Segments}, {"Groups", &c.Groups}, {"Answers", &c.Answers}, {"Comparisons", &c.Comparisons}, {"Rows", &c.Rows}}
}

// grow makes c hold what other holds, too.
func (c *Capacity) grow(other Capacity) {
	mine, theirs := c.fields(), other.fields()
	for i := range mine {
		*mine[i].n = max(*mine[i].n, *theirs[i].n)
	}
}

// withDefaults fills in what is 0, from what sources state and then from Tokens.
func (c Capacity) withDefaults(stated Capacity, at ScoreAt) Capacity {
	mine, theirs := c.fields(), stated.fields()
	for i := range mine {
		if *mine[i].n == 0 {
			*mine[i].n = *theirs[i].n
		}
	}
	set := func(n *int, value int) {
		if *n == 0 {
			*n = max(1, value)
		}
	}
	set(&c.Tokens, 2048)
	set(&c.Groups, c.Tokens/16)
	set(&c.Answers, 2*c.Groups)
	set(&c.Segments, c.Groups+c.Answers)
	set(&c.Comparisons, c.Answers)
	if at == LastToken {
		set(&c.Rows, c.Answers)
	}
	set(&c.Rows, c.Tokens)
	return c
}
