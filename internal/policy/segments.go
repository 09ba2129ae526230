package policy

import "github.com/posttrain/posttrain/data"

// SegmentLen is the number of tokens in segment s, where ends are exclusive ends.
func SegmentLen(ends []int32, s int32) int {
	if s == 0 {
		return int(ends[0])
	}
	return int(ends[s] - ends[s-1])
}

// AppendText appends one segment of prompt and answer, whose tokens are its
// targets; index is its place in the dataset. The prompt has at least one token.
func AppendText(b *data.Packed, prompt, answer []int32, index int32) {
	for i, id := range prompt {
		b.Tokens, b.Positions = append(b.Tokens, id), append(b.Positions, int32(i))
	}
	for i, id := range answer {
		AppendTarget(b, int32(len(b.Tokens))-1, id)
		b.Tokens, b.Positions = append(b.Tokens, id), append(b.Positions, int32(len(prompt)+i))
	}
	b.Ends, b.Prefix, b.Examples = append(b.Ends, int32(len(b.Tokens))), append(b.Prefix, -1), append(b.Examples, index)
}

// AppendTarget appends a token that a row predicts.
func AppendTarget(b *data.Packed, row, id int32) {
	b.Rows, b.Targets, b.Weights = append(b.Rows, row), append(b.Targets, id), append(b.Weights, 1)
}
