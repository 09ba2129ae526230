package dpo

import "github.com/posttrain/posttrain/internal/policy"

// size is the capacity of a program.
type size struct{ tokens, pairs int }

// segments is the number of segments of that many pairs, each with a prompt of
// its own.
func (s size) segments() int { return 3 * s.pairs }

// targets is the largest number of scored tokens: every token of an answer is
// predicted by a row, the last of a prompt predicts two.
func (s size) targets() int { return s.tokens }

func (s size) pass() policy.Size {
	return policy.Size{Tokens: s.tokens, Segments: s.segments(), Targets: s.targets()}
}

// axisPairs is the program's dynamic axis beside those of its texts.
const axisPairs = "pairs"
