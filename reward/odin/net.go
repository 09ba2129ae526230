package odin

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/tensor"
)

// Labels are the labels of the head.
func Labels() []string { return []string{"quality", "length"} }

// Train makes a net to be trained with Loss: m with a fresh head of two labels, and
// their sum as the score.
func Train(m model.Model, seed uint64) (reward.Net, error) {
	h, err := model.NewHead(m, model.SequenceClassification, Labels(), seed)
	return reward.Net{Model: m, Head: h, Mix: []float64{1, 1}}, err
}

// Quality makes a net that scores quality alone. Without an adapter it has a head of
// one label, with a copy of the weights as they are, and is saved as any reward model;
// with one, whose head has both labels, it is the same net with another Mix.
func Quality(n reward.Net) (reward.Net, error) {
	if n.Head == nil || n.Head.Linear.Out() != 2 {
		return n, errors.New("odin: Quality: got no head of two labels, want one that Train made")
	}
	if n.Adapter != nil {
		n.Mix = []float64{1, 0}
		return n, nil
	}
	w := n.Head.Linear.Weight
	row, err := firstRow(w)
	if err != nil {
		return n, fmt.Errorf("odin: Quality: %w", err)
	}
	n.Mix = nil
	n.Head = &model.Head{Kind: n.Head.Kind, Labels: Labels()[:1], Linear: &nn.Linear{Path: n.Head.Linear.Path, Weight: row}, Problem: "regression"}
	return n, nil
}

// firstRow is a parameter with the first row of w, of the same type.
func firstRow(w *tensor.Param) (*tensor.Param, error) {
	wide, err := w.Convert(tensor.Float64)
	if err != nil {
		return nil, err
	}
	width := w.Shape()[1]
	row, err := tensor.NewParam(w.Name(), append([]float64(nil), wide.Data64()[:width]...), 1, width)
	if err != nil {
		return nil, err
	}
	return row.Convert(w.Dtype())
}
