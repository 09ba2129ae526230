package data

import "errors"

// ErrNoTargets is reported when no row has a token to learn from.
var ErrNoTargets = errors.New("data: no row has a target token")

// Role says where a token stems from.
type Role uint8

// Roles of tokens.
const (
	RoleContext Role = iota // given to the model: prompts, user turns, template text
	RoleAnswer              // what the model is to say: completions, assistant turns, plain text
)

// Example is a tokenised row of T tokens.
type Example struct {
	IDs   []int32 // (T)
	Roles []Role  // (T)
	// Mask (T) is true where the token is a target: its log-probability given
	// all tokens before it counts in the loss. Mask[0] never counts, nothing
	// stands before it.
	Mask   []bool
	Prompt int // tokens before the completion; 0 for rows without a prompt
	At     Place
}

// Targets returns the number of tokens that count in the loss, the first token
// left out.
func (e Example) Targets() int {
	n := 0
	for i := 1; i < len(e.Mask); i++ {
		if e.Mask[i] {
			n++
		}
	}
	return n
}

// Dataset holds tokenised examples in memory, back to back.
type Dataset struct {
	ids     []int32
	roles   []Role
	mask    []bool
	offsets []int // (n+1) start of each example, then the end
	prompts []int32
	places  []Place
}

// Len returns the number of examples.
func (d *Dataset) Len() int { return len(d.places) }

// Tokens returns the number of tokens of all examples.
func (d *Dataset) Tokens() int { return len(d.ids) }

// Length returns the number of tokens of example i.
func (d *Dataset) Length(i int) int { return d.offsets[i+1] - d.offsets[i] }

// Example returns example i. Its slices are the dataset's own: do not write.
func (d *Dataset) Example(i int) Example {
	lo, hi := d.offsets[i], d.offsets[i+1]
	return Example{
		IDs: d.ids[lo:hi:hi], Roles: d.roles[lo:hi:hi], Mask: d.mask[lo:hi:hi],
		Prompt: int(d.prompts[i]), At: d.places[i],
	}
}

// Append copies an example into the dataset.
func (d *Dataset) Append(e Example) error {
	if len(e.Mask) != len(e.IDs) || len(e.Roles) != len(e.IDs) {
		return &Error{At: e.At, Got: lengths(e), Want: "slices of equal length"}
	}
	if len(d.offsets) == 0 {
		d.offsets = append(d.offsets, 0)
	}
	d.ids = append(d.ids, e.IDs...)
	d.roles = append(d.roles, e.Roles...)
	d.mask = append(d.mask, e.Mask...)
	d.offsets = append(d.offsets, len(d.ids))
	d.prompts = append(d.prompts, int32(e.Prompt))
	d.places = append(d.places, e.At)
	return nil
}

// reset empties the dataset and keeps its memory.
func (d *Dataset) reset() {
	d.ids, d.roles, d.mask = d.ids[:0], d.roles[:0], d.mask[:0]
	d.offsets, d.prompts, d.places = d.offsets[:0], d.prompts[:0], d.places[:0]
}
