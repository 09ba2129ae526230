package lora

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrConfig is wrapped by errors about an adapter's configuration.
var ErrConfig = errors.New("lora: configuration is wrong")

// AllLinear is the target that stands for every linear layer but the head.
const AllLinear = "all-linear"

// causalLM is PEFT's name of what a language model does.
const causalLM = "CAUSAL_LM"

// defaultAdaRank is the rank that AdaLoRA starts with.
const defaultAdaRank = 12

// maxRank bounds ranks; useful ones are below a thousand.
const maxRank = 1 << 16

// Config says what an adapter is, where it sits and how it is scaled. The zero value
// is LoRA of rank 16 with α = 32 on all linear layers.
type Config struct {
	Method Method
	// Rank is r; 0 means 16, or 12 for AdaLoRA, whose rank falls. CURLoRA takes less
	// where a layer is smaller. Alpha is α; 0 means 2r. IA3 and TrainableTokens have
	// neither, CURLoRA no α.
	Rank  int
	Alpha float64
	// DoRA gives the rows of each adapted weight a trained length of their own, for
	// inner linear layers. It is not for adapters with BiasOnB.
	DoRA bool
	// Init says how the values of a fresh update are found, and PowerIterations, if
	// not 0, makes PiSSA's decomposition a fast one by so many iterations on a random
	// sketch. While an adapter with such an Init is attached the base is a residual:
	// no other adapter may be there before, and the model without the adapter is not
	// the one that was opened. Save writes a plain adapter of rank 2r for the model that
	// was opened, as PEFT's conversion does, so that the residual is never needed.
	Init            Init
	PowerIterations int
	// Feedforward names the targets of IA3 whose inputs are multiplied, by the rules
	// of Targets; nil means down_proj where Targets is nil too, else none.
	// FeedforwardPattern is a pattern instead.
	Feedforward        []string
	FeedforwardPattern string
	// Tokens are rows of the embedding, or of a head, that are trained as a whole. A
	// key is the end of a path; "" stands for the embedding. A tied head shares the
	// rows of the embedding.
	Tokens Patterns[[]int]
	// Budget says how AdaLoRA spreads the rank.
	Budget Budget
	// Targets are module names: a layer is adapted when its path equals one of
	// them or ends in a dot and one of them. The embedding (embed_tokens) and the
	// output head (lm_head) are adapted only when they are named so. Nil means
	// AllLinear, and k_proj, v_proj and down_proj for IA3.
	Targets []string
	// TargetPattern, if set, is a regular expression that must match the whole
	// path, and replaces Targets. The syntax is that of package regexp, which
	// lacks the look-around of Python's.
	TargetPattern string
	// Exclude and ExcludePattern take layers out again, by the same rules. At
	// most one of them may be set.
	Exclude        []string
	ExcludePattern string
	// Layers, if set, narrows Targets to the layers of these numbers: the first
	// in the path, as in model.layers.7.mlp. LayersPattern are regular expressions
	// for the name before the number; nil allows every name. A target that is a
	// whole path counts whatever its number.
	Layers        []int
	LayersPattern []string
	// ModulesToSave are ends of paths. Linear layers, norms, the embedding and the
	// output head that end so are not adapted: the adapter has a whole copy of
	// their parameters instead, which is trained and replaces the model's.
	ModulesToSave []string
	// Biases says of which layers the adapter has biases of its own.
	Biases Biases
	// BiasOnB adds a bias to each update, scale·(B·A·x + bias), which starts as
	// zero. It is not for the embedding and the head.
	BiasOnB bool
	// RankStabilised scales by α/√r instead of α/r.
	RankStabilised bool
	// RankPattern and AlphaPattern override rank and α of the layers whose path
	// a key matches as ^(.*\.)?(key)$. Of several keys the first counts.
	RankPattern  Patterns[int]
	AlphaPattern Patterns[float64]
	// Dropout is the probability of zeroing an input feature in training.
	Dropout float64
	// Seed keys the initial values, and Gaussian draws those of A from N(0, 1/r²)
	// instead of the uniform law, as PEFT's "gaussian" does. They are not written
	// to a PEFT folder.
	Seed     uint64
	Gaussian bool

	// BaseModel, Revision and TaskType are what a PEFT folder says about the model
	// that the adapter belongs to. They are kept and written, and influence
	// nothing here. TaskType "" means CAUSAL_LM.
	BaseModel, Revision, TaskType string
}

func (c Config) withDefaults() Config {
	if c.Rank == 0 {
		c.Rank = 16
		if c.Method == AdaLoRA {
			c.Rank = defaultAdaRank
		}
	}
	if c.Alpha == 0 {
		c.Alpha = 2 * float64(c.Rank)
	}
	if c.Targets == nil && c.TargetPattern == "" {
		if c.Targets = c.kind().targets; c.Method == IA3 && c.FeedforwardPattern == "" && c.Feedforward == nil {
			c.Feedforward = []string{"down_proj"}
		}
	}
	if c.TaskType == "" {
		c.TaskType = causalLM
	}
	if c.Method == AdaLoRA {
		c.Budget = c.Budget.withDefaults()
	}
	return c
}

// Validate reports everything wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...))
	}
	if err := c.Method.check(); err != nil {
		return err
	}
	errs = append(errs, c.checkMethod()...)
	if c.Rank < 0 || c.Rank > maxRank {
		bad("rank is %d, want 1 to %d (0 for 16)", c.Rank, maxRank)
	}
	if !(c.Alpha >= 0) || math.IsInf(c.Alpha, 0) {
		bad("alpha is %g, want a positive number (0 for twice the rank)", c.Alpha)
	}
	if !(c.Dropout >= 0 && c.Dropout < 1) {
		bad("dropout is %g, want 0 up to but not 1", c.Dropout)
	}
	if c.Targets != nil && c.TargetPattern != "" {
		bad("both targets and a target pattern are given, want one")
	}
	if c.Exclude != nil && c.ExcludePattern != "" {
		bad("both excluded names and a pattern of them are given, want one")
	}
	for _, l := range c.Layers {
		if l < 0 {
			bad("a layer is %d, want 0 or more", l)
		}
	}
	if len(c.Layers) > 0 && c.TargetPattern != "" {
		bad("both layers and a target pattern are given, want one")
	}
	if len(c.LayersPattern) > 0 && len(c.Layers) == 0 {
		bad("a layers pattern is given without layers")
	}
	if slices.Contains(c.ModulesToSave, "") {
		bad("a module to save has no name")
	}
	if err := c.Biases.check(); err != nil {
		bad("biases are %q: %w", string(c.Biases), err)
	}
	for _, p := range c.RankPattern {
		if p.Value < 1 || p.Value > maxRank {
			bad("rank pattern %q is %d, want 1 to %d", p.Key, p.Value, maxRank)
		}
	}
	for _, p := range c.AlphaPattern {
		if !(p.Value > 0) || math.IsInf(p.Value, 0) {
			bad("alpha pattern %q is %g, want a positive number", p.Key, p.Value)
		}
	}
	_, err := newMatcher(c)
	return errors.Join(append(errs, err)...)
}
