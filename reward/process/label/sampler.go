package label

import (
	"context"
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/reward/process"
)

// Generator continues token ids; *generate.Generator is one. Its Config.Decode must be
// set.
type Generator interface {
	Generate(ctx context.Context, prompts [][]int32, o generate.Options) ([]generate.Completion, error)
}

// SamplerOptions say how solutions are finished.
type SamplerOptions struct {
	process.Format
	// Generate steers sampling; Temperature 0 means 1, for rollouts that are all alike
	// say nothing. First is the number of the first rollout.
	Generate generate.Options
}

// NewSampler makes a Sampler of a language model. Steps are tokenised as process.Prepare
// does, each on its own. Rollouts are numbered through, so that the same calls in the
// same order give the same texts. It is not safe for concurrent use.
func NewSampler(g Generator, enc data.Encoder, o SamplerOptions) (Sampler, error) {
	if g == nil || enc == nil {
		return nil, errors.New("label: NewSampler: got no Generator or no Encoder, want both")
	}
	if d, ok := g.(interface{ Decodes() bool }); ok && !d.Decodes() {
		return nil, errors.New("label: NewSampler: got a Generator without text, want generate.Config.Decode set")
	}
	if o.Generate.Temperature == 0 {
		o.Generate.Temperature = 1
	}
	if o.Separator == "" {
		o.Separator = "\n"
	}
	return &sampler{g, enc, o}, o.Generate.Validate()
}

type sampler struct {
	generator Generator
	enc       data.Encoder
	opts      SamplerOptions
}

// Continue implements Sampler.
func (s *sampler) Continue(ctx context.Context, prefixes []process.Solution, times int) ([][]string, error) {
	var prompts [][]int32
	for _, p := range prefixes {
		ids := s.enc.AppendIDs(append([]int32(nil), s.opts.Start...), p.Prompt, false)
		for _, step := range p.Steps {
			ids = s.enc.AppendIDs(s.enc.AppendIDs(ids, step, false), s.opts.Separator, false)
		}
		for range times {
			prompts = append(prompts, ids)
		}
	}
	list, err := s.generator.Generate(ctx, prompts, s.opts.Generate)
	if err != nil {
		return nil, err
	}
	if len(list) != len(prompts) {
		return nil, fmt.Errorf("label: got %d completions, want %d", len(list), len(prompts))
	}
	s.opts.Generate.First += len(prompts)
	out := make([][]string, len(prefixes))
	for i := range list {
		out[i/times] = append(out[i/times], list[i].Text)
	}
	return out, nil
}
