package rollout

import (
	"context"
	"fmt"

	"github.com/posttrain/posttrain/generate"
)

// Request asks for completions.
type Request struct {
	Prompts     []*Prompt
	Completions int    // of each prompt
	Seed        uint64 // of everything random; equal requests give equal completions
	Version     int64  // of the policy, for Token.Version
	Greedy      bool   // the likeliest token always, in place of sampling
}

// Sampler writes completions: the policy itself, or an engine that serves it.
type Sampler interface {
	// Sample returns Completions for each prompt in turn, with Tokens, Text and
	// Finish filled in.
	Sample(ctx context.Context, r Request) ([]*Completion, error)
}

// FromModel samples with a generator, which reads the policy's weights live. A
// prompt is computed once for all its completions.
func FromModel(g *generate.Generator, o generate.Options) Sampler { return fromModel{g, o} }

type fromModel struct {
	g *generate.Generator
	o generate.Options
}

// Sample implements Sampler.
func (s fromModel) Sample(ctx context.Context, r Request) ([]*Completion, error) {
	prompts := make([][]int32, 0, len(r.Prompts)*r.Completions)
	for _, p := range r.Prompts {
		for range r.Completions {
			prompts = append(prompts, p.IDs)
		}
	}
	o := s.o
	o.Seed = r.Seed
	if r.Greedy {
		o.Temperature = 0
	}
	answers, err := s.g.Generate(ctx, prompts, o)
	if err != nil {
		return nil, fmt.Errorf("rollout: %w", err)
	}
	list := make([]*Completion, len(answers))
	for i, a := range answers {
		list[i] = &Completion{Text: a.Text, Finish: a.Finish, Tokens: sampled(a.Tokens, r.Version)}
	}
	return list, nil
}

// sampled converts the tokens of a generator.
func sampled(tokens []generate.Token, version int64) []Token {
	list := make([]Token, len(tokens))
	for i, t := range tokens {
		list[i] = Token{ID: t.ID, LogProb: t.LogProb, SamplerLogProb: t.SamplerLogProb, Version: version}
	}
	return list
}
