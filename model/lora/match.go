package lora

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
)

// matcher decides which layers a configuration adapts, and how.
type matcher struct {
	Config
	target, exclude *regexp.Regexp // nil where names count
	ranks           compiled[int]
	alphas          compiled[float64]
}

func newMatcher(c Config) (*matcher, error) {
	m := &matcher{Config: c}
	var err1, err2, err3, err4 error
	m.target, err1 = whole("target pattern", c.TargetPattern)
	m.exclude, err2 = whole("exclude pattern", c.ExcludePattern)
	m.ranks, err3 = compile("rank pattern", c.RankPattern)
	m.alphas, err4 = compile("alpha pattern", c.AlphaPattern)
	return m, errors.Join(err1, err2, err3, err4)
}

// whole compiles a pattern that must match a whole path; nil for none.
func whole(field, pattern string) (*regexp.Regexp, error) {
	if pattern == "" {
		return nil, nil
	}
	re, err := regexp.Compile("^(?:" + pattern + ")$")
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrConfig, field, err)
	}
	return re, nil
}

// adapts says whether the layer at path gets an adapter. Inner are the linear
// layers but the head.
func (m *matcher) adapts(path string, inner bool) bool {
	if m.exclude != nil && m.exclude.MatchString(path) || named(m.Exclude, path) {
		return false
	}
	if m.target != nil {
		return m.target.MatchString(path)
	}
	return inner && slices.Contains(m.Targets, AllLinear) || named(m.Targets, path)
}

// named says whether path is one of names or ends in a dot and one of them.
func named(names []string, path string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return path == n || strings.HasSuffix(path, "."+n) })
}

// size is the rank and the factor of B·A at a path, after the patterns.
func (m *matcher) size(path string) (rank int, scale float64) {
	rank = m.ranks.find(path, m.Rank)
	alpha := m.alphas.find(path, m.Alpha)
	if m.RankStabilised {
		return rank, alpha / math.Sqrt(float64(rank))
	}
	return rank, alpha / float64(rank)
}
