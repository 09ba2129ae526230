package online

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/model"
)

// ReaderOptions say how a language model is asked. The zero value asks in English
// for A or B.
type ReaderOptions struct {
	// Ask writes the question up; nil means a plain text of task, answers and
	// "Better answer:". A chat model wants its template here.
	Ask func(d Duel) string
	// Labels are how the model names the first and the second answer, right after
	// the text; empty means " A" and " B".
	Labels [2]string
	// AddSpecial puts the tokenizer's special tokens around the text.
	AddSpecial bool
	// Score sizes the forward passes.
	Score dpo.ScoreOptions
}

// NewReader makes a Comparer of a language model that reads both answers: the
// probability that the first is better is that of its label against the other's,
//
//	P(first) = p(A) / (p(A) + p(B))
//
// so that nothing is generated and nothing parsed. Show it to BothOrders: language
// models like places.
//
// Lee et al. 2023, arXiv:2309.00267, §2.1 (without its chain of thought).
func NewReader(m model.Model, adapter string, enc data.Encoder, o ReaderOptions) (Comparer, error) {
	if enc == nil {
		return nil, errors.New("online: NewReader: got no tokenizer, want one")
	}
	if o.Ask == nil {
		o.Ask = ask
	}
	if o.Labels == [2]string{} {
		o.Labels = [2]string{" A", " B"}
	}
	var labels [2][]int32
	for i, text := range o.Labels {
		if labels[i] = enc.AppendIDs(nil, text, false); len(labels[i]) == 0 {
			return nil, fmt.Errorf("online: NewReader: Labels[%d]: got %q, which is no token, want a text", i, text)
		}
	}
	if len(labels[0]) != len(labels[1]) {
		return nil, fmt.Errorf("online: NewReader: Labels: got %d and %d tokens of %q, want as many of both", len(labels[0]), len(labels[1]), o.Labels)
	}
	scorer, err := dpo.NewScorer(m, adapter, o.Score)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, duels []Duel) ([]float64, error) {
		pairs := make([]dpo.Pair, len(duels))
		for i, d := range duels {
			pairs[i] = dpo.Pair{Prompt: enc.AppendIDs(nil, o.Ask(d), o.AddSpecial), Chosen: labels[0], Rejected: labels[1], At: d.Question.At}
		}
		if len(pairs) == 0 {
			return nil, nil
		}
		scores, err := scorer.Score(ctx, pairs)
		if err != nil {
			return nil, err
		}
		p := make([]float64, len(pairs))
		for i := range pairs {
			p[i] = 1 / (1 + math.Exp(total(scores.Rejected(i))-total(scores.Chosen(i))))
		}
		return p, nil
	}, nil
}

func total(list []float64) (sum float64) {
	for _, v := range list {
		sum += v
	}
	return sum
}

// ask is the plain form of a comparison.
func ask(d Duel) string {
	var s strings.Builder
	fmt.Fprintf(&s, "Which answer is better?\n\nTask: %s\n\nAnswer A: %s\n\nAnswer B: %s\n\n", d.Question.Text, strings.TrimSpace(d.First.Text), strings.TrimSpace(d.Second.Text))
	if d.Question.Reference != "" {
		fmt.Fprintf(&s, "The right answer is: %s\n\n", d.Question.Reference)
	}
	s.WriteString("Better answer:")
	return s.String()
}
