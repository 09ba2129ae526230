package reward

import (
	"fmt"
	"strings"
)

// Repetition is penalty·(1 − distinct n-grams / n-grams) over token ids, or over
// words where the sample has no ids (Yeo et al. 2025, arXiv:2502.03373; the form
// of TRL's get_repetition_penalty_reward). penalty is at most 0. Fewer than n
// tokens give 0.
func Repetition(n int, penalty float64) (Verifier, error) {
	if n <= 0 || n > 64 || !(penalty <= 0) {
		return nil, fmt.Errorf("reward: repetition: n %d and penalty %v, want 1 to 64 and at most 0: %w", n, penalty, ErrOptions)
	}
	return Func("repetition", func(s Sample) (float64, error) {
		ids := s.Tokens
		if len(ids) == 0 {
			ids = words(s.Completion)
		}
		total := len(ids) - n + 1
		if total <= 0 {
			return 0, nil
		}
		return penalty * (1 - float64(distinct(ids, n))/float64(total)), nil
	}), nil
}

// words numbers the words of a text, lower-cased.
func words(text string) []int32 {
	numbers := map[string]int32{}
	var ids []int32
	for w := range strings.FieldsSeq(strings.ToLower(text)) {
		id, ok := numbers[w]
		if !ok {
			id = int32(len(numbers))
			numbers[w] = id
		}
		ids = append(ids, id)
	}
	return ids
}

// distinct counts different n-grams by naming them: a k-gram is the pair of a
// (k−1)-gram's name and a token, so there are no hash collisions.
func distinct(ids []int32, n int) int {
	names := make([]int32, len(ids))
	count := 1
	for k := range n {
		seen := map[[2]int32]int32{}
		for i := 0; i+k < len(ids); i++ {
			key := [2]int32{names[i], ids[i+k]}
			name, ok := seen[key]
			if !ok {
				name = int32(len(seen))
				seen[key] = name
			}
			names[i] = name
		}
		count = len(seen)
	}
	return count
}
