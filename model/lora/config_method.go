package lora

import "fmt"

// checkMethod reports options that do not go with the method, or with each other.
func (c Config) checkMethod() []error {
	errs := []error{c.Init.check(), c.Budget.check(c.Method)}
	only := func(set bool, what string, methods ...Method) {
		for _, m := range methods {
			set = set && c.Method != m
		}
		if set {
			errs = append(errs, fmt.Errorf("%w: %s is set, want it only with %s", ErrConfig, what, methods[0].peft()))
		}
	}
	only(c.DoRA, "a magnitude (use_dora)", LoRA)
	only(c.BiasOnB, "a bias on B (lora_bias)", LoRA)
	only(c.Init != RandomInit, "init "+string(c.Init), LoRA)
	only(c.RankStabilised, "rank-stabilised scaling", LoRA)
	only(c.Gaussian, "the Gaussian law", LoRA)
	only(len(c.RankPattern) > 0, "a rank pattern", LoRA, CURLoRA, LoHa)
	only(len(c.AlphaPattern) > 0, "an alpha pattern", LoRA, LoHa)
	only(len(c.Feedforward) > 0 || c.FeedforwardPattern != "", "a list of feed-forward modules", IA3)
	only(len(c.Tokens) > 0, "a list of trained tokens", LoRA, TrainableTokens)
	only(c.Biases != NoBiases, "a choice of biases", LoRA, AdaLoRA, CURLoRA)
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...))
		}
	}
	bad(c.DoRA && c.BiasOnB, "both a magnitude (use_dora) and a bias on B (lora_bias) are given, want one")
	bad(c.DoRA && c.Init != RandomInit, "both a magnitude (use_dora) and init %s are given, want one", c.Init)
	bad(c.PowerIterations < 0 || c.PowerIterations > 0 && c.Init != PiSSA, "power iterations are %d, want 0, or more with init %s", c.PowerIterations, PiSSA)
	bad(c.Method == TrainableTokens && len(c.Tokens) == 0, "no tokens are given, want some with method %s", TrainableTokens)
	only(c.Dropout > 0, "dropout", LoRA, AdaLoRA, CURLoRA)
	bad(c.Feedforward != nil && c.FeedforwardPattern != "", "both feed-forward names and a pattern of them are given, want one")
	for _, p := range c.Budget.Kept {
		rank := c.Rank
		if rank == 0 {
			rank = defaultAdaRank
		}
		bad(len(p.Value) != rank, "budget: %d ranks of %q are listed as kept or not, want %d", len(p.Value), p.Key, rank)
	}
	for _, p := range c.Tokens {
		bad(len(p.Value) == 0, "no tokens are given for %q, want some", p.Key)
		seen := map[int]bool{}
		for _, i := range p.Value {
			bad(seen[i], "token %d comes twice", i)
			seen[i] = true
		}
	}
	return errs
}
