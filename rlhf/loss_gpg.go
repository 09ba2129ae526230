package rlhf

import "github.com/posttrain/posttrain/tensor"

// GPG is group policy gradient: −A·log π averaged over tokens, with neither ratio,
// clip, critic nor reference.
//
// Chu et al. 2025, "GPG: A Simple and Strong Reinforcement Learning Baseline for Model
// Reasoning", arXiv:2504.02546. Its advantages (advantage.GPG) make up for
// groups whose rewards are all equal.
type GPG struct{}

// Name is "gpg".
func (GPG) Name() string { return "gpg" }

// Average is MeanOfTokens.
func (GPG) Average() Average { return Average{} }

// Traits implements Described.
func (GPG) Traits() Traits { return Traits{Slope: 1} }

// Build implements Loss.
func (GPG) Build(_ *tensor.Graph, in Tokens) Terms { return scoreFunction(in) }
