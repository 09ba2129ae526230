package reward

import (
	"fmt"
	"regexp"
)

// maxPattern and maxSearched bound a regular expression and the text it
// searches, in bytes: RE2 takes time in proportion to their product.
const (
	maxPattern  = 4096
	maxSearched = 1 << 20
)

// Pattern is 1 if the regular expression (RE2 syntax, so no backtracking) matches
// somewhere in the completion; anchor with \A and \z to match all of it. Longer
// completions than 1 MiB do not match.
func Pattern(name, expression string) (Verifier, error) {
	if len(expression) > maxPattern {
		return nil, fmt.Errorf("reward: %s: the expression has %d bytes, want at most %d: %w", name, len(expression), maxPattern, ErrOptions)
	}
	re, err := regexp.Compile(expression)
	if err != nil {
		return nil, fmt.Errorf("reward: %s: %w: %w", name, ErrOptions, err)
	}
	return truth(name, func(s Sample) (bool, error) {
		return len(s.Completion) <= maxSearched && re.MatchString(s.Completion), nil
	}), nil
}
