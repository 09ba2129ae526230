package rejection

import (
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/rlhf/rollout"
)

// Balance says how many answers a prompt may give.
type Balance string

const (
	// Uniform lets every prompt give up to Keep.
	Uniform Balance = ""
	// ByDifficulty lets a prompt of which a share p of the samples is right give up to
	// Keep·(1−p), rounded up, and at least one: easy prompts would be most of the data
	// else. (Tong et al. 2024, "DART-Math", arXiv:2407.13690, Prop2Diff.)
	ByDifficulty Balance = "difficulty"
)

// Preference says which answers a prompt gives that has more than it may.
type Preference string

const (
	First    Preference = ""         // those that were sampled first
	Shortest Preference = "shortest" // those of fewest tokens
	Best     Preference = "best"     // those of the highest rewards
)

// Options control a Collector. The zero value is RFT.
type Options struct {
	// Completions is N, how often a prompt is answered in a pass; 0 means 8.
	Completions int `json:"completions,omitempty"`
	// Passes is how often prompts are asked again that have not yet given all they
	// may; 0 means once, without asking again.
	Passes int `json:"passes,omitempty"`
	// Keep is k, the most answers of a prompt; 0 means 4.
	Keep    int        `json:"keep,omitempty"`
	Balance Balance    `json:"balance,omitempty"`
	Prefer  Preference `json:"prefer,omitempty"`
	// Accept is the least reward of an answer that is kept; 0 means 0.5, for verifiers
	// that say 0 or 1. All keeps whatever has a reward.
	Accept float64 `json:"accept,omitempty"`
	All    bool    `json:"all,omitempty"`
	// KeepTruncated keeps answers that a limit cut off: they would teach not to end.
	KeepTruncated bool `json:"keep_truncated,omitempty"`
	// Key says what makes two answers to a prompt the same; nil compares their texts
	// without space around, or their ids where there is no text. Equations is RFT's.
	Key func(c *rollout.Completion) string `json:"-"`
	// Hint makes of a prompt without a right answer one that tells it, for one more
	// pass; ok is false where that cannot be. What is kept of that is learnt as if
	// it had been said without the hint (rationalisation, Zelikman et al. 2022, §3.2).
	Hint func(p rollout.Prompt) (hinted rollout.Prompt, ok bool) `json:"-"`
	// Rounds ends Collector.Rounds; 0 means 1.
	Rounds int `json:"rounds,omitempty"`
	// Accumulate gives each of Collector.Rounds the answers of all rounds before too,
	// each once.
	Accumulate bool `json:"accumulate,omitempty"`
	// Seed of sampling.
	Seed uint64 `json:"seed,omitempty"`
}

// ErrOptions is wrapped by errors about faulty options.
var ErrOptions = errors.New("rejection: faulty options")

// Validate reports every fault at once.
func (o Options) Validate() error {
	var faults []error
	for _, f := range []struct {
		name string
		got  int
	}{{"Completions", o.Completions}, {"Passes", o.Passes}, {"Keep", o.Keep}, {"Rounds", o.Rounds}} {
		if f.got < 0 {
			faults = append(faults, fmt.Errorf("%w: Options.%s: got %d, want at least 1, or 0 for the default", ErrOptions, f.name, f.got))
		}
	}
	if o.Balance != Uniform && o.Balance != ByDifficulty {
		faults = append(faults, fmt.Errorf("%w: Options.Balance: got %q, want %q or %q", ErrOptions, o.Balance, Uniform, ByDifficulty))
	}
	if o.Prefer != First && o.Prefer != Shortest && o.Prefer != Best {
		faults = append(faults, fmt.Errorf("%w: Options.Prefer: got %q, want %q, %q or %q", ErrOptions, o.Prefer, First, Shortest, Best))
	}
	if math.IsNaN(o.Accept) || math.IsInf(o.Accept, 0) {
		faults = append(faults, fmt.Errorf("%w: Options.Accept: got %g, want a finite number", ErrOptions, o.Accept))
	}
	if o.All && o.Accept != 0 {
		faults = append(faults, fmt.Errorf("%w: Options.Accept: got %g and All, want one of them", ErrOptions, o.Accept))
	}
	return errors.Join(faults...)
}

// withDefaults fills in what was left out.
func (o Options) withDefaults() Options {
	for _, f := range []struct {
		v *int
		d int
	}{{&o.Completions, 8}, {&o.Passes, 1}, {&o.Keep, 4}, {&o.Rounds, 1}} {
		if *f.v == 0 {
			*f.v = f.d
		}
	}
	if o.Accept == 0 {
		o.Accept = 0.5
	}
	if o.All {
		o.Accept = math.Inf(-1)
	}
	if o.Key == nil {
		o.Key = text
	}
	return o
}
