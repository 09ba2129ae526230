package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// pieceDecoder puts spaces between words; tokens with the prefix belong to the
// word before them.
type pieceDecoder struct {
	prefix  []byte
	cleanup bool
}

func parsePieceDecoder(raw json.RawMessage) (decoder, error) {
	fields := struct {
		Prefix  string `json:"prefix"`
		Cleanup bool   `json:"cleanup"`
	}{"##", true}
	err := decode(raw, &fields)
	return &pieceDecoder{[]byte(fields.Prefix), fields.Cleanup}, err
}

func (d *pieceDecoder) start(fused bool, next sink) (sink, bool) {
	var clean cleaner
	var token []byte
	fn := func(dst, b []byte, first bool) []byte {
		token = token[:0]
		if !first {
			var inside bool
			if b, inside = bytes.CutPrefix(b, d.prefix); !inside {
				token = append(token, ' ')
			}
		}
		token = append(token, b...)
		if d.cleanup {
			return append(dst, clean.up(token)...)
		}
		return append(dst, token...)
	}
	return &mapper{next: next, fn: fn, fused: fused}, fused
}

// cleanups are the replacements that undo the spaces around English punctuation,
// in order.
var cleanups = [...][2]string{
	{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
	{" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
}

// cleaner applies cleanups with buffers of its own.
type cleaner struct{ a, b []byte }

// up is the cleaned text, which is valid until the next call.
func (c *cleaner) up(text []byte) []byte {
	for _, pair := range cleanups {
		if bytes.Contains(text, view(pair[0])) {
			c.a, c.b = c.b, appendReplaced(c.a[:0], text, pair[0], pair[1])
			text = c.b
		}
	}
	return text
}

// suffixDecoder is the decoder BPEDecoder: the suffix that ends a word becomes a
// space, and vanishes from the last token.
type suffixDecoder struct{ suffix string }

func parseSuffixDecoder(raw json.RawMessage) (decoder, error) {
	fields := struct {
		Suffix string `json:"suffix"`
	}{"</w>"}
	if err := decode(raw, &fields); err != nil {
		return nil, err
	}
	if fields.Suffix == "" {
		return nil, fmt.Errorf("suffix: %w: an empty text", ErrUnsupported)
	}
	return &suffixDecoder{fields.Suffix}, nil
}

func (d *suffixDecoder) start(fused bool, next sink) (sink, bool) {
	return &suffixes{suffixDecoder: d, next: next, fused: fused}, fused
}

// suffixes holds one token back, as the last is treated otherwise.
type suffixes struct {
	*suffixDecoder
	next  sink
	fused bool // what comes are parts of one token, which is the last
	held  []byte
	some  bool // a token is held
	buf   []byte
}

func (s *suffixes) token(b []byte) {
	if s.some && !s.fused {
		s.release(" ")
	}
	s.held, s.some = append(s.held, b...), true
}

func (s *suffixes) release(space string) {
	s.buf = appendReplaced(s.buf[:0], s.held, s.suffix, space)
	s.held, s.some = s.held[:0], false
	s.next.token(s.buf)
}

func (s *suffixes) flush() {
	if s.some {
		s.release("")
	}
	s.next.flush()
}

// ctc is the decoder of speech models (Graves et al., 2006): tokens that repeat
// count once, the padding between them vanishes.
type ctc struct {
	pad, delimiter string
	cleanup        bool
}

func parseCTC(raw json.RawMessage) (decoder, error) {
	fields := struct {
		Pad       string `json:"pad_token"`
		Delimiter string `json:"word_delimiter_token"`
		Cleanup   bool   `json:"cleanup"`
	}{"<pad>", "|", true}
	if err := decode(raw, &fields); err != nil {
		return nil, err
	}
	if fields.Pad == "" || fields.Delimiter == "" {
		return nil, fmt.Errorf("pad_token, word_delimiter_token: %w: an empty text", ErrUnsupported)
	}
	return &ctc{fields.Pad, fields.Delimiter, fields.Cleanup}, nil
}

func (d *ctc) start(fused bool, next sink) (sink, bool) {
	return &ctcText{ctc: d, next: next, fused: fused}, fused
}

type ctcText struct {
	*ctc
	next  sink
	fused bool
	last  []byte // the token before, or all of the one token
	some  bool   // there was one
	clean cleaner
	buf   []byte

	spaced []byte
}

func (s *ctcText) token(b []byte) {
	switch {
	case s.fused:
		s.last = append(s.last, b...)
	case !s.some || !bytes.Equal(s.last, b):
		s.last = append(s.last[:0], b...)
		s.pass()
	}
	s.some = true
}

// pass passes the last token on.
func (s *ctcText) pass() {
	s.buf = appendReplaced(s.buf[:0], s.last, s.pad, "")
	out := s.buf
	if s.cleanup {
		clean := s.clean.up(out)
		s.spaced = appendReplaced(s.spaced[:0], clean, s.delimiter, " ")
		out = s.spaced
	}
	if len(out) > 0 {
		s.next.token(out)
	}
}

func (s *ctcText) flush() {
	if s.fused && s.some {
		s.pass()
	}
	s.last, s.some = s.last[:0], false
	s.next.flush()
}
