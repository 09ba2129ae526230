package train

import (
	"fmt"
	"math"
)

// WarmupStableDecay rises, holds the base rate and falls to a floor (Hu et al.
// 2024, arXiv:2404.06395, WSD).
type WarmupStableDecay struct {
	Warmup
	// StableSteps is how long the base rate holds; 0 means what warm-up and
	// decay leave of the run.
	StableSteps int `json:"num_stable_steps,omitempty"`
	// DecaySteps is the length of the fall.
	DecaySteps int `json:"num_decay_steps"`
	// WarmupShape is the shape of the rise; "" means linear.
	WarmupShape Curve `json:"warmup_type,omitempty"`
	// DecayShape is the shape of the fall; "" means cosine.
	DecayShape Curve `json:"decay_type,omitempty"`
	// MinRatio is the floor as a share of the base rate, also where the rise
	// starts.
	MinRatio float64 `json:"min_lr_ratio,omitempty"`
	// Cycles is the number of waves of a cosine fall; 0 means one half.
	Cycles float64 `json:"num_cycles,omitempty"`
}

// Curve is the shape of a rise or a fall.
type Curve string

// The curves of WarmupStableDecay.
const (
	CurveLinear Curve = "linear"
	CurveCosine Curve = "cosine"
	// CurveSqrt is 1 - √progress.
	CurveSqrt Curve = "1-sqrt"
)

// Name is "warmup_stable_decay".
func (WarmupStableDecay) Name() string { return "warmup_stable_decay" }

// LR implements Schedule.
func (s WarmupStableDecay) LR(step, total int, base float64) float64 {
	n := s.Length(total)
	stable := s.StableSteps
	if stable == 0 {
		stable = total - n - s.DecaySteps
	}
	end := n + stable
	switch {
	case step < n:
		return base * s.raise(s.rise(float64(step)/float64(max(1, n))))
	case step < end:
		return base
	case step < end+s.DecaySteps:
		return base * s.raise(s.fall(float64(step-end)/float64(max(1, s.DecaySteps))))
	}
	return base * s.MinRatio
}

func (s WarmupStableDecay) raise(factor float64) float64 {
	return max(0, factor*(1-s.MinRatio)+s.MinRatio)
}

func (s WarmupStableDecay) rise(p float64) float64 {
	switch s.WarmupShape {
	case CurveCosine:
		return 0.5 * (1 - math.Cos(math.Pi*p))
	case CurveSqrt:
		return 1 - math.Sqrt(1-p)
	}
	return p
}

func (s WarmupStableDecay) fall(p float64) float64 {
	switch s.DecayShape {
	case CurveLinear:
		return 1 - p
	case CurveSqrt:
		return 1 - math.Sqrt(p)
	}
	return cosineWave(p, s.Cycles)
}

// Validate implements Schedule.
func (s WarmupStableDecay) Validate() error {
	const name = "WarmupStableDecay"
	faults := cosineFaults(name, s.Warmup, s.Cycles, 0, s.MinRatio)
	if s.StableSteps < 0 || s.DecaySteps < 0 {
		faults = append(faults, fmt.Errorf("train: %s: got StableSteps %d and DecaySteps %d, want at least 0", name, s.StableSteps, s.DecaySteps))
	}
	for field, c := range map[string]Curve{"WarmupShape": s.WarmupShape, "DecayShape": s.DecayShape} {
		if c != "" && c != CurveLinear && c != CurveCosine && c != CurveSqrt {
			faults = append(faults, fmt.Errorf("train: %s.%s: got %q, want linear, cosine or 1-sqrt", name, field, c))
		}
	}
	return optionFaults(faults)
}
