package rlhf

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/posttrain/posttrain/rlhf/guard"
	"github.com/posttrain/posttrain/train"
)

// Constraints hold the means of some rewards below limits while the others are raised
// (guard.Lagrangian): each has a price that is taken off the reward of a completion,
//
//	r − Σ λ_i·r_i,  λ_i ← max(0, λ_i + η·(mean r_i − θ_i)) after every rollout
//
// Constrained rewards that are not to be raised besides are Silent ones. A reward that
// counts may be its own constraint: then it is raised up to its limit. The zero value
// constrains nothing.
//
// Moskovitz et al. 2023, arXiv:2310.04373.
type Constraints struct {
	Limits []RewardLimit `json:"limits,omitempty"`
	Rate   float64       `json:"rate,omitempty"` // η; 0 means 0.05
}

// RewardLimit is θ of the rewarder of that name. AtLeast turns it into the least that
// is wanted; the price is then paid to the completion.
type RewardLimit struct {
	Reward  string  `json:"reward"`
	Limit   float64 `json:"limit"`
	AtLeast bool    `json:"at_least,omitempty"`
}

// Validate reports faulty numbers.
func (c Constraints) Validate() error {
	var faults []error
	for i, l := range c.Limits {
		if l.Reward == "" || math.IsNaN(l.Limit) || math.IsInf(l.Limit, 0) {
			faults = append(faults, fmt.Errorf("rlhf: Constraints.Limits: limit %d is %g of reward %q, want a finite number and a name", i, l.Limit, l.Reward))
		}
	}
	if !(c.Rate >= 0) || math.IsInf(c.Rate, 0) {
		faults = append(faults, fmt.Errorf("rlhf: Constraints.Rate: got %g, want a finite number of at least 0 (0 means 0.05)", c.Rate))
	}
	return errors.Join(faults...)
}

// prices are the Lagrangian with its prices so far.
func (c Constraints) prices(now []float64) guard.Lagrangian {
	l := guard.Lagrangian{Rate: c.Rate, Prices: slices.Clone(now)}
	if l.Rate == 0 {
		l.Rate = 0.05
	}
	for _, x := range c.Limits {
		l.Limits = append(l.Limits, x.signed(x.Limit))
	}
	return l
}

func (l RewardLimit) signed(v float64) float64 {
	if l.AtLeast {
		return -v
	}
	return v
}

// apply takes the prices off the rewards of a rollout and moves the prices. A part
// that is not known costs nothing.
func (c Constraints) apply(k *controls, names []string, in *Scored) error {
	if len(c.Limits) == 0 {
		return nil
	}
	l := c.prices(k.Prices)
	means, known := make([]float64, len(c.Limits)), make([]float64, len(c.Limits))
	rewards := slices.Clone(in.Rewards)
	for i, x := range c.Limits {
		part := slices.Index(names, x.Reward)
		if part < 0 {
			return fmt.Errorf("rlhf: Constraints: got a limit of reward %q, want one of %q", x.Reward, names)
		}
		for row, v := range in.Parts[part] {
			if math.IsNaN(v) {
				continue
			}
			means[i] += x.signed(v)
			known[i]++
			if k.Prices != nil {
				rewards[row] -= k.Prices[i] * x.signed(v)
			}
		}
	}
	for i := range means {
		means[i] /= known[i] // NaN without any, which leaves the price alone
	}
	l.Observe(means...)
	in.Rewards, k.Prices = rewards, l.Prices
	return nil
}

// book logs the prices.
func (c Constraints) book(m *train.Metrics, k *controls) {
	for i, x := range c.Limits {
		if k.Prices != nil {
			m.Set("constraint/"+x.Reward+"/price", k.Prices[i])
		}
	}
}
