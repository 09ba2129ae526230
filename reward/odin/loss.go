package odin

import (
	"fmt"
	"math"

	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/tensor"
)

// Loss learns comparisons by the sum of both scores, and divides them:
//
//	L = −log σ(r_q⁺ + r_l⁺ − r_q⁻ − r_l⁻) + λ_L·(|ρ(r_q, len)| − ρ(r_l, len)) + λ_O·|cos(w_q, w_l)|
//
// in nats, where ρ is Pearson's correlation over the answers of the micro-batch, len
// their tokens, and w the rows of the head. The last two parts are the same for every
// group of the micro-batch.
//
// Chen et al. 2024, arXiv:2402.07319. Deviation: the paper has the inner
// product |w_q·w_l|, which a smaller head lowers as well as an orthogonal one; the
// cosine has no such way out.
type Loss struct {
	Length     float64 `json:"length,omitempty"`     // λ_L; 0 means 1, negative none
	Orthogonal float64 `json:"orthogonal,omitempty"` // λ_O; 0 means 1, negative none
}

// weight is a coefficient with its default.
func weight(v float64) float64 {
	if v == 0 {
		return 1
	}
	return max(0, v)
}

// tiny keeps quotients finite where all answers are of one length or score.
const tiny = 1e-12

// Name is "odin".
func (Loss) Name() string { return "odin" }

// Traits says that the answers of a micro-batch meet.
func (Loss) Traits() reward.Traits { return reward.Traits{BatchCoupled: true} }

// Validate reports numbers that make no sense.
func (l Loss) Validate() error {
	for _, v := range []float64{l.Length, l.Orthogonal} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("odin: Loss: got %g, want finite numbers", v)
		}
	}
	return nil
}

// Build implements reward.Loss.
func (l Loss) Build(g *tensor.Graph, in reward.Scores) reward.Terms {
	if err := l.Validate(); err != nil {
		tensor.Fail("%v", err)
	}
	if c := in.Outputs.Shape()[1]; c != 2 {
		tensor.Fail("odin: got a head of %d labels, want 2: quality and length", c)
	}
	quality := tensor.Gather(reward.Contrast(in.Outputs, []float64{1, 0}), in.Last)
	length := tensor.Gather(reward.Contrast(in.Outputs, []float64{0, 1}), in.Last)
	both := in
	both.Answer = tensor.Add(quality, length)
	loss := reward.BradleyTerry{}.Build(g, both).Loss
	rq, rl := correlation(quality, in.Length), correlation(length, in.Length)
	var extra *tensor.Node
	if w := weight(l.Length); w > 0 {
		extra = tensor.Scale(tensor.Sub(tensor.Abs(rq), rl), w)
	}
	if w := weight(l.Orthogonal); w > 0 && in.Head != nil {
		apart := tensor.Scale(Likeness(in.Head), w)
		if extra != nil {
			apart = tensor.Add(extra, apart)
		}
		extra = apart
	}
	if extra != nil {
		loss = tensor.Add(loss, tensor.BroadcastRows(extra, loss))
	}
	return reward.Terms{Loss: loss, Metrics: []reward.Metric{
		{Name: "length_correlation/quality", Value: tensor.Detach(tensor.BroadcastRows(rq, loss))},
		{Name: "length_correlation/length", Value: tensor.Detach(tensor.BroadcastRows(rl, loss))},
	}}
}

// correlation is Pearson's ρ of x and y (A): (1).
func correlation(x, y *tensor.Node) *tensor.Node {
	x, y = centred(x), centred(tensor.Detach(y))
	norms := tensor.Mul(tensor.Sum(tensor.Square(x)), tensor.Sum(tensor.Square(y)))
	return tensor.Div(tensor.Sum(tensor.Mul(x, y)), tensor.Sqrt(tensor.AddScalar(norms, tiny)))
}

// centred is x less its mean.
func centred(x *tensor.Node) *tensor.Node {
	ones := tensor.AddScalar(tensor.Scale(tensor.Detach(x), 0), 1)
	return tensor.Sub(x, tensor.BroadcastRows(tensor.WeightedMean(x, ones), x))
}
