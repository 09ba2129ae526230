package policy

import (
	"fmt"

	"github.com/posttrain/posttrain/data"
)

// Count adds one to a counter of a report and remembers the place of the first.
func Count(counter *int, first *data.Place, at data.Place) {
	if *counter++; *counter == 1 {
		*first = at
	}
}

// Counted is a part of a report's line: how many rows something happened to, ""
// for none.
func Counted(n int, what string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %d %s", n, what)
}

// CountedFrom is Counted with the place of the first row.
func CountedFrom(n int, what string, first data.Place) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %d %s (first: %v)", n, what, first)
}
