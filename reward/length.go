package reward

import (
	"fmt"
	"math"
)

// Overlong is DAPO's soft overlong punishment (Yu et al. 2025, arXiv:2503.14476,
// eq. 13), with n tokens, the limit L and the buffer C: 0 for n ≤ L−C,
// ((L−C)−n)/C up to L, and −1 beyond.
func Overlong(limit, buffer int) (Verifier, error) {
	if buffer <= 0 || limit < buffer {
		return nil, fmt.Errorf("reward: overlong: limit %d and buffer %d, want 0 < buffer <= limit: %w", limit, buffer, ErrOptions)
	}
	return Func("overlong", func(s Sample) (float64, error) {
		n, err := length(s)
		if err != nil {
			return 0, err
		}
		free := limit - buffer
		switch {
		case n <= free:
			return 0, nil
		case n <= limit:
			return float64(free-n) / float64(buffer), nil
		}
		return -1, nil
	}), nil
}

// length is the number of tokens. It never falls back on bytes: the limits of
// these rules are in tokens.
func length(s Sample) (int, error) {
	if len(s.Tokens) == 0 && s.Completion != "" {
		return 0, ErrTokens
	}
	return len(s.Tokens), nil
}

// CosineScaled shapes right and wrong answers by length (Yeo et al. 2025,
// arXiv:2502.03373): a right one falls from 1 to ½ and a wrong one rises from −1
// to −½ along half a cosine as n goes from 0 to limit. right says what is right: a
// reward of at least ½.
func CosineScaled(right Verifier, limit int) (Verifier, error) {
	if limit <= 0 || right == nil {
		return nil, fmt.Errorf("reward: cosine: limit %d, want a positive one and a verifier: %w", limit, ErrOptions)
	}
	return mapped{right, "cosine_" + right.Name(), func(s Sample, r float64) (float64, error) {
		n, err := length(s)
		if err != nil {
			return 0, err
		}
		turn := (1 + math.Cos(math.Pi*min(float64(n)/float64(limit), 1))) / 2 // 1 at length 0, 0 at the limit
		if r >= 0.5 {
			return 0.5 + 0.5*turn, nil
		}
		return -0.5 - 0.5*turn, nil
	}}, nil
}
