package tensor

import (
	"errors"
	"fmt"
	"math"
)

// ErrRoPE is wrapped by every error about a RoPEScaling.
var ErrRoPE = errors.New("tensor: rotary scaling is wrong")

// RoPEScaling describes how a model turns positions into rotation angles: the
// fields of rope_parameters (transformers 5) or rope_scaling (transformers 4)
// in config.json. The zero value is plain RoPE with base 10000.
type RoPEScaling struct {
	// Type is the rope_type: "" or "default", "linear", "dynamic", "yarn",
	// "llama3", "longrope" or "proportional".
	Type string
	// Theta is the base of the angles; 0 means 10000.
	Theta float64
	// PartialRotaryFactor is the share of a head that is rotated; 0 means 1.
	PartialRotaryFactor float64
	// Factor is by how much the context was extended. For yarn and longrope 0
	// means MaxPositionEmbeddings / OriginalMaxPositionEmbeddings; for linear and
	// proportional, 1.
	Factor float64
	// MaxPositionEmbeddings is the context length of the model (dynamic, and
	// yarn and longrope without a factor).
	MaxPositionEmbeddings int
	// OriginalMaxPositionEmbeddings is the context length before the extension
	// (yarn, llama3, longrope); 0 means MaxPositionEmbeddings.
	OriginalMaxPositionEmbeddings int
	// AttentionFactor multiplies cos and sin (yarn, longrope); 0 means the
	// formula of the method.
	AttentionFactor float64

	BetaFast, BetaSlow   float64   // yarn; 0 means 32 and 1
	MScale, MScaleAllDim float64   // yarn; the attention factor of DeepSeek where both are set
	NoTruncate           bool      // yarn: "truncate": false keeps fractional correction bounds
	LowFreqFactor        float64   // llama3; 0 means 1
	HighFreqFactor       float64   // llama3; 0 means 4
	ShortFactor          []float64 // longrope, one a frequency
	LongFactor           []float64 // longrope, one a frequency
}

// Rotary is the number of leading dimensions of a head that are rotated.
func (s RoPEScaling) Rotary(headDim int) int {
	if s.PartialRotaryFactor == 0 || s.Type == "proportional" {
		return headDim
	}
	return int(float64(headDim) * s.PartialRotaryFactor)
}

// LengthDependent says whether the angles depend on the length of the sequence
// besides the position.
func (s RoPEScaling) LengthDependent() bool { return s.Type == "dynamic" || s.Type == "longrope" }

// Options returns the options of RoPE for heads of the given width. Types whose
// angles depend on the length get LengthFreqs; the caller then sets Ends, or
// Slots beside a cache. It fails with everything that is missing or out of
// range, wrapping ErrRoPE.
func (s RoPEScaling) Options(headDim int) (RoPEOptions, error) {
	inv, scale, err := RoPEFrequencies(s, headDim, 0)
	if err != nil {
		return RoPEOptions{}, err
	}
	o := RoPEOptions{HeadDim: headDim, Rotary: s.Rotary(headDim), InvFreq: inv, Scale: scale}
	if s.LengthDependent() {
		o.LengthFreqs = func(length int) ([]float64, float64) {
			inv, scale, _ := RoPEFrequencies(s, headDim, length) // checked above
			return inv, scale
		}
		o.key = fmt.Sprintf("%d %+v", headDim, s)
	}
	return o, nil
}

