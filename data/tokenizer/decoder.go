package tokenizer

import (
	"encoding/json"
	"fmt"
)

// decoder is a step on the way from tokens to text. It is told one token after
// the other and passes on what is settled, so that the same code decodes a whole
// text and a stream.
//
// A step like Fuse makes one token of all. It passes parts of that token on, and
// the steps behind it are built to take parts (the argument fused of start).
type decoder interface {
	// start returns the step at the beginning of a text. fused says that what
	// comes are parts of one token; the second result says the same of what the
	// step passes on.
	start(fused bool, next sink) (sink, bool)
}

// sink takes tokens, or parts of one.
type sink interface {
	token(text []byte) // text is valid during the call
	flush()            // the text ends
}

// parseDecoder appends the steps of the field decoder to dst.
func parseDecoder(dst []decoder, raw json.RawMessage, f *faults) ([]decoder, error) {
	kind, err := kindOfStep(raw)
	if err != nil || kind == "" {
		return dst, err
	}
	if dst == nil {
		dst = []decoder{} // an empty sequence is not the same as no decoder
	}
	var step decoder
	switch kind {
	case "Sequence":
		return parseDecoders(dst, raw, f)
	case "ByteLevel":
		step = byteLevelDecoder{}
	case "Metaspace":
		step, err = parseMetaspace(raw)
	case "Replace":
		step, err = parseReplace(raw, f)
	case "ByteFallback":
		step = byteFallback{}
	case "Fuse":
		step = fuse{}
	case "Strip":
		step, err = parseStripDecoder(raw)
	case "WordPiece":
		step, err = parsePieceDecoder(raw)
	case "BPEDecoder":
		step, err = parseSuffixDecoder(raw)
	case "CTC":
		step, err = parseCTC(raw)
	default:
		err = unsupported(kind)
	}
	if err != nil {
		return nil, err
	}
	return append(dst, step), nil
}

func parseDecoders(dst []decoder, raw json.RawMessage, f *faults) ([]decoder, error) {
	var list struct {
		Decoders []json.RawMessage `json:"decoders"`
	}
	if err := decode(raw, &list); err != nil {
		return nil, err
	}
	for i, step := range list.Decoders {
		var err error
		if dst, err = parseDecoder(dst, step, f); err != nil {
			return nil, fmt.Errorf("decoders[%d]: %w", i, err)
		}
		if len(dst) > maxSteps {
			return nil, fmt.Errorf("decoders: want at most %d", maxSteps)
		}
	}
	return dst, nil
}

// text is the last sink: what was decoded and not yet taken.
type text struct{ buf []byte }

func (t *text) token(b []byte) { t.buf = append(t.buf, b...) }
func (t *text) flush()         {}

// spaced is the last sink of a tokenizer without a decoder: the Rust library
// puts spaces between the tokens then.
type spaced struct {
	text
	inside bool
}

func (t *spaced) token(b []byte) {
	if t.inside {
		t.buf = append(t.buf, ' ')
	}
	t.inside = true
	t.text.token(b)
}

// start builds the chain of steps that ends in out.
func start(steps []decoder, out sink) sink {
	fused := make([]bool, len(steps)+1)
	for i, s := range steps {
		_, fused[i+1] = s.start(fused[i], nil)
	}
	for i := len(steps) - 1; i >= 0; i-- {
		out, _ = steps[i].start(fused[i], out)
	}
	return out
}

// mapper is a step that changes each token by itself. Behind a fusing step it
// must hold everything back to the end.
type mapper struct {
	next  sink
	fn    func(dst, token []byte, first bool) []byte
	fused bool
	begun bool
	held  []byte
	buf   []byte
}

func (m *mapper) token(b []byte) {
	if m.fused {
		m.held = append(m.held, b...)
		return
	}
	m.buf = m.fn(m.buf[:0], b, !m.begun)
	m.begun = true
	m.next.token(m.buf)
}

func (m *mapper) flush() {
	if m.fused && len(m.held) > 0 {
		m.next.token(m.fn(nil, m.held, true))
		m.held = m.held[:0]
	}
	m.begun = false
	m.next.flush()
}
