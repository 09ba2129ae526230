package data

import (
	"fmt"
	"log/slog"
	"strings"
)

// Report counts what became of the rows.
type Report struct {
	Rows  int `json:"rows"`  // rows read
	Kept  int `json:"kept"`  // examples made
	Cut   int `json:"cut"`   // examples kept that were truncated
	Long  int `json:"long"`  // rows dropped for their length (DropLong)
	Empty int `json:"empty"` // rows dropped because no target token was left

	Tokens    int64 `json:"tokens"`     // tokens of the examples kept
	Targets   int64 `json:"targets"`    // target tokens among them
	CutTokens int64 `json:"cut_tokens"` // tokens that truncation took from examples kept

	// Merged counts rows whose prompt, tokenised alone, is no prefix of prompt
	// and completion tokenised together: the tokenizer joined characters of
	// both. The tokens after the common prefix count as completion.
	Merged int `json:"merged"`

	// Unstopped counts conversations whose template writes the end-of-sequence
	// token just behind the last generation span, not in it: the model is never
	// taught to stop (LossAssistant).
	Unstopped int `json:"unstopped"`

	// FirstLong, FirstEmpty, FirstMerged and FirstUnstopped are the places of
	// the first such rows.
	FirstLong, FirstEmpty, FirstMerged, FirstUnstopped Place
}

// String says in one line what happened.
func (r Report) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%d of %d rows kept, %d tokens, %d of them targets", r.Kept, r.Rows, r.Tokens, r.Targets)
	if r.Cut > 0 {
		fmt.Fprintf(&s, "; %d truncated by %d tokens", r.Cut, r.CutTokens)
	}
	if r.Long > 0 {
		fmt.Fprintf(&s, "; %d dropped as too long (first: %v)", r.Long, r.FirstLong)
	}
	if r.Empty > 0 {
		fmt.Fprintf(&s, "; %d dropped without a target token (first: %v)", r.Empty, r.FirstEmpty)
	}
	if r.Merged > 0 {
		fmt.Fprintf(&s, "; %d with tokens across prompt and completion (first: %v)", r.Merged, r.FirstMerged)
	}
	if r.Unstopped > 0 {
		fmt.Fprintf(&s, "; %d whose end-of-sequence token is no target (first: %v)", r.Unstopped, r.FirstUnstopped)
	}
	return s.String()
}

// LogValue makes the counts a group of attributes.
func (r Report) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Int("rows", r.Rows), slog.Int("kept", r.Kept), slog.Int("cut", r.Cut), slog.Int("long", r.Long),
		slog.Int("empty", r.Empty), slog.Int64("tokens", r.Tokens), slog.Int64("targets", r.Targets),
		slog.Int64("cut_tokens", r.CutTokens), slog.Int("merged", r.Merged),
		slog.Int("unstopped", r.Unstopped),
	)
}

// count adds one to a counter and remembers the first place.
func count(counter *int, first *Place, at Place) {
	if *counter++; *counter == 1 {
		*first = at
	}
}

// add counts what another report counts, of rows behind those of r.
func (r *Report) add(o *Report) {
	for _, c := range [...]struct {
		first *Place
		at    Place
		n, of int
	}{
		{&r.FirstLong, o.FirstLong, r.Long, o.Long}, {&r.FirstEmpty, o.FirstEmpty, r.Empty, o.Empty},
		{&r.FirstMerged, o.FirstMerged, r.Merged, o.Merged}, {&r.FirstUnstopped, o.FirstUnstopped, r.Unstopped, o.Unstopped},
	} {
		if c.n == 0 && c.of > 0 {
			*c.first = c.at
		}
	}
	r.Rows, r.Kept, r.Cut = r.Rows+o.Rows, r.Kept+o.Kept, r.Cut+o.Cut
	r.Long, r.Empty = r.Long+o.Long, r.Empty+o.Empty
	r.Merged, r.Unstopped = r.Merged+o.Merged, r.Unstopped+o.Unstopped
	r.Tokens, r.Targets, r.CutTokens = r.Tokens+o.Tokens, r.Targets+o.Targets, r.CutTokens+o.CutTokens
}
