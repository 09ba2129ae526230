package dpo

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/posttrain/posttrain/tensor"
)

// Sum is a weighted sum of losses, L = Σ_k w_k·L_k, for example preference,
// quality and generation terms:
//
//	Sum{{Sigmoid{}, 0.8}, {BCOPair{}, 0.2}, {NLL{}, 1}}
//
// Wang et al. 2024, "Enhancing the Reasoning Ability of Multimodal Large Language
// Models via Mixed Preference Optimization" (MPO), arXiv:2411.10442.
type Sum []Weighted

// Weighted is one loss of a Sum.
type Weighted struct {
	Loss   Loss
	Weight float64 // w; 0 leaves the loss out
}

// Name lists names and weights, "sigmoid:0.8,sft:1".
func (s Sum) Name() string {
	parts := make([]string, len(s))
	for i, w := range s {
		name := "nil"
		if w.Loss != nil {
			name = w.Loss.Name()
		}
		parts[i] = fmt.Sprintf("%s:%g", name, w.Weight)
	}
	return strings.Join(parts, ",")
}

// Validate reports missing losses and faulty weights, and the faults of each
// loss.
func (s Sum) Validate() error {
	var faults []error
	if len(s) == 0 {
		faults = append(faults, errors.New("dpo: Sum: got no loss, want at least one"))
	}
	for i, w := range s {
		if w.Loss == nil {
			faults = append(faults, fmt.Errorf("dpo: Sum[%d]: got no Loss, want one", i))
			continue
		}
		if math.IsNaN(w.Weight) || math.IsInf(w.Weight, 0) {
			faults = append(faults, fmt.Errorf("dpo: Sum[%d]: Weight of %s is %g, want a finite number", i, w.Loss.Name(), w.Weight))
		}
		faults = append(faults, check(w.Loss))
	}
	return errors.Join(faults...)
}

// Traits implements Described: the value at the reference is known where that of
// every term is.
func (s Sum) Traits(beta float64) Traits {
	t := Traits{ReferenceFree: true, Known: true}
	for _, w := range s {
		each := traits(w.Loss, beta)
		t.ReferenceFree = t.ReferenceFree && each.ReferenceFree
		t.BatchCoupled = t.BatchCoupled || each.BatchCoupled
		t.Known = t.Known && each.Known
		t.Prompt = t.Prompt || each.Prompt
		t.AtReference += w.Weight * each.AtReference
	}
	return t
}

// Build implements Loss. Rewards and log-probabilities are logged as the first
// term that has its own sees them.
func (s Sum) Build(g *tensor.Graph, in LogProbs) Terms {
	require(s)
	var out Terms
	for _, w := range s {
		t := w.Loss.Build(g, in)
		each := t.weighted()
		if w.Weight != 1 {
			each = tensor.Scale(each, w.Weight)
		}
		if out.Loss == nil {
			out.Loss = each
		} else {
			out.Loss = tensor.Add(out.Loss, each)
		}
		if out.Rewards[0] == nil {
			out.Rewards, out.LogProbs = t.Rewards, t.LogProbs
		}
		out.Metrics = append(out.Metrics, t.Metrics...)
	}
	return out
}

// weighted is the losses times their weights.
func (t Terms) weighted() *tensor.Node {
	if t.Weight == nil {
		return t.Loss
	}
	return tensor.Mul(tensor.Detach(t.Weight), t.Loss)
}
