package lora

import "math"

// doubled is the configuration of a plain adapter of rank 2r with the same scale: what
// an adapter that took a part of the base away is for the whole base. PEFT calls it
// the conversion of PiSSA to LoRA: B·A − B₀·A₀ = [B | −B₀]·[A; A₀].
func (c Config) doubled() Config {
	if !c.Init.decomposes() {
		return c
	}
	factor := 2.0
	if c.RankStabilised {
		factor = math.Sqrt2
	}
	ranks, alphas := make(Patterns[int], len(c.RankPattern)), make(Patterns[float64], len(c.AlphaPattern))
	for i, p := range c.RankPattern {
		ranks[i] = Pattern[int]{p.Key, 2 * p.Value}
	}
	for i, p := range c.AlphaPattern {
		alphas[i] = Pattern[float64]{p.Key, factor * p.Value}
	}
	c.Init, c.PowerIterations = RandomInit, 0
	c.Rank, c.Alpha, c.RankPattern, c.AlphaPattern = 2*c.Rank, factor*c.Alpha, ranks, alphas
	return c
}