// RoPEFrequencies returns the angle per position of each rotated pair and the
// factor of cos and sin, for a sequence of the given length (0: a short one).
// Formulas, as in transformers' modeling_rope_utils:
//
//   - default: θ^(−2i/d) (Su et al. 2021, arXiv:2104.09864, §3.2.2), d = Rotary(headDim);
//   - linear: divided by Factor (Chen et al. 2023, arXiv:2306.15595);
//   - dynamic: θ grows by (Factor·n/L − (Factor−1))^(d/(d−2)), n the larger of the length and L = MaxPositionEmbeddings;
//   - yarn: Peng et al. 2023, arXiv:2309.00071, eq. 23 and §3.4, with a factor of 0.1·ln(Factor)+1;
//   - llama3: long wavelengths divided by Factor, short ones kept, smooth between;
//   - longrope: Ding et al. 2024, arXiv:2402.13753, LongFactor above the original length, else ShortFactor;
//   - proportional: the first PartialRotaryFactor·headDim/2 of headDim/2 frequencies, divided by Factor, the others 0.
func RoPEFrequencies(s RoPEScaling, headDim, length int) (invFreq []float64, scale float64, err error) {
	s = s.withDefaults()
	if err := s.validate(headDim); err != nil {
		return nil, 0, err
	}
	inv := make([]float64, s.Rotary(headDim)/2)
	theta := s.Theta
	if s.Type == "dynamic" {
		d, limit := float64(2*len(inv)), float64(s.MaxPositionEmbeddings)
		theta *= math.Pow(s.Factor*max(float64(length), limit)/limit-(s.Factor-1), d/(d-2))
	}
	for i := range inv {
		inv[i] = math.Pow(theta, -float64(i)/float64(len(inv)))
	}
	scale = 1
	switch s.Type {
	case "linear":
		for i := range inv {
			inv[i] /= s.Factor
		}
	case "llama3":
		s.smooth(inv)
	case "yarn":
		scale = s.yarn(inv)
	case "longrope":
		scale = s.longRoPE(inv, length)
	case "proportional":
		turned := int(s.PartialRotaryFactor * float64(headDim) / 2)
		for i := range inv {
			inv[i] /= s.Factor
			if i >= turned {
				inv[i] = 0
			}
		}
	}
	return inv, scale, nil
}

// withDefaults fills the fields whose zero value stands for something else.
func (s RoPEScaling) withDefaults() RoPEScaling {
	for _, f := range []struct {
		field *float64
		def   float64
	}{{&s.Theta, 10000}, {&s.PartialRotaryFactor, 1}, {&s.BetaFast, 32}, {&s.BetaSlow, 1}, {&s.LowFreqFactor, 1}, {&s.HighFreqFactor, 4}} {
		if *f.field == 0 {
			*f.field = f.def
		}
	}
	if s.OriginalMaxPositionEmbeddings == 0 {
		s.OriginalMaxPositionEmbeddings = s.MaxPositionEmbeddings
	}
	if s.Factor == 0 {
		switch s.Type {
		case "linear", "proportional":
			s.Factor = 1
		case "yarn", "longrope":
			s.Factor = float64(s.MaxPositionEmbeddings) / float64(max(1, s.OriginalMaxPositionEmbeddings))
		}
	}
	return s
}

