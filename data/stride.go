package data

// Stride is the size of steps over a Walk: Items items, or, where that is 0, as many
// as have at most Tokens tokens together, but one at least.
type Stride struct{ Items, Tokens int }

// Span returns how many of the items that are left in an epoch make a step, and
// whether the step is full: ended by its size, not by the epoch. length is the
// number of tokens of an item.
func (s Stride) Span(rest []int32, length func(item int32) int) (n int, full bool) {
	if s.Items > 0 {
		return min(s.Items, len(rest)), len(rest) >= s.Items
	}
	tokens := 0
	for n < len(rest) {
		more := length(rest[n])
		if n > 0 && tokens+more > s.Tokens {
			return n, true
		}
		tokens += more
		n++
	}
	return n, tokens >= s.Tokens
}
