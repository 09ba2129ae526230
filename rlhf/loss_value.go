package rlhf

import (
	"fmt"
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// ValueTokens is what the critic's loss sees of a micro-batch: M positions in R rows.
// Nodes have shape (M); no gradient passes through any but Value.
type ValueTokens struct {
	Value  *tensor.Node // V as the critic sees it now
	Old    *tensor.Node // V when the rollout was scored
	Return *tensor.Node // what V is to be: advantage.GAE's returns
	Mask   *tensor.Node // 1 for positions that count
	Ends   *tensor.Node // (R) int32: exclusive end of each row's positions
}

// Value is the critic's loss with a bounded step, for each position
//
//	ℓ = ½·max((V − R)², (clip(V, V_old ± c) − R)²)
//
// averaged over positions of Mask 1 (Σ over rows, divided once by their number).
//
// Schulman et al. 2017, code of arXiv:1707.06347 ("baselines", ppo2); c 0.2 as in TRL,
// 0.5 in verl and OpenRLHF. TRL multiplies by vf_coef 0.1 besides, which a critic with
// an optimiser of its own does not need.
type Value struct {
	Clip float64 `json:"clip,omitempty"` // c: 0.2; +Inf does not clip
}

// Validate reports a faulty range.
func (l Value) Validate() error {
	if !(l.Clip >= 0) {
		return fmt.Errorf("rlhf: Value: Clip is %g, want at least 0 (0 takes the default)", l.Clip)
	}
	return nil
}

// Build is the loss of each row, (R), to be divided by the positions of Mask 1, and
// "val/clipfrac_avg", the share of positions where the bounded step is the dearer one.
func (l Value) Build(_ *tensor.Graph, in ValueTokens) Total {
	if err := l.Validate(); err != nil {
		tensor.Fail("%v", err)
	}
	c := orDefault(l.Clip, 0.2)
	free := tensor.Square(tensor.Sub(in.Value, in.Return))
	loss := free
	var metrics []Metric
	if !math.IsInf(c, 1) {
		near := tensor.Add(in.Old, tensor.Clip(tensor.Sub(in.Value, in.Old), -c, c))
		bounded := tensor.Square(tensor.Sub(near, in.Return))
		loss = tensor.Max(free, bounded)
		metrics = []Metric{{Name: "val/clipfrac_avg", Value: positive(tensor.Sub(bounded, free))}}
	}
	rows := tensor.WeightedSegmentSum(tensor.Scale(loss, 0.5), in.Mask, in.Ends)
	return Total{Loss: rows, Policy: rows, Metrics: metrics}
}
