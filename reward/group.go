package reward

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
)

// Group is a prompt with answers to learn from: two that were compared, a ranking
// of several, or answers with labels.
type Group struct {
	Prompt []int32 // may be empty where answers are whole texts
	// Answers holds the best one first.
	Answers []Candidate
	// Labelled says that the labels of the answers count. Answers with equal labels
	// are then not compared; without labels each is better than all after it.
	Labelled bool
	// Margin is by how much the better answer of each comparison should win at
	// least, in units of the score.
	Margin float64
	At     data.Place
}

// Candidate is one answer to a prompt.
type Candidate struct {
	IDs   []int32 // end token included
	Label float64 // what its score should be
	Marks []Mark  // for losses that score marked tokens
}

// Mark is a token that is scored.
type Mark struct {
	Token int     // place in Candidate.IDs
	Label float64 // what the score of the token should be
}

// Len is the number of tokens of all texts, the prompt counted once an answer.
func (g Group) Len() int {
	n := len(g.Prompt) * len(g.Answers)
	for _, a := range g.Answers {
		n += len(a.IDs)
	}
	return n
}

// compared says whether answer i is better than answer j, which stands behind it.
func (g Group) compared(i, j int) bool { return !g.Labelled || g.Answers[i].Label > g.Answers[j].Label }

// comparisons is the number of comparisons.
func (g Group) comparisons() int {
	n := 0
	for i := range g.Answers {
		for j := i + 1; j < len(g.Answers); j++ {
			if g.compared(i, j) {
				n++
			}
		}
	}
	return n
}

// rows is the number of scored tokens.
func (g Group) rows(at ScoreAt) int {
	n := 0
	for _, a := range g.Answers {
		switch at {
		case EveryToken:
			n += len(a.IDs)
		case MarkedTokens:
			n += len(a.Marks)
		default:
			n++
		}
	}
	return n
}

// check refuses groups that cannot be computed.
func (g Group) check(at ScoreAt) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("reward: %v: "+format, append([]any{g.At}, args...)...)
	}
	if len(g.Answers) == 0 {
		return bad("got a group without answers, want one at least")
	}
	if math.IsNaN(g.Margin) || math.IsInf(g.Margin, 0) {
		return bad("margin is %g, want a finite number", g.Margin)
	}
	for i, a := range g.Answers {
		switch {
		case len(a.IDs) == 0:
			return bad("answer %d is empty, want a token to score", i)
		case g.Labelled && (math.IsNaN(a.Label) || math.IsInf(a.Label, 0)):
			return bad("label of answer %d is %g, want a finite number", i, a.Label)
		case g.Labelled && i > 0 && a.Label > g.Answers[i-1].Label:
			return bad("answer %d has the label %g and the one before it %g, want the best answer first", i, a.Label, g.Answers[i-1].Label)
		case at == MarkedTokens && len(a.Marks) == 0:
			return bad("answer %d has no marks, want a token to score", i)
		}
		for k, m := range a.Marks {
			if m.Token < 0 || m.Token >= len(a.IDs) || k > 0 && m.Token <= a.Marks[k-1].Token || math.IsNaN(m.Label) || math.IsInf(m.Label, 0) {
				return bad("mark %d of answer %d is %+v, want rising places among %d tokens and a finite label", k, i, m, len(a.IDs))
			}
		}
	}
	return nil
}

// checkGroups refuses a dataset that cannot be trained on.
func checkGroups(groups []Group, at ScoreAt) error {
	if len(groups) == 0 {
		return errors.New("reward: got no groups, want at least one")
	}
	return policy.CheckAll(groups, func(g Group) error { return g.check(at) })
}

// Fingerprint is the SHA-256 of the groups' tokens, labels and margins in hex:
// equal ones mean that a cursor fits both lists of groups.
func Fingerprint(groups []Group) string {
	return policy.Fingerprint(groups, func(buf []byte, g Group) []byte {
		number := func(v float64) { buf = binary.LittleEndian.AppendUint64(buf, math.Float64bits(v)) }
		buf = policy.AppendIDs(buf, g.Prompt)
		number(g.Margin)
		number(float64(len(g.Answers)))
		for _, a := range g.Answers {
			buf = policy.AppendIDs(buf, a.IDs)
			if g.Labelled {
				number(a.Label)
			}
			for _, m := range a.Marks {
				number(float64(m.Token))
				number(m.Label)
			}
		}
		return buf
	})
}
