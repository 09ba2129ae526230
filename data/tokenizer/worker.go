package tokenizer

import "sync"

// worker is what one encoding or decoding needs beside the tokenizer: buffers
// that are used again, and the word cache. A worker is used by one goroutine at
// a time.
type worker struct {
	cache cache
	out   output
	track bool // keep the origin of each byte

	normal, pre rewriter // buffers of the normalisers and pre-tokenizers

	cuts    [2][]span // words before and after a pre-tokenizer
	matches []match
	runes   []rune

	// model
	ids, lens []int32
	pairs     []uint64
	links     []int32
	heap      []candidate
	key       []byte
	steps     []step

	// normalisation
	dest  []change
	marks []mark
}

// output collects tokens and, when offsets are asked for, their ranges.
type output struct {
	ids     []int32
	offsets [][2]int
	want    bool // offsets are asked for
	special bool // special tokens are asked for
	first   int  // len(ids) before the first token of the text
}

// maxIdle bounds the workers that are kept when nobody uses them.
const maxIdle = 16

// pool hands out workers. Unlike sync.Pool it keeps them, and so their caches,
// across garbage collections.
type pool struct {
	mu   sync.Mutex
	idle []*worker
}

func (p *pool) take() *worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		return &worker{}
	}
	w := p.idle[n-1]
	p.idle = p.idle[:n-1]
	return w
}

// maxKept bounds the bytes or elements of a buffer that an idle worker keeps.
const maxKept = 1 << 20

func (p *pool) give(w *worker) {
	w.out = output{}
	w.trim()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) < maxIdle {
		p.idle = append(p.idle, w)
	}
}

// trim drops buffers that one long text has made large.
func (w *worker) trim() {
	largest := max(cap(w.cuts[0]), cap(w.cuts[1]), cap(w.matches), cap(w.runes), cap(w.links), cap(w.heap), cap(w.dest), cap(w.steps),
		w.normal.size(), w.pre.size())
	if largest > maxKept {
		*w = worker{cache: w.cache}
	}
}
