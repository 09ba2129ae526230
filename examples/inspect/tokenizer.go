package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/posttrain/posttrain/data/tokenizer"
	"github.com/posttrain/posttrain/model/auto"
)

// hard are texts on which tokenizers go wrong.
var hard = []struct{ name, text string }{
	{"words", "The quick brown fox jumps over the lazy dog."},
	{"spaces", "  two before,   three between, two after  "},
	{"lines", "a\n\n\tb\r\n  c\n"},
	{"numbers", "3.14159 1,000,000 2026-11-26 0x7f"},
	{"code", "for i := range 10 { x[i] += y[i]<<2 }"},
	{"accents", "naïve Ærøskøbing, e\u0301 is not é"},
	{"scripts", "Ελληνικά русский العربية हिन्दी ไทย 日本語 한국어"},
	{"emoji", "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽"},
	{"rare", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 \u200b\u2028\ufeff �"},
	{"control", "\x00\x01\x7f"},
	{"apostrophes", "I'LL don't o’clock ''''"},
	{"long", strings.Repeat("ab", 500)},
}

// special is a token with a meaning.
type special struct {
	Name string `json:"name"`
	ID   int32  `json:"id"`
	Text string `json:"text"`
}

// trip is a text that was encoded and decoded again.
type trip struct {
	Name   string `json:"name"`
	Tokens int    `json:"tokens"`
	// Same is false where normalisation changes the text, which is not a fault.
	Same bool   `json:"same"`
	Back string `json:"back,omitempty"` // the text that came back, if another
}

type wordsReport struct {
	Size    int       `json:"size"`
	Special []special `json:"special"`
	Number  int       `json:"special_tokens"`
	Around  []string  `json:"around"` // tokens that are put around a text
	Trips   []trip    `json:"round_trips"`
	Faults  []string  `json:"faults,omitempty"`
}

// testTokenizer encodes and decodes hard texts, in one piece and as a stream,
// and looks up the special tokens.
func testTokenizer(c *auto.Checkpoint) wordsReport {
	t, k := c.Tokenizer, c.Model.Config()
	r := wordsReport{Size: t.Size()}
	fault := func(format string, args ...any) {
		r.Faults = append(r.Faults, fmt.Sprintf("tokenizer: "+format, args...))
	}
	if r.Size > k.VocabSize {
		fault("got %d ids, want at most the %d of the model", r.Size, k.VocabSize)
	}
	for _, s := range []struct {
		name string
		of   func() (int32, string, bool)
	}{{"bos", t.BOS}, {"eos", t.EOS}, {"pad", t.PAD}, {"unk", t.UNK}} {
		if id, text, ok := s.of(); ok {
			r.Special = append(r.Special, special{s.name, id, text})
		}
	}
	for id := range int32(r.Size) {
		if text, ok := t.Token(id); ok && t.Special(id) {
			r.Number++
			if ids := t.AppendIDs(nil, text, false); len(ids) != 1 || ids[0] != id {
				fault("special token %q has id %d, but is read as %v", text, id, ids)
			}
		}
	}
	for _, id := range t.Encode("") {
		text, _ := t.Token(id)
		r.Around = append(r.Around, text)
	}
	for _, h := range hard {
		one, faulty := travel(t, h.text)
		one.Name = h.name
		r.Trips = append(r.Trips, one)
		if faulty != "" {
			fault("%s: %s", h.name, faulty)
		}
	}
	if err := t.Err(); err != nil {
		fault("%v", err)
	}
	return r
}

// travel encodes a text and decodes it again.
func travel(t *tokenizer.Tokenizer, text string) (r trip, fault string) {
	ids := t.AppendIDs(nil, text, false)
	again, offsets := t.AppendOffsets(nil, nil, text, false)
	back := t.Decode(ids, false)
	r = trip{Tokens: len(ids), Same: back == text}
	if !r.Same {
		r.Back = back
	}
	s := t.NewStream()
	s.KeepSpecial = true
	var pieces strings.Builder
	for _, id := range ids {
		pieces.WriteString(s.Add(id))
	}
	pieces.WriteString(s.Flush())
	switch {
	case !slices.Equal(ids, again):
		return r, "ids with offsets differ from those without"
	case pieces.String() != back:
		return r, fmt.Sprintf("as a stream the text is %q, at once it is %q", pieces.String(), back)
	}
	for i, o := range offsets {
		if o[0] < 0 || o[1] < o[0] || o[1] > len(text) {
			return r, fmt.Sprintf("token %d has bytes %v of a text of %d", i, o, len(text))
		}
	}
	return r, ""
}

func (r wordsReport) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "\n%-12s%d ids, %d special", "tokenizer", r.Size, r.Number)
	for _, x := range r.Special {
		fmt.Fprintf(&s, "; %s %d %q", x.Name, x.ID, x.Text)
	}
	fmt.Fprintf(&s, "\n%-12saround a text it puts %q", "", r.Around)
	exact := 0
	for _, x := range r.Trips {
		if x.Same {
			exact++
		}
	}
	fmt.Fprintf(&s, "\n%-12s%d of %d hard texts come back byte for byte", "", exact, len(r.Trips))
	for _, x := range r.Trips {
		if !x.Same {
			fmt.Fprintf(&s, "\n%-12s  %s is normalised: %q", "", x.Name, x.Back)
		}
	}
	for _, f := range r.Faults {
		fmt.Fprintf(&s, "\n%-12sFAULT: %s", "", f)
	}
	return s.String()
}
