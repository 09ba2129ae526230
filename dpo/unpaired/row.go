package unpaired

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
)

// Row is an answer to a prompt, as token ids, and what was thought of it.
type Row struct {
	Prompt     []int32 // at least one token
	Completion []int32 // at least one token, end token included
	Desirable  bool
	// Likeness is the probability that the prompt comes with a desirable answer, in
	// [0, 1], for BCO{Density: …}; see Likeness.
	Likeness float64
	At       data.Place
}

// Len is the number of tokens of prompt and completion.
func (r Row) Len() int { return len(r.Prompt) + len(r.Completion) }

// check refuses rows that cannot be computed.
func (r Row) check() error {
	switch {
	case len(r.Prompt) == 0:
		return fmt.Errorf("unpaired: %v: got a row without a prompt, want one token at least: nothing predicts the first token of a text", r.At)
	case len(r.Completion) == 0:
		return fmt.Errorf("unpaired: %v: got an empty completion, want a token to learn from", r.At)
	case !(r.Likeness >= 0 && r.Likeness <= 1) || math.IsNaN(r.Likeness):
		return fmt.Errorf("unpaired: %v: got Likeness %g, want a probability", r.At, r.Likeness)
	}
	return nil
}

// ErrOneClass is wrapped by the error about rows that are all desirable, or all
// undesirable.
var ErrOneClass = errors.New("unpaired: rows of one class only")

// checkRows refuses a dataset that cannot be trained on.
func checkRows(rows []Row, oneClass bool) error {
	if len(rows) == 0 {
		return errors.New("unpaired: got no rows, want at least one")
	}
	faults := []error{policy.CheckAll(rows, Row.check)}
	if good, bad := Count(rows); !oneClass && good*bad == 0 {
		faults = append(faults, fmt.Errorf("%w: got %d desirable and %d undesirable, want both (or BatchOptions.OneClass)", ErrOneClass, good, bad))
	}
	return errors.Join(faults...)
}

// Count is the number of desirable rows and of others.
func Count(rows []Row) (desirable, undesirable int) {
	for _, r := range rows {
		if r.Desirable {
			desirable++
		}
	}
	return desirable, len(rows) - desirable
}

// Fingerprint is the SHA-256 of the rows in hex: equal ones mean that a cursor fits
// both lists.
func Fingerprint(rows []Row) string {
	return policy.Fingerprint(rows, func(buf []byte, r Row) []byte {
		buf = binary.LittleEndian.AppendUint64(policy.AppendIDs(buf, r.Prompt, r.Completion), math.Float64bits(r.Likeness))
		return append(buf, map[bool]byte{true: 1}[r.Desirable])
	})
}
