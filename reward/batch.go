package reward

import "github.com/posttrain/posttrain/model"

// Batch is one packed micro-batch of B groups with A answers in all, of which R
// tokens are scored and P pairs compared.
type Batch struct {
	model.Batch // Tokens, Positions (N); Ends, Prefix (S)

	Rows      []int32   // (R) token whose hidden state is scored; those of an answer and of a group stand together
	RowLabels []float64 // (R)
	RowWeight []float64 // (R) share of the group's mean
	RowEnds   []int32   // (B)

	Last       []int32   // (A) the last of the answer's rows
	Labels     []float64 // (A)
	Weight     []float64 // (A) share of the group's mean
	Lengths    []float64 // (A) tokens
	AnswerEnds []int32   // (B)

	Better, Worse []int32   // (P) answers
	Margins       []float64 // (P)
	PairWeight    []float64 // (P) share of the group's mean
	PairEnds      []int32   // (B)

	Groups   []int32 // (B) place of each group in the dataset, or -1
	Labelled bool    // every group has labels
	Texts    int     // tokens of all texts, prompts counted once an answer
}

// Reset empties the micro-batch and keeps its memory.
func (b *Batch) Reset() {
	b.Tokens, b.Positions, b.Ends, b.Prefix = b.Tokens[:0], b.Positions[:0], b.Ends[:0], b.Prefix[:0]
	b.Rows, b.RowLabels, b.RowWeight, b.RowEnds = b.Rows[:0], b.RowLabels[:0], b.RowWeight[:0], b.RowEnds[:0]
	b.Last, b.Labels, b.Weight, b.Lengths, b.AnswerEnds = b.Last[:0], b.Labels[:0], b.Weight[:0], b.Lengths[:0], b.AnswerEnds[:0]
	b.Better, b.Worse, b.Margins, b.PairWeight, b.PairEnds = b.Better[:0], b.Worse[:0], b.Margins[:0], b.PairWeight[:0], b.PairEnds[:0]
	b.Groups, b.Labelled, b.Texts = b.Groups[:0], true, 0
}

// Add appends a group with each answer as one segment behind a copy of the
// prompt; index is its place in the dataset.
func (b *Batch) Add(g Group, at ScoreAt, index int32) {
	for _, a := range g.Answers {
		b.tokens(g.Prompt, 0)
		b.answer(g, a, at)
		b.end(-1)
	}
	b.close(g, index)
}

// AddShared appends a group whose prompt is a segment of its own, computed once,
// and the prefix of every answer. A group with one answer, or without a prompt,
// is added as Add does.
func (b *Batch) AddShared(g Group, at ScoreAt, index int32) {
	if len(g.Prompt) == 0 || len(g.Answers) < 2 {
		b.Add(g, at, index)
		return
	}
	b.tokens(g.Prompt, 0)
	prompt := b.end(-1)
	for _, a := range g.Answers {
		b.answer(g, a, at)
		b.end(prompt)
	}
	b.close(g, index)
}

func (b *Batch) tokens(ids []int32, position int) {
	for i, id := range ids {
		b.Tokens, b.Positions = append(b.Tokens, id), append(b.Positions, int32(position+i))
	}
}

// end closes a segment and returns its number.
func (b *Batch) end(prefix int32) int32 {
	b.Ends, b.Prefix = append(b.Ends, int32(len(b.Tokens))), append(b.Prefix, prefix)
	return int32(len(b.Ends)) - 1
}

// answer appends the tokens of an answer and what is scored of them.
func (b *Batch) answer(g Group, a Candidate, at ScoreAt) {
	first := int32(len(b.Tokens))
	b.tokens(a.IDs, len(g.Prompt))
	share := 1 / float64(len(g.Answers))
	row := func(token int, label, weight float64) {
		b.Rows, b.RowLabels, b.RowWeight = append(b.Rows, first+int32(token)), append(b.RowLabels, label), append(b.RowWeight, weight)
	}
	switch at {
	case EveryToken:
		for i := range a.IDs {
			row(i, a.Label, share/float64(len(a.IDs)))
		}
	case MarkedTokens:
		for _, m := range a.Marks {
			row(m.Token, m.Label, share/float64(len(a.Marks)))
		}
	default:
		row(len(a.IDs)-1, a.Label, share)
	}
	b.Last = append(b.Last, int32(len(b.Rows))-1)
	b.Labels, b.Weight, b.Lengths = append(b.Labels, a.Label), append(b.Weight, share), append(b.Lengths, float64(len(a.IDs)))
	b.Texts += len(g.Prompt) + len(a.IDs)
}

// close ends a group and lists its comparisons.
func (b *Batch) close(g Group, index int32) {
	first, n := int32(len(b.Last)-len(g.Answers)), g.comparisons()
	for i := range g.Answers {
		for j := i + 1; j < len(g.Answers); j++ {
			if g.compared(i, j) {
				b.Better, b.Worse = append(b.Better, first+int32(i)), append(b.Worse, first+int32(j))
				b.Margins, b.PairWeight = append(b.Margins, g.Margin), append(b.PairWeight, 1/float64(n))
			}
		}
	}
	b.RowEnds, b.AnswerEnds = append(b.RowEnds, int32(len(b.Rows))), append(b.AnswerEnds, int32(len(b.Last)))
	b.PairEnds, b.Groups = append(b.PairEnds, int32(len(b.Better))), append(b.Groups, index)
	b.Labelled = g.Labelled && (b.Labelled || len(b.Groups) == 1)
}

// span is how many of the elements that ends divides belong to segment i.
func span(ends []int32, i int) int {
	if i == 0 {
		return int(ends[0])
	}
	return int(ends[i] - ends[i-1])
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

// resize makes n empty micro-batches and keeps the memory of all there were.
func (s *Step) resize(n int) {
	s.Micro = s.Micro[:cap(s.Micro)]
	for len(s.Micro) < n {
		s.Micro = append(s.Micro, Batch{})
		s.Micro = s.Micro[:cap(s.Micro)]
	}
	s.Micro = s.Micro[:n]
	for i := range s.Micro {
		s.Micro[i].Reset()
	}
}
