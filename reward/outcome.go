package reward

import "github.com/posttrain/posttrain/tensor"

// Outcome predicts whether an answer is right. Its score is the log-odds of that,
// and the loss is the cross-entropy against the label p, 1 for right, 0 for wrong
// or anything between:
//
//	L = −p·log σ(r) − (1−p)·log σ(−r)
//
// in nats, the mean over the answers of a group. A label beyond [0, 1], such as
// z/π for a click z seen with propensity π, gives the unbiased loss of weighted
// feedback.
//
// Cobbe et al. 2021, "Training Verifiers to Solve Math Word Problems",
// arXiv:2110.14168, §4: a token-level verifier predicts at every token of the
// answer, which EveryToken selects; the loss of an answer is then the mean over
// its tokens. (There a language-modelling term is added.)
type Outcome struct {
	EveryToken bool `json:"every_token,omitempty"`
}

// Name is "outcome", or "outcome_every_token".
func (l Outcome) Name() string {
	if l.EveryToken {
		return "outcome_every_token"
	}
	return "outcome"
}

// Traits implements Loss.
func (l Outcome) Traits() Traits {
	if l.EveryToken {
		return Traits{Need: Labels, ScoreAt: EveryToken, LogOdds: true}
	}
	return Traits{Need: Labels, LogOdds: true}
}

// Build implements Loss.
func (l Outcome) Build(_ *tensor.Graph, in Scores) Terms {
	if !l.EveryToken {
		return Terms{Loss: in.meanOverAnswers(CrossEntropy(in.Answer, in.Label))}
	}
	return Terms{Loss: tensor.WeightedSegmentSum(CrossEntropy(in.Row, in.RowLabel), in.RowWeight, in.RowEnds)}
}

// CrossEntropy is −p·log σ(r) − (1−p)·log σ(−r) of log-odds r and probabilities
// p, elementwise, in nats. It keeps its digits for any r, and p has no gradient.
func CrossEntropy(r, p *tensor.Node) *tensor.Node {
	p = tensor.Detach(p)
	right := tensor.Mul(p, tensor.Softplus(tensor.Neg(r)))
	wrong := tensor.Mul(tensor.AddScalar(tensor.Neg(p), 1), tensor.Softplus(r))
	return tensor.Add(right, wrong)
}
