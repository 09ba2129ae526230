package dpo

import (
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// ORPO is odds ratio preference optimisation: supervised learning of the chosen
// texts, with their odds raised over those of the rejected answers; no reference.
//
//	L = −(log π(x) + log π(y⁺|x))/mean tokens − β·log σ(o⁺ − o⁻)
//	o = log P/(1 − P) = ℓ̄ − log(1 − e^ℓ̄),  ℓ̄ = log π(y|x)/|y|
//
// P being the geometric mean of the probabilities of an answer's tokens. The first
// term covers prompt and chosen answer, as in TRL and the authors' code; the mean
// is that of all pairs whose losses are divided together.
//
// Hong et al. 2024, "ORPO: Monolithic Preference Optimization without Reference
// Model", arXiv:2403.07691, eq. 4–7 (β is their λ). (The survey prints a ratio of
// probabilities and no supervised term, which makes both answers unlikely.)
//
// Rewards are logged as β·ℓ̄, log-probabilities as ℓ̄, as in TRL.
type ORPO struct{}

// Name is "orpo".
func (ORPO) Name() string { return "orpo" }

// Traits implements Described.
func (ORPO) Traits(float64) Traits { return Traits{ReferenceFree: true, Prompt: true} }

// Build implements Loss.
func (ORPO) Build(_ *tensor.Graph, in LogProbs) Terms {
	if in.PromptLikelihood == nil || in.MeanTextTokens == nil {
		tensor.Fail("dpo: ORPO: got no likelihood of prompts, want it (Traits.Prompt)")
	}
	c, r := in.Means()
	odds := tensor.Sub(logOdds(c), logOdds(r))
	preference := nll(odds)
	text := tensor.Neg(tensor.Add(in.PromptLikelihood, in.ChosenLikelihood))
	text = tensor.Div(text, tensor.BroadcastRows(in.MeanTextTokens, text))
	t := Terms{Loss: tensor.Add(text, tensor.Scale(preference, in.Beta)), Metrics: []Metric{
		{"nll_loss", tensor.Detach(text)}, {"log_odds_ratio", tensor.Neg(tensor.Detach(preference))}, {"log_odds_chosen", tensor.Detach(odds)},
	}}
	return t.log(in.Beta, c, r)
}

// surest bounds mean log-probabilities from above, in nats: at 0 the odds would be
// infinite.
const surest = -1e-10

// logOdds is log P/(1 − P) for P = e^ℓ.
func logOdds(l *tensor.Node) *tensor.Node {
	l = tensor.Clip(l, math.Inf(-1), surest)
	return tensor.Sub(l, tensor.Log1mExp(l))
}

// Means are the log-probabilities per token, log π(y|x)/|y|, of both answers; an
// empty answer has 0, the largest there is. (Prepare drops pairs with one.)
func (in LogProbs) Means() (chosen, rejected *tensor.Node) {
	return tensor.Div(in.Chosen, in.ChosenTokens), tensor.Div(in.Rejected, in.RejectedTokens)
}

// log sets what is logged: x as log-probabilities, β·x as rewards.
func (t Terms) log(beta float64, chosen, rejected *tensor.Node) Terms {
	t.LogProbs = [2]*tensor.Node{tensor.Detach(chosen), tensor.Detach(rejected)}
	t.Rewards = [2]*tensor.Node{tensor.Scale(t.LogProbs[0], beta), tensor.Scale(t.LogProbs[1], beta)}
	return t
}