// validate reports everything that is out of range.
func (s RoPEScaling) validate(headDim int) error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("%w: rope_type %q: "+format, append([]any{ErrRoPE, s.Type}, args...)...))
		}
	}
	rotary := s.Rotary(headDim)
	check(headDim > 0 && rotary > 0 && rotary <= headDim && rotary%2 == 0, "%d of %d dimensions rotated, want an even number from 2 on", rotary, headDim)
	check(s.Theta > 1 && !math.IsInf(s.Theta, 0), "theta is %g, want above 1", s.Theta)
	check(s.PartialRotaryFactor > 0 && s.PartialRotaryFactor <= 1, "partial_rotary_factor is %g, want above 0 and at most 1", s.PartialRotaryFactor)
	if s.Type != "" && s.Type != "default" {
		check(s.Factor > 0 && !math.IsInf(s.Factor, 0), "factor is %g, want above 0", s.Factor)
	}
	original := func() {
		check(s.OriginalMaxPositionEmbeddings > 0, "original_max_position_embeddings is %d, want above 0", s.OriginalMaxPositionEmbeddings)
	}
	switch s.Type {
	case "", "default", "linear", "proportional":
	case "dynamic":
		check(s.MaxPositionEmbeddings > 0, "max_position_embeddings is %d, want above 0", s.MaxPositionEmbeddings)
		check(s.Factor >= 1, "factor is %g, want at least 1", s.Factor)
		check(rotary > 2, "%d dimensions rotated, want more than 2", rotary)
	case "yarn":
		original()
		check(s.BetaFast >= s.BetaSlow && s.BetaSlow > 0, "beta_fast %g and beta_slow %g, want the former larger", s.BetaFast, s.BetaSlow)
	case "llama3":
		original()
		check(s.HighFreqFactor > s.LowFreqFactor && s.LowFreqFactor > 0, "high_freq_factor %g and low_freq_factor %g, want the former larger", s.HighFreqFactor, s.LowFreqFactor)
	case "longrope":
		original()
		check(s.OriginalMaxPositionEmbeddings > 1, "original_max_position_embeddings is %d, want above 1", s.OriginalMaxPositionEmbeddings)
		for i, f := range [][]float64{s.ShortFactor, s.LongFactor} {
			name := []string{"short_factor", "long_factor"}[i]
			check(len(f) == rotary/2, "%s has %d entries, want %d", name, len(f), rotary/2)
			for _, x := range f {
				check(x > 0 && !math.IsInf(x, 0), "%s has an entry %g, want above 0", name, x)
			}
		}
	default:
		check(false, "unknown, want default, linear, dynamic, yarn, llama3, longrope or proportional")
	}
	return errors.Join(errs...)
}

// smooth is the llama3 rule.
func (s *RoPEScaling) smooth(inv []float64) {
	old := float64(s.OriginalMaxPositionEmbeddings)
	for i, f := range inv {
		turns := old * f / (2 * math.Pi) // rotations within the original context
		switch {
		case turns < s.LowFreqFactor:
			inv[i] = f / s.Factor
		case turns <= s.HighFreqFactor:
			keep := (turns - s.LowFreqFactor) / (s.HighFreqFactor - s.LowFreqFactor)
			inv[i] = (1-keep)*f/s.Factor + keep*f
		}
	}
}

// yarn blends extrapolated and interpolated frequencies.
func (s *RoPEScaling) yarn(inv []float64) float64 {
	d := float64(2 * len(inv))
	bound := func(turns float64) float64 {
		return d * math.Log(float64(s.OriginalMaxPositionEmbeddings)/(turns*2*math.Pi)) / (2 * math.Log(s.Theta))
	}
	low, high := bound(s.BetaFast), bound(s.BetaSlow)
	if !s.NoTruncate {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, d-1)
	if low == high {
		high += 0.001
	}
	for i, f := range inv {
		ramp := min(max((float64(i)-low)/(high-low), 0), 1)
		inv[i] = f/s.Factor*ramp + f*(1-ramp)
	}
	mscale := func(m float64) float64 {
		if s.Factor <= 1 {
			return 1
		}
		return 0.1*m*math.Log(s.Factor) + 1
	}
	switch {
	case s.AttentionFactor != 0:
		return s.AttentionFactor
	case s.MScale != 0 && s.MScaleAllDim != 0:
		return mscale(s.MScale) / mscale(s.MScaleAllDim)
	}
	return mscale(1)
}

// longRoPE divides each frequency by a factor of its own.
func (s *RoPEScaling) longRoPE(inv []float64, length int) float64 {
	factors := s.ShortFactor
	if length > s.OriginalMaxPositionEmbeddings {
		factors = s.LongFactor
	}
	for i := range inv {
		inv[i] /= factors[i]
	}
	switch {
	case s.AttentionFactor != 0:
		return s.AttentionFactor
	case s.Factor <= 1:
		return 1
	}
	return math.Sqrt(1 + math.Log(s.Factor)/math.Log(float64(s.OriginalMaxPositionEmbeddings)))
}
