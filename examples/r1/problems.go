package main

import (
	"fmt"
	"strings"

	"github.com/posttrain/posttrain/data"
)

// reasoned is a row with a written way to its answer: of 47+38 the tens and the ones,
// 70+15, of a GSM8K row its solution.
func reasoned(row data.Row) data.Row {
	var a, b int
	way, answer, ok := strings.Cut(row.Completion, "####")
	if _, err := fmt.Sscanf(row.Prompt, "%d+%d=", &a, &b); err == nil && !ok {
		way, answer = fmt.Sprintf("%d+%d", a/10*10+b/10*10, a%10+b%10), row.Completion
	}
	n := notation()
	row.Completion = n.opens + strings.TrimSpace(way) + n.closes + strings.TrimSpace(answer)
	row.Shape = data.ShapePromptCompletion
	return row
}
