package feedback

import (
	"errors"
	"fmt"
	"math"
)

// Logged is an answer that a logging policy gave, with the reward it earned. Its
// weight is w = π/π_log.
type Logged struct {
	Reward float64
	// Target and Logging are log-probabilities of the answer, in nats, under the policy
	// that is asked about and the one that wrote it.
	Target, Logging float64
}

// Estimate is what a policy would have earned, by two estimators of different virtue.
type Estimate struct {
	Samples int `json:"samples"`
	// IPS is (1/n)·Σ w·r: without bias, and spread wide where weights are. IPSError is
	// its standard error.
	IPS      float64 `json:"ips"`
	IPSError float64 `json:"ips_error"`
	// SNIPS is Σ w·r / Σ w: of little bias, narrow, and a mean of rewards always.
	// SNIPSError is its standard error to first order.
	SNIPS      float64 `json:"snips"`
	SNIPSError float64 `json:"snips_error"`
	// Effective is (Σw)²/Σw², the number of samples that the estimates rest on.
	Effective float64 `json:"effective_samples"`
	// MeanWeight is 1 within its error if the propensities are right.
	MeanWeight float64 `json:"mean_weight"`
	MaxWeight  float64 `json:"max_weight"` // before clipping
	Clipped    float64 `json:"clipped"`    // share of weights that were
}

// Evaluate estimates the mean reward of the target policy from logs. maxWeight bounds
// weights, which biases both estimates towards what the logging policy earned: 0 means
// 10, negative no bound.
//
// Swaminathan and Joachims 2015; clipping: Ionides 2008, "Truncated Importance
// Sampling".
func Evaluate(logs []Logged, maxWeight float64) (Estimate, error) {
	if len(logs) < 2 {
		return Estimate{}, fmt.Errorf("feedback: Evaluate: got %d logged answers, want two at least", len(logs))
	}
	n := float64(len(logs))
	e := Estimate{Samples: len(logs)}
	w := make([]float64, len(logs))
	var sum, square, earned float64
	for i, l := range logs {
		raw := math.Exp(l.Target - l.Logging)
		if math.IsNaN(l.Reward) || math.IsInf(l.Reward, 0) || math.IsNaN(raw) || math.IsInf(raw, 0) {
			return Estimate{}, fmt.Errorf("feedback: Evaluate: sample %d: got reward %g and log-probabilities %g and %g, want finite numbers (a logging probability above 0)", i, l.Reward, l.Target, l.Logging)
		}
		var cut bool
		if w[i], cut = bounded(raw, maxWeight); cut {
			e.Clipped += 1 / n
		}
		e.MaxWeight = max(e.MaxWeight, raw)
		sum, square, earned = sum+w[i], square+w[i]*w[i], earned+w[i]*l.Reward
	}
	if sum == 0 {
		return Estimate{}, errors.New("feedback: Evaluate: the target policy gives none of the logged answers, want some that both give")
	}
	e.IPS, e.SNIPS, e.MeanWeight, e.Effective = earned/n, earned/sum, sum/n, sum*sum/square
	var ips, snips float64
	for i, l := range logs {
		a, b := w[i]*l.Reward-e.IPS, w[i]*(l.Reward-e.SNIPS)
		ips, snips = ips+a*a, snips+b*b
	}
	e.IPSError, e.SNIPSError = math.Sqrt(ips/(n*(n-1))), math.Sqrt(snips)/sum
	return e, nil
}
