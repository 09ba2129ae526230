package group

import (
	"encoding/binary"
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
)

// Group is two groups of answers to a prompt as token ids, of which one was
// preferred: for its diversity, its balance or its quality on the whole.
type Group struct {
	Prompt   []int32   // at least one token
	Chosen   [][]int32 // k answers, end tokens included
	Rejected [][]int32 // k answers
	At       data.Place
}

// Ranking is several answers to a prompt, the best first.
type Ranking struct {
	Prompt  []int32
	Answers [][]int32 // at least two, end tokens included
	At      data.Place
}

// item is either of them: answers, and which of them make pairs.
type item struct {
	prompt  []int32
	answers [][]int32
	at      data.Place
}

// texts is the number of tokens of all texts, the prompt counted in each.
func (m *item) texts() int {
	n := len(m.prompt) * len(m.answers)
	for _, a := range m.answers {
		n += len(a)
	}
	return n
}

// check refuses what cannot be computed.
func (m *item) check(answers int) error {
	switch {
	case len(m.prompt) == 0:
		return fmt.Errorf("group: %v: got no prompt, want one token at least: nothing predicts the first token of a text", m.at)
	case len(m.answers) != answers:
		return fmt.Errorf("group: %v: got %d answers, want %d as in the first row: all must have as many", m.at, len(m.answers), answers)
	}
	for _, a := range m.answers {
		if len(a) > 0 {
			return nil
		}
	}
	return fmt.Errorf("group: %v: got empty answers only, want a token to learn from", m.at)
}

func checkItems(items []item, answers int) error {
	return policy.CheckAll(items, func(m item) error { return m.check(answers) })
}

// fingerprint is the SHA-256 of all tokens.
func fingerprint(items []item) string {
	return policy.Fingerprint(items, func(buf []byte, m item) []byte {
		buf = binary.LittleEndian.AppendUint64(buf, uint64(len(m.answers)))
		return policy.AppendIDs(policy.AppendIDs(buf, m.prompt), m.answers...)
	})
}
