package main

import (
	"fmt"
	"strings"

	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/advantage"
)

// losses are the policy losses that -loss names.
func losses() []rlhf.Loss {
	seen := map[string]bool{}
	var list []rlhf.Loss
	for _, l := range rlhf.Losses() {
		if !seen[l.Name()] {
			list = append(list, l)
		}
		seen[l.Name()] = true
	}
	return list
}

func names() string {
	var list []string
	for _, l := range losses() {
		list = append(list, l.Name())
	}
	return strings.Join(list, ", ")
}

// lossOf is the loss of that name with the advantages that its paper has.
func lossOf(name string, maxTokens int) (rlhf.Loss, rlhf.AdvantageEstimator, error) {
	switch name {
	case rlhf.DrGRPO{}.Name():
		return rlhf.DrGRPO{Length: float64(maxTokens)}, rlhf.GroupAdvantages{GroupOptions: advantage.GroupOptions{Scale: advantage.NoScale}}, nil
	case rlhf.RLOO{}.Name():
		return rlhf.RLOO{}, rlhf.LeaveOneOutAdvantages{}, nil
	case rlhf.GPG{}.Name():
		return rlhf.GPG{}, rlhf.GPGAdvantages{}, nil
	}
	for _, l := range losses() {
		if l.Name() == name {
			return l, nil, nil
		}
	}
	return nil, nil, fmt.Errorf("-loss: got %q, want one of %s", name, names())
}
