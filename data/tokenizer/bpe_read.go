package tokenizer

import (
	"bytes"
	"fmt"
)

// readMerges reads merges as pairs or, as older files have them, as strings with
// a space between.
func (m *bpe) readMerges(r *reader) error {
	m.merges = newMerges(m.vocab.count)
	var buf, left, right []byte
	rank := 0
	return r.array(func(i int) (err error) {
		switch r.next() {
		case '"':
			var line []byte
			if line, _, err = r.str(); err != nil {
				return err
			}
			if bytes.HasPrefix(line, []byte("#version")) {
				return nil
			}
			var ok bool
			if left, right, ok = bytes.Cut(line, []byte(" ")); !ok || bytes.IndexByte(right, ' ') >= 0 {
				return fmt.Errorf("[%d]: got %.60q, want two tokens with a space between", i, line)
			}
		default:
			n := 0
			err = r.array(func(k int) (err error) {
				n++
				left = right
				right, _, err = r.str()
				return err
			})
			if err == nil && n != 2 {
				err = fmt.Errorf("got %d texts, want 2", n)
			}
			if err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
		if rank >= maxMerges {
			return fmt.Errorf("%w: want at most %d", ErrLimit, maxMerges)
		}
		if buf, err = m.join(left, right, rank, buf); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
		rank++
		return nil
	})
}
