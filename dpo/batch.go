package dpo

import (
	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
)

// Batch is one packed micro-batch of B pairs. Its targets are the tokens of the
// answers; targets of one segment stand together, in the order of the segments.
type Batch struct {
	data.Packed

	TargetEnds       []int32 // (S) exclusive end of each segment's targets
	Chosen, Rejected []int32 // (B) the segments of each pair's answers
	Pairs            []int32 // (B) place of each pair in the dataset, or -1
	Texts            int     // tokens of all texts, prompts counted once an answer
}

// Reset empties the micro-batch and keeps its memory.
func (b *Batch) Reset() {
	b.Packed.Reset()
	b.TargetEnds, b.Chosen, b.Rejected, b.Pairs = b.TargetEnds[:0], b.Chosen[:0], b.Rejected[:0], b.Pairs[:0]
	b.Texts = 0
}

// Add appends a pair as two segments, prompt and answer each; index is its place
// in the dataset.
func (b *Batch) Add(p Pair, index int32) {
	b.Chosen = append(b.Chosen, b.text(p.Prompt, p.Chosen, index))
	b.Rejected = append(b.Rejected, b.text(p.Prompt, p.Rejected, index))
	b.count(p, index)
}

// AddShared appends a pair as three segments: the prompt, computed once, and two
// answers that have it as their prefix.
func (b *Batch) AddShared(p Pair, index int32) {
	prompt := b.prompt(p.Prompt, index)
	b.Chosen = append(b.Chosen, b.answer(prompt, p.Chosen, index))
	b.Rejected = append(b.Rejected, b.answer(prompt, p.Rejected, index))
	b.count(p, index)
}

// AddGroup appends several answers to a prompt, and as pairs of them those that
// pairs lists: the numbers of a preferred answer and of another. The prompt is
// computed once and shared, or with separate once before each answer; index is the
// group's place in the dataset.
func (b *Batch) AddGroup(prompt []int32, answers [][]int32, pairs [][2]int, index int32, separate bool) {
	first := int32(len(b.Ends))
	if !separate {
		b.prompt(prompt, index)
	}
	at := int32(len(b.Ends))
	for _, a := range answers {
		if separate {
			b.text(prompt, a, index)
		} else {
			b.answer(first, a, index)
		}
		b.Texts += len(prompt) + len(a)
	}
	for _, p := range pairs {
		b.Chosen, b.Rejected = append(b.Chosen, at+int32(p[0])), append(b.Rejected, at+int32(p[1]))
		b.Pairs = append(b.Pairs, index)
	}
}

// prompt appends a segment that answers will share.
func (b *Batch) prompt(ids []int32, index int32) int32 {
	b.tokens(ids, 0)
	return b.end(-1, index)
}

// answer appends a segment that continues the segment prompt.
func (b *Batch) answer(prompt int32, ids []int32, index int32) int32 {
	at, row := int32(len(b.Tokens)), b.Ends[prompt]-1 // the last token of the prompt predicts the first
	b.tokens(ids, b.Positions[row]+1)
	for i, id := range ids {
		policy.AppendTarget(&b.Packed, row, id)
		row = at + int32(i)
	}
	return b.end(prompt, index)
}

// text appends one segment of prompt and answer.
func (b *Batch) text(prompt, answer []int32, index int32) int32 {
	policy.AppendText(&b.Packed, prompt, answer, index)
	b.TargetEnds = append(b.TargetEnds, int32(len(b.Targets)))
	return int32(len(b.Ends)) - 1
}

func (b *Batch) tokens(ids []int32, position int32) {
	for i, id := range ids {
		b.Tokens, b.Positions = append(b.Tokens, id), append(b.Positions, position+int32(i))
	}
}

// end closes a segment and returns its number.
func (b *Batch) end(prefix, index int32) int32 {
	b.Ends, b.Prefix = append(b.Ends, int32(len(b.Tokens))), append(b.Prefix, prefix)
	b.Examples, b.TargetEnds = append(b.Examples, index), append(b.TargetEnds, int32(len(b.Targets)))
	return int32(len(b.Ends)) - 1
}

func (b *Batch) count(p Pair, index int32) {
	b.Pairs = append(b.Pairs, index)
	b.Texts += p.Len()
}

// chosenTokens is the number of tokens of all chosen answers.
func (b *Batch) chosenTokens() int {
	n := 0
	for _, s := range b.Chosen {
		n += policy.SegmentLen(b.TargetEnds, s)
	}
	return n
}

// promptTokens is the number of tokens of all prompts that something predicts.
func (b *Batch) promptTokens() int {
	n := 0
	for _, s := range b.Chosen {
		if from := b.Prefix[s]; from >= 0 {
			n += policy.SegmentLen(b.Ends, from) - 1
		} else {
			n += policy.SegmentLen(b.Ends, s) - policy.SegmentLen(b.TargetEnds, s) - 1
		}
	}
	return n
}

// appendPrompts appends the rows and targets of the prompts' tokens, pair by pair,
// and the end of each pair's.
func (b *Batch) appendPrompts(rows, targets, ends []int32) (r, t, e []int32) {
	for _, s := range b.Chosen {
		from := b.Prefix[s]
		n := int32(0) // tokens behind the prompt in its segment
		if from < 0 {
			from, n = s, int32(policy.SegmentLen(b.TargetEnds, s))
		}
		first := b.Ends[from] - int32(policy.SegmentLen(b.Ends, from))
		for at := first + 1; at < b.Ends[from]-n; at++ {
			rows, targets = append(rows, at-1), append(targets, b.Tokens[at])
		}
		ends = append(ends, int32(len(targets)))
	}
	return rows, targets, ends
}

// Step holds the micro-batches of one optimizer step.
type Step struct {
	Micro []Batch
	Epoch float64 // epochs finished after this step, with the share of the one under way
}

// StepSource yields the micro-batches of one optimizer step after the other.
// Batcher is one.
type StepSource interface {
	// Next fills step with the next step, reusing its memory. It returns io.EOF
	// after the last step.
	Next(step *Step) error
}
