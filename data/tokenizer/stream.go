package tokenizer

// Stream decodes tokens as they come. What it returns, joined, is what
// [Tokenizer.Decode] returns for all of them. Text that a later token can still
// change is held back: the bytes of a character that is not complete, and runs
// of byte tokens.
//
// A Stream is used by one goroutine at a time.
type Stream struct {
	// KeepSpecial keeps special tokens in the text; by default they are left
	// out, as by Decode with skipSpecial. Set it before the first Add.
	KeepSpecial bool

	t    *Tokenizer
	head sink
	out  *text
}

// NewStream returns a Stream at the start of a text.
func (t *Tokenizer) NewStream() *Stream {
	s := &Stream{t: t}
	if t.decoders == nil {
		last := &spaced{}
		s.head, s.out = last, &last.text
		return s
	}
	s.out = &text{}
	s.head = start(t.decoders, s.out)
	return s
}

// Add takes the next token and returns the text that is settled by it, which may
// be empty. An id without a token adds nothing.
func (s *Stream) Add(id int32) string {
	s.add(id)
	return s.take()
}

// Flush ends the text, returns what was held back, and makes the Stream ready
// for another text.
func (s *Stream) Flush() string {
	s.head.flush()
	if last, ok := s.head.(*spaced); ok {
		last.inside = false
	}
	return s.take()
}

func (s *Stream) add(id int32) {
	token, special, ok := s.t.token(id)
	if !ok || special && !s.KeepSpecial {
		return
	}
	s.head.token(token)
}

func (s *Stream) take() string {
	if len(s.out.buf) == 0 {
		return ""
	}
	out := string(s.out.buf)
	s.out.buf = s.out.buf[:0]
	return out
}

// Decode returns the text of ids. With skipSpecial special tokens are left out.
// Ids without a token are passed over.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	s := t.NewStream()
	s.KeepSpecial = !skipSpecial
	for _, id := range ids {
		s.add(id)
	}
	s.head.flush()
	return str(s.out.buf) // the buffer is not used again
}
