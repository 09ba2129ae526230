package online

import (
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/generate"
)

// Options steer a Source. The zero value is TRL's online DPO: two answers each to
// eight prompts a round, one step on what they teach.
type Options struct {
	// Prompts is the number of questions of a round; 0 means 8.
	Prompts int `json:"prompts,omitempty"`
	// Answers is how often each is answered; the best and the worst become a pair. 0
	// means 2.
	Answers int `json:"answers,omitempty"`
	// PairsPerStep is the number of pairs of an optimizer step; 0 means 8.
	PairsPerStep int `json:"pairs_per_step,omitempty"`
	// StepsPerRound is the number of optimizer steps between two rounds. A round
	// with fewer pairs is walked over again. 0 means what one walk takes where every
	// question gives a pair.
	StepsPerRound int `json:"steps_per_round,omitempty"`
	// Rounds ends the source after so many; 0 means never.
	Rounds int `json:"rounds,omitempty"`
	// TokensPerMicro is the capacity of a micro-batch; 0 means 2048, or what the
	// longest question with two answers of Generate.MaxTokens takes.
	TokensPerMicro int `json:"tokens_per_micro,omitempty"`
	// Separate computes the prompt of a pair twice; see dpo.BatchOptions.
	Separate bool `json:"separate,omitempty"`
	// Generate says how questions are answered. Temperature 0 means 0.9, TRL's, and
	// MaxTokens 0 means 64; Seed and First are the Source's.
	Generate generate.Options `json:"generate"`
	// MissingEOSPenalty is subtracted from the score of answers that were cut.
	MissingEOSPenalty float64 `json:"missing_eos_penalty,omitempty"`
	// MinGap drops pairs whose scores differ by no more.
	MinGap float64 `json:"min_gap,omitempty"`
	// Consistent drops cases of which some comparison depended on the order.
	Consistent bool `json:"consistent,omitempty"`
	// Seed chooses the order of the questions, the answers and the order of pairs.
	Seed uint64 `json:"seed,omitempty"`
}

// Validate reports every field that makes no sense.
func (o Options) Validate() error {
	var faults []error
	for _, f := range []struct {
		name   string
		got    int
		lowest int // beside 0
	}{
		{"Prompts", o.Prompts, 1}, {"Answers", o.Answers, 2}, {"PairsPerStep", o.PairsPerStep, 1}, {"StepsPerRound", o.StepsPerRound, 1},
		{"Rounds", o.Rounds, 1}, {"TokensPerMicro", o.TokensPerMicro, 2},
	} {
		if f.got != 0 && f.got < f.lowest {
			faults = append(faults, fmt.Errorf("online: Options.%s: got %d, want %d or more, or 0 for the default", f.name, f.got, f.lowest))
		}
	}
	for _, f := range []struct {
		name string
		got  float64
	}{{"MissingEOSPenalty", o.MissingEOSPenalty}, {"MinGap", o.MinGap}} {
		if !(f.got >= 0) || math.IsInf(f.got, 0) {
			faults = append(faults, fmt.Errorf("online: Options.%s: got %g, want 0 or more", f.name, f.got))
		}
	}
	return errors.Join(append(faults, o.Generate.Validate())...)
}

// withDefaults fills in what was left out.
func (o Options) withDefaults(longest int) Options {
	fill := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	fill(&o.Prompts, 8)
	fill(&o.Answers, 2)
	fill(&o.PairsPerStep, 8)
	fill(&o.StepsPerRound, (o.Prompts+o.PairsPerStep-1)/o.PairsPerStep)
	fill(&o.Generate.MaxTokens, 64)
	if o.Generate.Temperature == 0 {
		o.Generate.Temperature = 0.9
	}
	o.Generate.Seed = o.Seed
	fill(&o.TokensPerMicro, max(2048, 2*(longest+o.Generate.MaxTokens)))
	return o
}

// batch is the layout of the pairs of a round.
func (o Options) batch(round int) dpo.BatchOptions {
	return dpo.BatchOptions{PairsPerStep: o.PairsPerStep, TokensPerMicro: o.TokensPerMicro, Separate: o.Separate, Seed: o.Seed + uint64(round)}
}
