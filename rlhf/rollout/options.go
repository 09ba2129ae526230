package rollout

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Options control a Collector. The zero value draws 8 completions for each of 8
// prompts in an order of its own for each pass over the prompts.
type Options struct {
	// Prompts is the number of groups of a rollout; 0 means 8.
	Prompts int `json:"prompts,omitempty"`
	// Completions is G, the number of completions of each prompt; 0 means 8.
	Completions int `json:"completions,omitempty"`
	// Seed of prompts' order and of sampling.
	Seed uint64 `json:"seed,omitempty"`
	// Order chooses the prompts; nil means Shuffled{}.
	Order Order `json:"-"`
	// Epochs ends the rollouts after so many passes over the prompts, the last
	// rollout included that goes beyond; 0 means never.
	Epochs float64 `json:"epochs,omitempty"`
	// MaxRounds turns dynamic sampling on: groups all of whose known rewards are
	// equal teach nothing and are replaced by those of further prompts, in at most
	// so many rounds of sampling together (Yu et al. 2025, DAPO, arXiv:2503.14476,
	// §3.2). What is still missing then is filled with groups without spread. 0
	// and 1 take every group.
	MaxRounds int `json:"max_rounds,omitempty"`
	// Replay keeps so many groups with spread and puts those with the largest
	// spread in the place of groups without; 0 keeps none. A replayed group was
	// sampled from an earlier policy: its log-probabilities from then stay with it.
	Replay int `json:"replay,omitempty"`
	// Greedy adds, for each prompt, the completion of greedy decoding, scored like the
	// others and not learnt from: a baseline (ReMax).
	Greedy bool `json:"greedy,omitempty"`
	// OnFault says what a fault of a rewarder means.
	OnFault FaultPolicy `json:"on_fault,omitempty"`
	// Patience is the number of rollouts in a row without any known reward that
	// end the run with ErrRewarder; 0 means 3.
	Patience int `json:"patience,omitempty"`
}

// Timing is how long the parts of a rollout took.
type Timing struct{ Generation, Scoring time.Duration }

// ErrOptions is wrapped by errors about faulty options.
var ErrOptions = errors.New("rollout: faulty options")

// Validate reports every fault at once.
func (o Options) Validate() error {
	var faults []error
	bad := func(format string, args ...any) { faults = append(faults, fmt.Errorf("rollout: "+format, args...)) }
	for _, f := range []struct {
		name string
		got  int
	}{{"Prompts", o.Prompts}, {"Completions", o.Completions}, {"MaxRounds", o.MaxRounds}, {"Replay", o.Replay}, {"Patience", o.Patience}} {
		if f.got < 0 || f.got > math.MaxInt32 {
			bad("Options.%s: got %d, want 0 (default) to %d", f.name, f.got, math.MaxInt32)
		}
	}
	if !(o.Epochs >= 0) || math.IsInf(o.Epochs, 0) {
		bad("Options.Epochs: got %g, want a finite number of at least 0", o.Epochs)
	}
	if o.Greedy && o.Replay > 0 {
		bad("Options: got Greedy and Replay, want one of them: a greedy baseline is that of the policy as it stands")
	}
	if o.OnFault != FaultsUnknown && o.OnFault != FaultsStop {
		bad("Options.OnFault: got %q, want %q or %q", o.OnFault, FaultsUnknown, FaultsStop)
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("%w: %w", ErrOptions, err)
	}
	return nil
}

// WithDefaults fills in what was left out.
func (o Options) WithDefaults() Options {
	if o.Prompts == 0 {
		o.Prompts = 8
	}
	if o.Completions == 0 {
		o.Completions = 8
	}
	if o.Order == nil {
		o.Order = Shuffled{}
	}
	if o.MaxRounds == 0 {
		o.MaxRounds = 1
	}
	if o.Patience == 0 {
		o.Patience = 3
	}
	return o
}

// checkRewards refuses rewarders that cannot be told apart or do not count.
func checkRewards(rewards []Reward) error {
	var faults []error
	seen, counts := map[string]bool{}, false
	for i, r := range rewards {
		switch {
		case r.By == nil:
			faults = append(faults, fmt.Errorf("rollout: reward %d has no rewarder", i))
			continue
		case r.By.Name() == "" || seen[r.By.Name()]:
			faults = append(faults, fmt.Errorf("rollout: reward %d: got name %q, want one of its own", i, r.By.Name()))
		case math.IsNaN(r.Weight) || math.IsInf(r.Weight, 0):
			faults = append(faults, fmt.Errorf("rollout: reward %s: Weight is %v, want a finite number", r.By.Name(), r.Weight))
		case r.Deadline < 0:
			faults = append(faults, fmt.Errorf("rollout: reward %s: Deadline is %v, want at least 0", r.By.Name(), r.Deadline))
		}
		seen[r.By.Name()] = true
		counts = counts || !r.Silent
	}
	if !counts {
		faults = append(faults, errors.New("rollout: got no reward that counts, want at least one"))
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("%w: %w", ErrOptions, err)
	}
	return nil
}
