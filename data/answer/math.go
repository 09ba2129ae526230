package answer

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/data/answer/internal/algebra"
)

// ErrNoAnswer is wrapped by Math's error for a reference without an answer.
var ErrNoAnswer = errors.New("no answer")

// Math says whether the final answer of text means the same as reference's:
// both may be LaTeX or plain, alone or in a solution (see Final).
//
// It follows a careful teacher where the math-verify library does not:
//   - decimals are equal after rounding to 6 places (0.1 and 0.10000001), but a
//     decimal is not 1/3, √2 or π;
//   - 50% is 50 and 0.5; one unit or currency is dropped, but 5 cm is not 5 m;
//   - (1,2) is a pair or an interval, never {1,2}; a list is a set; 3:2 is not 3/2;
//   - x>3 is (3,∞) in both directions; x=5 is 5, but not y=5;
//   - of several boxes the last counts, unless only commas or "and" part them;
//   - words are compared without case; i, e and degrees inside functions count.
//
// An answer that cannot be read, or not within its bounds, is not equal. A
// reference without an answer is an error that wraps ErrNoAnswer.
func Math(reference, text string) (bool, error) {
	want, ok := Final(reference)
	if !ok {
		return false, fmt.Errorf("answer: reference %.60q: %w", reference, ErrNoAnswer)
	}
	got, ok := Final(text)
	if !ok {
		return false, nil
	}
	return SameMath(want, got), nil
}

// SameMath says whether two answers that are already extracted mean the same,
// by Math's rules.
func SameMath(a, b string) bool {
	if Normalize(a) == Normalize(b) && Normalize(a) != "" {
		return true
	}
	x, err := algebra.Parse(a)
	if err != nil {
		return false
	}
	y, err := algebra.Parse(b)
	return err == nil && algebra.Equal(x, y)
}
