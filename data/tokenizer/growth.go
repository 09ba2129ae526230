package tokenizer

import "fmt"

// maxGrowth bounds how much longer the replacements of a file may make a text.
// Real ones make it three times as long: a metaspace for each space.
const maxGrowth = 1 << 10

// checkGrowth refuses replacements that, one after the other, could make a text
// more than maxGrowth times as long.
func checkGrowth[T any](steps []T) error {
	factor := 1
	for _, s := range steps {
		switch s := any(s).(type) {
		case *replace:
			factor *= s.growth()
		case byteLevelNormalizer, *bert:
			factor *= 2
		case *charsmap:
			factor *= max(1, s.longest)
		case prepend:
			if len(s.Prepend) > maxGrowth {
				factor *= len(s.Prepend)
			}
		}
		if factor > maxGrowth {
			return fmt.Errorf("%w: replacements that make a text more than %d times as long", ErrLimit, maxGrowth)
		}
	}
	return nil
}

// growth is how much longer n can make a text at most, rounded up.
func (n *replace) growth() int {
	if n.literal == "" { // a pattern may match before each character and nothing
		return min(len(n.content)+1, maxGrowth+1)
	}
	return min(max(1, (len(n.content)+len(n.literal)-1)/len(n.literal)), maxGrowth+1)
}

// flat lists the steps of nested sequences.
func flat(n normalizer) []normalizer {
	list, ok := n.(normalizers)
	if !ok {
		return []normalizer{n}
	}
	var all []normalizer
	for _, step := range list {
		all = append(all, flat(step)...)
	}
	return all
}
