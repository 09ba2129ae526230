package lora

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/posttrain/posttrain/model/nn"
)

// matcher decides which layers a configuration adapts, and how.
type matcher struct {
	Config
	target, exclude *regexp.Regexp // nil where names count
	feedforward     *regexp.Regexp // likewise
	numbers         numbers
	ranks           compiled[int]
	alphas          compiled[float64]
}

func newMatcher(c Config) (*matcher, error) {
	m := &matcher{Config: c}
	var err1, err2, err3, err4, err5, err6 error
	m.target, err1 = whole("target pattern", c.TargetPattern)
	m.exclude, err2 = whole("exclude pattern", c.ExcludePattern)
	m.ranks, err3 = compile("rank pattern", c.RankPattern)
	m.alphas, err4 = compile("alpha pattern", c.AlphaPattern)
	m.numbers, err5 = newNumbers(c.Layers, c.LayersPattern)
	m.feedforward, err6 = whole("feedforward pattern", c.FeedforwardPattern)
	return m, errors.Join(err1, err2, err3, err4, err5, err6)
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

// adapts says whether a layer gets a low-rank update.
func (m *matcher) adapts(path string, k kind) bool {
	if k == norm || k == scorer || m.saves(path) || m.Method == TrainableTokens {
		return false
	}
	if m.exclude != nil && m.exclude.MatchString(path) || named(m.Exclude, path) {
		return false
	}
	if m.target != nil {
		return m.target.MatchString(path)
	}
	if slices.Contains(m.Targets, path) {
		return true
	}
	target := k == inner && slices.Contains(m.Targets, AllLinear) || named(m.Targets, path)
	return target && m.numbers.allow(path)
}

// fits is nil if the method can change a layer.
func (m *matcher) fits(l *layer) error {
	bad := func(what, want string) error {
		return fmt.Errorf("%w: %s of %s, want one of %s only", ErrConfig, what, l.path, want)
	}
	switch {
	case strings.Contains(l.path, ".experts.") && (m.Method != LoRA || m.DoRA || m.BiasOnB):
		return fmt.Errorf("%w: %s is an expert, which takes plain LoRA only", ErrConfig, l.path)
	case m.BiasOnB && l.kind != inner:
		return bad("a bias on B (lora_bias)", "inner linear layers")
	case m.DoRA && l.kind != inner:
		return bad("a magnitude (use_dora)", "inner linear layers")
	case m.Init.decomposes() && l.kind != inner:
		return bad("an update taken out of the weight (init "+string(m.Init)+")", "inner linear layers")
	case m.Method == IA3 && l.kind == head && !newScaling(m, l).(*scaling).inward:
		return bad("a scaling of logits (IA3)", "inner linear layers, or of feed-forward modules")
	}
	return takes(l, m.kind().update(m, l).adapter(), m.Method)
}

// takes is nil if a layer of that kind can hold an adapter.
func takes(l *layer, adapter any, method Method) error {
	var ok bool
	want := "linear layers"
	switch l.kind {
	case embedding:
		_, ok = adapter.(nn.LookupAdapter)
	case head:
		want = "inner linear layers"
		_, ok = adapter.(nn.HeadAdapter)
	default:
		_, ok = adapter.(nn.Adapter)
	}
	if adapter == nil || ok {
		return nil
	}
	return fmt.Errorf("%w: an update of method %s of %s, want one of %s only", ErrConfig, method.peft(), l.path, want)
}

// saves says whether the adapter has a whole copy of the layer at path. As in
// PEFT a name need not begin at a dot: "norm" means "input_layernorm" too.
func (m *matcher) saves(path string) bool {
	return slices.ContainsFunc(m.ModulesToSave, func(n string) bool { return strings.HasSuffix(path, n) })
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
