package reward

import (
	"fmt"
	"unicode"
)

// Script is the share of the completion's letters that belong to one of the
// given Unicode scripts ("Latin", "Han", "Cyrillic", …): the language
// consistency reward of R1 (DeepSeek-AI 2025, arXiv:2501.12948, §2.3.2) counted in
// letters instead of words. A text without letters gets 1. Languages that share
// a script are not told apart.
func Script(scripts ...string) (Verifier, error) {
	var tables []*unicode.RangeTable
	name := "script"
	for _, s := range scripts {
		t := unicode.Scripts[s]
		if t == nil {
			return nil, fmt.Errorf("reward: script %q is unknown: %w", s, ErrOptions)
		}
		tables, name = append(tables, t), name+"_"+s
	}
	if len(tables) == 0 {
		return nil, fmt.Errorf("reward: script: none is named: %w", ErrOptions)
	}
	return Func(name, func(s Sample) (float64, error) {
		letters, in := 0, 0
		for _, r := range s.Completion {
			if unicode.IsLetter(r) {
				letters++
				if unicode.In(r, tables...) {
					in++
				}
			}
		}
		if letters == 0 {
			return 1, nil
		}
		return float64(in) / float64(letters), nil
	}), nil
}
