package train

import (
	"fmt"
	"math"
	"regexp"
	"strings"
)

// Group gives a subset of the parameters its own learning rate and decay. A
// parameter belongs to the first group one of whose patterns matches its name.
type Group struct {
	// Match lists name patterns: * stands for any run of characters, every
	// other character for itself. The whole name must match.
	Match []string `json:"match"`
	// LRFactor multiplies the scheduled learning rate; 0 means 1. To freeze
	// parameters, make them not trainable instead.
	LRFactor float64 `json:"lr_factor,omitempty"`
	// WeightDecay replaces the optimizer's decay for every parameter of the
	// group, norms and biases included; nil follows Options.Decay.
	WeightDecay *float64 `json:"weight_decay,omitempty"`
}

func (g Group) validate(i int) []error {
	var faults []error
	if len(g.Match) == 0 {
		faults = append(faults, fmt.Errorf("train: Groups[%d].Match: got no pattern, want at least one", i))
	}
	if g.LRFactor < 0 || math.IsNaN(g.LRFactor) || math.IsInf(g.LRFactor, 0) {
		faults = append(faults, fmt.Errorf("train: Groups[%d].LRFactor: got %v, want a finite number of at least 0", i, g.LRFactor))
	}
	if d := g.WeightDecay; d != nil && !(*d >= 0 && !math.IsInf(*d, 0)) {
		faults = append(faults, fmt.Errorf("train: Groups[%d].WeightDecay: got %v, want a finite number of at least 0", i, *d))
	}
	return faults
}

// DecayRule says which parameters weight decay acts on.
type DecayRule string

// The decay rules.
const (
	// DecayMatrices is the Hugging Face Trainer's rule: no decay for biases and
	// norm weights, told by their names. It is the default.
	DecayMatrices DecayRule = ""
	// DecayAll is PyTorch's own behaviour: every parameter decays.
	DecayAll DecayRule = "all"
)

// noDecay matches the names of biases and norm weights: the Trainer's patterns,
// and ln_1, ln_f and their like, which it knows by module type.
var noDecay = regexp.MustCompile(`(?i)bias|layernorm|rmsnorm|(^|\.)(norm|ln_[a-z0-9]+)($|\.)|_norm($|\.)`)

// Decays says whether the rule lets the named parameter decay.
func (r DecayRule) Decays(name string) bool {
	return r == DecayAll || !noDecay.MatchString(name)
}

// slots assigns every parameter to its group. A group without a parameter is
// an error: it is nearly always a misspelt pattern.
func slots(params []Parameter, groups []Group, rule DecayRule) ([]Slot, error) {
	var none float64
	used := make([]bool, len(groups))
	all := make([]Slot, len(params))
	for i, p := range params {
		s := Slot{Param: p, LRFactor: 1}
		if !rule.Decays(p.Name()) {
			s.WeightDecay = &none
		}
		if k := groupOf(p.Name(), groups); k >= 0 {
			used[k] = true
			if f := groups[k].LRFactor; f != 0 {
				s.LRFactor = f
			}
			if d := groups[k].WeightDecay; d != nil {
				s.WeightDecay = d
			}
		}
		all[i] = s
	}
	for k, ok := range used {
		if !ok {
			return nil, fmt.Errorf("%w: train: Groups[%d].Match: no trainable parameter matches %q", ErrOptions, k, groups[k].Match)
		}
	}
	return all, nil
}

func groupOf(name string, groups []Group) int {
	for k, g := range groups {
		for _, pattern := range g.Match {
			if matches(pattern, name) {
				return k
			}
		}
	}
	return -1
}

// matches compares a name with a pattern in which * stands for any run.
func matches(pattern, name string) bool {
	first, rest, found := strings.Cut(pattern, "*")
	if !found {
		return pattern == name
	}
	name, found = strings.CutPrefix(name, first)
	if !found {
		return false
	}
	parts := strings.Split(rest, "*")
	last := parts[len(parts)-1]
	for _, part := range parts[:len(parts)-1] {
		_, after, ok := strings.Cut(name, part)
		if !ok {
			return false
		}
		name = after
	}
	return strings.HasSuffix(name, last)
}
