package rlhf

import "github.com/posttrain/posttrain/tensor"

// A2C is the actor's part of synchronous advantage actor-critic: −A·log π averaged over
// tokens, with advantages of a critic (advantage.GAE, advantage.NStep) that learns by
// Value beside it.
//
// Mnih et al. 2016, "Asynchronous Methods for Deep Reinforcement Learning",
// arXiv:1602.01783, algorithm S3, with one worker (A3C has many that do not wait for
// each other). Usual settings: critic 0.5, entropy bonus 0.01, γ 1 for text.
type A2C struct{}

// Name is "a2c".
func (A2C) Name() string { return "a2c" }

// Average is MeanOfTokens.
func (A2C) Average() Average { return Average{} }

// Traits implements Described.
func (A2C) Traits() Traits { return Traits{Slope: 1} }

// Build implements Loss.
func (A2C) Build(_ *tensor.Graph, in Tokens) Terms { return scoreFunction(in) }
