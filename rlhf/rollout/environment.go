package rollout

import (
	"context"
	"fmt"

	"github.com/posttrain/posttrain/generate"
)

// Environment answers what the policy says: a tool, a game, a user. It is called
// for one conversation after the other, always in the same order.
type Environment interface {
	// Step is told a completion whose turn has ended and returns what the policy
	// reads next, as ids that follow the completion's own. done ends the conversation;
	// observation is appended before. The completion must not be written to.
	Step(ctx context.Context, c *Completion) (observation []int32, done bool, err error)
}

// Converse samples conversations: the policy speaks until it stops, the
// environment answers, and so on, until the environment is done, MaxTokens of o
// tokens have been sampled or the context is full. What the environment says is
// Observation: it is read and never learnt.
//
// Each turn computes the conversation so far again.
func Converse(g *generate.Generator, o generate.Options, e Environment) Sampler {
	if o.MaxTokens == 0 {
		o.MaxTokens = 256
	}
	return converse{g, o, e}
}

type converse struct {
	g *generate.Generator
	o generate.Options
	e Environment
}

// Sample implements Sampler.
func (s converse) Sample(ctx context.Context, r Request) ([]*Completion, error) {
	var open, all []*Completion
	for _, p := range r.Prompts {
		for range r.Completions {
			all = append(all, &Completion{Prompt: p})
		}
	}
	open = append(open, all...)
	for turn := uint32(0); len(open) > 0; turn++ {
		if err := s.speak(ctx, open, turn, r); err != nil {
			return nil, err
		}
		var left []*Completion
		for _, c := range open {
			more, err := s.listen(ctx, c, r.Version)
			if err != nil {
				return nil, err
			}
			if more {
				left = append(left, c)
			}
		}
		open = left
	}
	return all, nil
}

// speak lets the policy take a turn in each conversation. Turns have seeds of their
// own, and those that can still say so much are sampled together.
func (s converse) speak(ctx context.Context, open []*Completion, turn uint32, r Request) error {
	byRoom := map[int][]*Completion{}
	var rooms []int
	for _, c := range open {
		room := s.o.MaxTokens - sampledTokens(c)
		if _, ok := byRoom[room]; !ok {
			rooms = append(rooms, room)
		}
		byRoom[room] = append(byRoom[room], c)
	}
	for _, room := range rooms {
		o := s.o
		if r.Greedy {
			o.Temperature = 0
		}
		o.MaxTokens, o.Seed = room, samplingSeed(r.Seed, int64(turn), uint32(room))
		var prompts [][]int32
		for _, c := range byRoom[room] {
			prompts = append(prompts, append(append([]int32{}, c.Prompt.IDs...), c.IDs()...))
		}
		answers, err := s.g.Generate(ctx, prompts, o)
		if err != nil {
			return fmt.Errorf("rollout: turn %d: %w", turn, err)
		}
		for i, c := range byRoom[room] {
			c.Tokens = append(c.Tokens, sampled(answers[i].Tokens, r.Version)...)
			c.Text += answers[i].Text
			c.Finish = answers[i].Finish
		}
	}
	return nil
}

// listen lets the environment answer; more says that the policy has the word.
func (s converse) listen(ctx context.Context, c *Completion, version int64) (more bool, err error) {
	if c.Finish == generate.FinishLength {
		return false, nil
	}
	observation, done, err := s.e.Step(ctx, c)
	if err != nil {
		return false, fmt.Errorf("rollout: environment: %w", err)
	}
	if done {
		return false, nil
	}
	room := s.g.Context() - len(c.Prompt.IDs) - len(c.Tokens) - len(observation)
	if room < 1 || len(observation) == 0 && c.Finish != generate.FinishStop {
		c.Finish = generate.FinishLength
		return false, nil
	}
	for _, id := range observation {
		c.Tokens = append(c.Tokens, Token{ID: id, Role: Observation, Version: version})
	}
	if sampledTokens(c) >= s.o.MaxTokens {
		c.Finish = generate.FinishLength
		return false, nil
	}
	return true, nil
}

// sampledTokens is the number of tokens that the policy said.
func sampledTokens(c *Completion) int {
	n := 0
	for _, t := range c.Tokens {
		if t.Role == Sampled {
			n++
		}
	}
	return n
}
