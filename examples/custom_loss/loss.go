package main

import (
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/tensor"
	"gorgonia.org/gorgonia"
)

// A loss of your own is a function that returns the loss of each target, (M), in
// nats or whatever you like. It is called once, when the trainer is made, and
// describes a piece of the graph; the trainer weighs, sums and divides the
// results, and differentiates the whole. Three things to know:
//
//   - Gorgonia's ops and this library's mix freely. Gorgonia's run one by one and
//     allocate; package tensor has fused ones where speed matters (the last line
//     of clippedNLL could be tensor.Max and a Scale).
//   - M is the capacity of a micro-batch, and fewer rows may be live. Ops that
//     work element by element, or along each row, are right by themselves; an op
//     that mixes rows (a mean over all of them) also sees dead rows, as zeros.
//   - Constants are gorgonia.NewConstant of the type of the node: float32.

var must = gorgonia.Must

// focal is −(1−p)^γ·log p with p the probability of the target: tokens that the
// model is sure of count little. γ is at least 1: the slope of a smaller power is
// infinite at p = 1, where float32 soon arrives.
//
// Lin et al. 2017, "Focal Loss for Dense Object Detection", arXiv:1708.02002,
// eq. 4.
func focal(gamma float64) sft.LossFunc {
	return func(in sft.Tokens) *tensor.Node {
		one, power := gorgonia.NewConstant(float32(1)), gorgonia.NewConstant(float32(gamma))
		p := must(gorgonia.Exp(in.LogProb))
		doubt := must(gorgonia.Pow(must(gorgonia.Sub(one, p)), power))
		return must(gorgonia.Neg(must(gorgonia.HadamardProd(doubt, in.LogProb))))
	}
}

// clippedNLL is max(0, −log p − margin): targets that are likely enough teach
// nothing any more.
func clippedNLL(margin float64) sft.LossFunc {
	return func(in sft.Tokens) *tensor.Node {
		over := must(gorgonia.Sub(must(gorgonia.Neg(in.LogProb)), gorgonia.NewConstant(float32(margin))))
		return must(gorgonia.Rectify(over))
	}
}

// quiet adds weight·mean(h²) to a loss, h (D) being the hidden state that
// predicts the target: a loss that looks inside the model.
//
// Merity et al. 2017, "Revisiting Activation Regularization for Language RNNs",
// arXiv:1708.01009, AR.
func quiet(loss sft.LossFunc, weight float64) sft.LossFunc {
	return func(in sft.Tokens) *tensor.Node {
		h := tensor.Gather(in.Hidden, in.Rows) // (M,D)
		size := must(gorgonia.Mean(must(gorgonia.Square(h)), 1))
		return must(gorgonia.Add(loss(in), must(gorgonia.Mul(size, gorgonia.NewConstant(float32(weight))))))
	}
}
