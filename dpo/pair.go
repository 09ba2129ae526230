package dpo

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
)

// Pair is a comparison as token ids: both answers follow the same prompt.
type Pair struct {
	Prompt   []int32 // at least one token
	Chosen   []int32 // the preferred answer, end token included
	Rejected []int32
	At       data.Place
}

// Len is the number of tokens of both texts, the prompt counted in each.
func (p Pair) Len() int { return 2*len(p.Prompt) + len(p.Chosen) + len(p.Rejected) }

// check refuses pairs that cannot be computed.
func (p Pair) check() error {
	if len(p.Prompt) == 0 {
		return fmt.Errorf("dpo: %v: got a pair without a prompt, want one token at least: nothing predicts the first token of a text", p.At)
	}
	if len(p.Chosen)+len(p.Rejected) == 0 {
		return fmt.Errorf("dpo: %v: got a pair of two empty answers, want a token to learn from", p.At)
	}
	return nil
}

// checkPairs refuses a dataset that cannot be trained on.
func checkPairs(pairs []Pair) error {
	if len(pairs) == 0 {
		return errors.New("dpo: got no pairs, want at least one")
	}
	return policy.CheckAll(pairs, Pair.check)
}

// Fingerprint is the SHA-256 of the pairs' tokens in hex: equal ones mean that a
// cursor fits both lists of pairs.
func Fingerprint(pairs []Pair) string {
	return policy.Fingerprint(pairs, func(buf []byte, p Pair) []byte { return policy.AppendIDs(buf, p.Prompt, p.Chosen, p.Rejected) })
}
