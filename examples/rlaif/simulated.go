package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"strconv"
	"strings"

	"github.com/posttrain/posttrain/rlhf/feedback"
)

// simulated stands for a stronger model: it knows the right answers, but is wrong in
// its judgements and revisions now and then, and likes what is shown first. What it
// says is a function of what it is asked.
type simulated struct {
	gold            map[string]string // right answers of prompts
	accuracy, place float64
	seed            uint64
}

// Name implements feedback.Judge.
func (s *simulated) Name() string { return "ai" }

// luck is a number from 0 to 1 that depends on its words alone.
func (s *simulated) luck(words ...string) float64 {
	h := fnv.New64a()
	fmt.Fprintln(h, s.seed, words)
	x := h.Sum64() * 0x9e3779b97f4a7c15
	return float64((x^x>>29)>>11) / (1 << 53)
}

// Compare implements feedback.Judge: the nearer number is better.
func (s *simulated) Compare(_ context.Context, duels []feedback.Duel) ([]float64, error) {
	p := make([]float64, len(duels))
	for i, d := range duels {
		a, b := s.distance(d.Prompt, d.First), s.distance(d.Prompt, d.Second)
		switch first := (a < b) == (s.luck("judge", d.Prompt, d.First, d.Second) < s.accuracy); {
		case s.luck("place", d.Prompt, d.First, d.Second) < s.place, first && a != b:
			p[i] = 1
		case a == b:
			p[i] = 0.5
		}
	}
	return p, nil
}

// distance says how wrong an answer is.
func (s *simulated) distance(prompt, answer string) float64 {
	want, err := strconv.ParseFloat(strings.TrimSpace(s.gold[prompt]), 64)
	got, err2 := strconv.ParseFloat(strings.TrimSpace(answer), 64)
	if err != nil || err2 != nil {
		return math.Inf(1)
	}
	return math.Abs(got - want)
}

// Write implements feedback.Writer: it criticises and revises.
func (s *simulated) Write(_ context.Context, prompts []string, _ uint64) ([]string, error) {
	out := make([]string, len(prompts))
	for i, text := range prompts {
		prompt, rest, _ := strings.Cut(text, "\n\nAnswer: ")
		answer, _, _ := strings.Cut(rest, "\n")
		knows := s.luck("write", prompt, answer) < s.accuracy
		wrong := s.distance(prompt, answer) > 0
		switch {
		case strings.HasSuffix(text, "Critique:") && wrong == knows:
			out[i] = "The sum is wrong."
		case strings.HasSuffix(text, "Critique:"):
			out[i] = "Nothing is wrong."
		case wrong && strings.Contains(text, "The sum is wrong."):
			out[i] = s.gold[prompt]
		default:
			out[i] = answer
		}
	}
	return out, nil
}
