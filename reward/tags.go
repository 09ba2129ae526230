package reward

import "strings"

// Think is 1 if the completion is one <think>…</think> block at the beginning
// and an answer after it that is not blank, with no further think tags.
func Think() Verifier {
	return truth("think_format", func(s Sample) (bool, error) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(s.Completion), "<think>")
		if !ok || strings.Count(rest, "<think>") > 0 || strings.Count(rest, "</think>") != 1 {
			return false, nil
		}
		_, after, _ := strings.Cut(rest, "</think>")
		return strings.TrimSpace(after) != "", nil
	})
}

// Tags is 1 if the completion is exactly the named blocks in order, each once
// and not blank, with nothing but white space between: Tags("think", "answer") is
// the form of R1-Zero (DeepSeek-AI 2025, arXiv:2501.12948, table 1).
func Tags(names ...string) Verifier {
	return truth("tags_"+strings.Join(names, "_"), func(s Sample) (bool, error) {
		rest := strings.TrimSpace(s.Completion)
		for _, n := range names {
			if strings.Count(s.Completion, "<"+n+">") != 1 || strings.Count(s.Completion, "</"+n+">") != 1 {
				return false, nil
			}
			after, ok := strings.CutPrefix(rest, "<"+n+">")
			body, next, closed := strings.Cut(after, "</"+n+">")
			if !ok || !closed || strings.TrimSpace(body) == "" {
				return false, nil
			}
			rest = strings.TrimSpace(next)
		}
		return rest == "", nil
	})
}

// TagCount is the share of the named tags, opening and closing, that occur
// exactly once: a softer Tags.
func TagCount(names ...string) Verifier {
	return Func("tag_count_"+strings.Join(names, "_"), func(s Sample) (float64, error) {
		if len(names) == 0 {
			return 0, ErrOptions
		}
		once := 0
		for _, n := range names {
			for _, tag := range []string{"<" + n + ">", "</" + n + ">"} {
				if strings.Count(s.Completion, tag) == 1 {
					once++
				}
			}
		}
		return float64(once) / float64(2*len(names)), nil
	})
}

// Within verifies only what stands in the last <name>…</name> block; a completion
// without a closed block gets 0. The reference stays as it is.
func Within(name string, v Verifier) Verifier { return within{v, name} }
