package reward

import (
	"fmt"
	"math"
	"math/big"
	"strings"

	"github.com/posttrain/posttrain/data/answer"
)

// Exact is 1 if completion and reference are the same text after squeezing
// white space and dropping a final point; case counts.
func Exact() Verifier {
	return truth("exact", func(s Sample) (bool, error) {
		return answer.Normalize(s.Completion) == answer.Normalize(s.Reference), nil
	})
}

// Answer extracts the answers of completion and reference with the same
// extractor and compares them by answer.Equal (numbers within 1e-6, else text).
// A completion without an answer gets 0; a reference without one is taken whole.
func Answer(name string, extract answer.Extractor) Verifier {
	return truth(name, func(s Sample) (bool, error) {
		want, ok := extract(s.Reference)
		if !ok {
			want = s.Reference
		}
		if strings.TrimSpace(want) == "" {
			return false, fmt.Errorf("the reference is empty: %w", ErrReference)
		}
		got, ok := extract(s.Completion)
		return ok && answer.Equal(got, want), nil
	})
}

// GSM8K compares the final number by answer.GSM8K's marks: "####", "A:", \boxed{},
// else the last number (Cobbe et al. 2021, arXiv:2110.14168).
func GSM8K() Verifier { return Answer("gsm8k", answer.GSM8K) }

// Boxed compares the contents of the last \boxed{} as text or numbers.
func Boxed() Verifier { return Answer("boxed", answer.Boxed) }

// Math says whether the final answers mean the same by answer.Math: fractions,
// roots, sets, intervals, equations, matrices, units.
func Math() Verifier {
	return truth("math", func(s Sample) (bool, error) {
		same, err := answer.Math(s.Reference, s.Completion)
		if err != nil {
			return false, fmt.Errorf("%w: %w", ErrReference, err)
		}
		return same, nil
	})
}

// Numeric compares the last number of the completion with the reference's, and
// allows |a−b| ≤ absolute + relative·|reference|.
func Numeric(absolute, relative float64) Verifier {
	return truth("numeric", func(s Sample) (bool, error) {
		want, ok := lastNumber(s.Reference)
		if !ok {
			return false, fmt.Errorf("reference %.40q has no number: %w", s.Reference, ErrReference)
		}
		got, ok := lastNumber(s.Completion)
		return ok && math.Abs(got-want) <= absolute+relative*math.Abs(want), nil
	})
}

func lastNumber(text string) (float64, bool) {
	if v, ok := answer.Number(text); ok {
		return v, true
	}
	found, ok := answer.LastNumber(text)
	if !ok {
		return 0, false
	}
	return answer.Number(found)
}

// maxFraction is the longest fraction that is read, in bytes.
const maxFraction = 200

// Fraction compares exactly as rational numbers: "3/4", "0.75" and "-1 1/2" are
// read. The completion must be the number alone.
func Fraction() Verifier { return rational("fraction", false) }

// Percent is Fraction where "75%" is read as 75/100.
func Percent() Verifier { return rational("percent", true) }

func rational(name string, percent bool) Verifier {
	return truth(name, func(s Sample) (bool, error) {
		want, ok := readFraction(s.Reference, percent)
		if !ok {
			return false, fmt.Errorf("reference %.40q is no fraction: %w", s.Reference, ErrReference)
		}
		got, ok := readFraction(s.Completion, percent)
		return ok && got.Cmp(want) == 0, nil
	})
}

func readFraction(text string, percent bool) (*big.Rat, bool) {
	text = strings.TrimSpace(text)
	if len(text) > maxFraction || strings.ContainsAny(text, "eEpPxXbBoO_") {
		return nil, false
	}
	cut := strings.TrimSpace(strings.TrimSuffix(strings.TrimSuffix(text, "%"), `\`))
	if strings.HasSuffix(text, "%") && !percent {
		return nil, false
	}
	value := new(big.Rat)
	if whole, rest, ok := strings.Cut(cut, " "); ok && !strings.Contains(cut, " /") {
		w, okW := new(big.Rat).SetString(whole)
		f, okF := new(big.Rat).SetString(strings.TrimSpace(rest))
		if !okW || !okF || !strings.Contains(rest, "/") || strings.ContainsAny(rest, "+-") {
			return nil, false
		}
		if strings.HasPrefix(whole, "-") {
			f.Neg(f)
		}
		value.Add(w, f)
	} else if _, ok := value.SetString(strings.ReplaceAll(cut, " ", "")); !ok {
		return nil, false
	}
	if strings.HasSuffix(text, "%") {
		value.Quo(value, big.NewRat(100, 1))
	}
	return value, true
}
