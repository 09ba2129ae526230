package generate

import "bytes"

// text is the decoded completion of one sequence.
type text struct {
	stream Stream
	held   []byte // decoded but not handed out: it may begin a stop string
}

// add decodes a token into its Text and applies the stop strings. A stop string
// counts as soon as the text holds it, though the token that completes it may go
// on; the text is cut before it. End tokens are not decoded.
func (x *text) add(t *Token, stops []string) {
	if t.Finish != FinishEOS {
		x.held = append(x.held, x.stream.Add(t.ID)...)
	}
	if t.Finish != "" {
		x.held = append(x.held, x.stream.Flush()...)
	}
	end := len(x.held)
	if at := firstStop(x.held, stops); at >= 0 {
		t.Finish, end = FinishStop, at
	} else if t.Finish == "" {
		end -= heldBack(x.held, stops)
	}
	t.Text = string(x.held[:end])
	x.held = x.held[:copy(x.held, x.held[end:])]
}

// firstStop is where the first stop string in text begins, or -1.
func firstStop(text []byte, stops []string) int {
	first := -1
	for _, stop := range stops {
		if at := bytes.Index(text, []byte(stop)); at >= 0 && (first < 0 || at < first) {
			first = at
		}
	}
	return first
}

// heldBack is the length of the longest end of text that begins a stop string.
func heldBack(text []byte, stops []string) int {
	held := 0
	for _, stop := range stops {
		for n := min(len(stop)-1, len(text)); n > held; n-- {
			if bytes.HasSuffix(text, []byte(stop[:n])) {
				held = n
				break
			}
		}
	}
	return held
}
