package main

import (
	"fmt"
	"strings"

	"github.com/posttrain/posttrain/data"
)

// reasoned is a row with a written way to its answer: of a sum the sums of its digits
// from the right, of a GSM8K row its solution.
func reasoned(row data.Row) data.Row {
	var a, b int
	way, answer, ok := strings.Cut(row.Completion, "####")
	if _, err := fmt.Sscanf(row.Prompt, "%d+%d=", &a, &b); err == nil && !ok {
		units := a%10 + b%10
		way, answer = fmt.Sprintf("%d+%d=%d,%d+%d", a%10, b%10, units, a/10, b/10), row.Completion
		if units > 9 {
			way += "+1"
		}
		way += fmt.Sprintf("=%d", a/10+b/10+units/10)
	}
	row.Completion = opens + strings.TrimSpace(way) + closes + strings.TrimSpace(answer)
	row.Shape = data.ShapePromptCompletion
	return row
}
