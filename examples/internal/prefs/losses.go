package prefs

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/posttrain/posttrain/dpo"
)

// LossNames lists the losses that compare with a reference, and the supervised one.
func LossNames() (names []string) {
	for _, l := range dpo.Losses() {
		d, ok := l.(dpo.Described)
		if !ok || !d.Traits(1).ReferenceFree || l.Name() == (dpo.NLL{}).Name() {
			names = append(names, l.Name())
		}
	}
	return names
}

// ParseLoss reads name[:weight],… with the names of LossNames: one loss, or a sum of
// several. A weight left out is 1. A name behind "wpo_" is weighted as WPO does.
func ParseLoss(text string) (dpo.Loss, error) {
	var sum dpo.Sum
	for part := range strings.SplitSeq(text, ",") {
		name, weight, weighted := strings.Cut(strings.TrimSpace(part), ":")
		w := dpo.Weighted{Weight: 1}
		if weighted {
			var err error
			if w.Weight, err = strconv.ParseFloat(weight, 64); err != nil {
				return nil, fmt.Errorf("-loss: got the weight %q of %s, want a number", weight, name)
			}
		}
		if w.Loss = named(name); w.Loss == nil {
			return nil, fmt.Errorf("-loss: got %q, want one of %s, each with :weight or without, or wpo_ before one", name, strings.Join(LossNames(), ", "))
		}
		sum = append(sum, w)
	}
	if len(sum) == 1 && sum[0].Weight == 1 {
		return sum[0].Loss, nil
	}
	return sum, sum.Validate()
}

// named is the loss of that name with its default hyperparameters, or nil.
func named(name string) dpo.Loss {
	inner, wpo := strings.CutPrefix(name, "wpo_")
	for _, known := range LossNames() {
		if inner != known {
			continue
		}
		for _, l := range dpo.Losses() {
			if l.Name() != known {
				continue
			}
			if wpo {
				return dpo.WPO{Of: l}
			}
			return l
		}
	}
	return nil
}
