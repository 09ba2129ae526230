package tokenizer

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
)

// counter counts words in bounded memory.
type counter struct {
	words    map[string]*int64 // pointers: to set a value would set the key too, which must not be kept
	bytes    int               // of all words
	maxWords int
}

func newCounter(maxWords int) *counter {
	return &counter{words: map[string]*int64{}, maxWords: maxWords}
}

// wordBytes is how many bytes the words may have on average when there are as
// many as allowed.
const wordBytes = 64

// countWords splits all texts and counts the words.
func (o *TrainOptions) countWords(ctx context.Context, t *Tokenizer, texts iter.Seq2[string, error]) (map[string]*int64, error) {
	c := newCounter(o.MaxWords)
	w := &worker{}
	for text, err := range texts {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		t.eachWord(w, strings.ToValidUTF8(text, "\uFFFD"), c.add)
	}
	if err := t.Err(); err != nil {
		return nil, err
	}
	return c.words, ctx.Err()
}

// eachWord calls fn with the words of a text, as plain bytes. Added tokens are not
// cut out. The word is valid during the call.
func (t *Tokenizer) eachWord(w *worker, text string, fn func(word string)) {
	p := piece{text: text}
	if t.scan != nil {
		for i := 0; i < len(text); {
			end := t.scan(text, i)
			fn(text[i:end])
			i = end
		}
		return
	}
	cuts := []span{{0, len(text)}}
	for _, s := range t.steps {
		p, cuts = s.split(w, p, cuts, nil)
	}
	for _, c := range cuts {
		if c.start < c.end {
			fn(p.text[c.start:c.end])
		}
	}
}

func (c *counter) add(word string) {
	if n, ok := c.words[word]; ok {
		*n++
		return
	}
	c.words[strings.Clone(word)] = new(int64(1))
	c.bytes += len(word)
	if c.full(1) {
		c.forget()
	}
}

// full says whether more than the allowed part of words is there.
func (c *counter) full(part int) bool {
	return len(c.words) > c.maxWords/part || c.bytes > c.maxWords*wordBytes/part
}

// forget drops the words with the smallest counts until half of the room is free.
// Words of the same count go together, so the order of the map does not matter.
func (c *counter) forget() {
	for least := int64(1); c.full(2); {
		next := int64(-1)
		for word, n := range c.words {
			switch {
			case *n <= least:
				delete(c.words, word)
				c.bytes -= len(word)
			case next < 0 || *n < next:
				next = *n
			}
		}
		least = next
	}
}

// sorted lists the words in order.
func sorted(words map[string]*int64) []string { return slices.Sorted(maps.Keys(words)) }
