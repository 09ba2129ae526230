package rlhf

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/tensor"
)

// Objective is what is minimised: a policy loss and what is added to it.
//
//	L = (1/D)·Σ_i avg_t(keep·weight·ℓ_it + β·kl_it) − c·mean_t H_t
//
// where avg and D are those of the loss's Average.
type Objective struct {
	Policy Loss
	// KL holds the policy near a reference by a term in the loss; Coef 0 is none. (The
	// KL in the reward is package advantage's.)
	KL KL
	// Entropy is c: how much the mean entropy of the policy, in nats, is worth. 0 is
	// none.
	Entropy float64
	// OffPolicy is δ of OffPolicy sequence masking: rows with A < 0 count 0 once their
	// mean log π_sampler/π exceeds it, in nats. 0 is none. They still count in what
	// sums are divided by. (DeepSeek-AI 2025, "DeepSeek-V3.2", arXiv:2512.02556, §3.1.)
	OffPolicy float64
}

// Total is an objective in a graph.
type Total struct {
	// Loss, (R), is what is divided by Average.Denominator and minimised; Policy, (R),
	// is the same without the entropy bonus.
	Loss, Policy *tensor.Node
	Metrics      []Metric
}

// Needs are the inputs that an objective asks for beyond the ordinary ones.
type Needs struct {
	Ref     bool // Tokens.Ref
	Entropy bool // Tokens.Entropy with its gradient
	ExactKL bool // Tokens.ExactKL with its gradient
	Groups  bool // Tokens.GroupEnds and Group, whole groups in a micro-batch
	Lengths bool // Tokens.GroupLengths
}

// Needs says which inputs Build asks for.
func (o Objective) Needs() Needs {
	on := o.KL.Coef != 0
	return Needs{
		Ref: on && o.KL.Estimator != ExactKL, Entropy: o.Entropy != 0, ExactKL: on && o.KL.Estimator == ExactKL,
		Groups: TraitsOf(o.Policy).WholeGroups, Lengths: o.Average().Over == MeanOfGroups,
	}
}

// Average is that of the policy's loss.
func (o Objective) Average() Average { return o.Policy.Average() }

// Validate reports all that is wrong.
func (o Objective) Validate() error {
	var faults []error
	if o.Policy == nil {
		faults = append(faults, errors.New("rlhf: Objective: Policy is nil, want a loss"))
	} else {
		faults = append(faults, checkLoss(o.Policy), o.Policy.Average().Validate())
	}
	if o.OffPolicy < 0 || o.OffPolicy != o.OffPolicy {
		faults = append(faults, fmt.Errorf("rlhf: Objective: OffPolicy is %g, want at least 0 nats", o.OffPolicy))
	}
	if o.Entropy != o.Entropy {
		faults = append(faults, errors.New("rlhf: Objective: Entropy is NaN, want a number"))
	}
	return errors.Join(append(faults, o.KL.Validate())...)
}

// Build adds the objective to a graph.
func (o Objective) Build(g *tensor.Graph, in Tokens) Total {
	if err := o.Validate(); err != nil {
		tensor.Fail("%v", err)
	}
	terms, avg := o.Policy.Build(g, in), o.Policy.Average()
	if (terms.Token == nil) == (terms.Row == nil) {
		tensor.Fail("rlhf: loss %s: got Terms with Token %v and Row %v, want one of them", o.Policy.Name(), terms.Token, terms.Row)
	}
	t := Total{Metrics: terms.Metrics}
	policy, token := terms.Row, terms.Token
	if policy != nil {
		policy = o.weighRows(in, policy)
	} else {
		token = o.weighTokens(in, token)
	}
	if o.KL.Coef != 0 {
		kl := o.KL.token(in, terms.Ratio)
		t.Metrics = append(t.Metrics, Metric{Name: "kl", Value: kl})
		kl = times(kl, in.KLCoef, o.KL.Coef)
		if token == nil {
			token = kl
		} else {
			token = tensor.Add(token, kl)
		}
	}
	if token != nil {
		rows := avg.rows(in, token)
		if policy == nil {
			policy = rows
		} else {
			policy = tensor.Add(policy, rows)
		}
	}
	if in.Taught != nil {
		policy = tensor.Sub(policy, tensor.WeightedSegmentSum(in.LogProb, in.Taught, in.Ends))
	}
	t.Loss, t.Policy = policy, policy
	o.addEntropy(in, &t)
	return t
}

// addEntropy subtracts the bonus and logs the entropy.
func (o Objective) addEntropy(in Tokens, t *Total) {
	if in.Entropy == nil {
		if o.Entropy != 0 {
			tensor.Fail("rlhf: Objective: Entropy is %g but Tokens.Entropy is nil", o.Entropy)
		}
		return
	}
	t.Metrics = append(t.Metrics, Metric{Name: "entropy", Value: in.Entropy})
	if o.Entropy == 0 {
		return
	}
	sum := in.RowSum(tensor.Mul(in.Entropy, in.kept()))
	t.Loss = tensor.Sub(t.Loss, times(sum, in.EntropyCoef, o.Entropy))
}

// times is x times the coefficient in the graph, or times value where there is
// none.
func times(x, coef *tensor.Node, value float64) *tensor.Node {
	if coef == nil {
		return tensor.Scale(x, value)
	}
	return tensor.Mul(tensor.BroadcastRows(coef, x), x)
}

// weighTokens applies masks and corrections to losses of tokens.
func (o Objective) weighTokens(in Tokens, token *tensor.Node) *tensor.Node {
	if in.Keep != nil {
		token = tensor.Mul(token, in.Keep)
	}
	if o.OffPolicy != 0 {
		token = tensor.Mul(token, in.Spread(in.onPolicy(o.OffPolicy)))
	}
	if TraitsOf(o.Policy).OwnWeight {
		return token
	}
	if in.Weight != nil {
		token = tensor.Mul(token, in.Weight)
	}
	if in.RowWeight != nil {
		token = tensor.Mul(token, in.Spread(in.RowWeight))
	}
	return token
}

// weighRows applies masks and corrections to losses of rows; a row's weight is the
// mean of those of its tokens.
func (o Objective) weighRows(in Tokens, row *tensor.Node) *tensor.Node {
	if o.OffPolicy != 0 {
		row = tensor.Mul(row, in.onPolicy(o.OffPolicy))
	}
	if TraitsOf(o.Policy).OwnWeight {
		return row
	}
	if in.Weight != nil {
		row = tensor.Mul(row, in.RowMean(in.Weight))
	}
	if in.RowWeight != nil {
		row = tensor.Mul(row, in.RowWeight)
	}
	return row
}

// onPolicy is 0 for rows with a negative advantage from which the policy has moved
// away by more than limit nats a token, and 1 for others, (R).
func (in Tokens) onPolicy(limit float64) *tensor.Node {
	from := in.Sampler
	if from == nil {
		from = in.OldLogProb()
	}
	moved := exceeds(in.RowMean(tensor.Sub(from, tensor.Detach(in.LogProb))), limit)
	off := tensor.Mul(moved, positive(tensor.Neg(in.rowAdvantage())))
	return choose(off, 0, 1)
}
