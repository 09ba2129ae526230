package gguf

import (
	"fmt"
	"math/bits"

	"github.com/posttrain/posttrain/tensor/internal/mapped"
)

// Limits on what a file may claim. They hold the memory of parsing far below
// the size of the file plus 64 MiB.
const (
	maxKeys     = 1 << 16
	maxTensors  = 1 << 17
	leastInfo   = 24      // bytes of the shortest tensor description
	maxKeyBytes = 65535   // the specification's limit
	maxName     = 64      // the specification's limit
	maxRank     = 4       // ggml's limit
	maxDepth    = 4       // arrays inside arrays
	maxWalk     = 1 << 24 // strings and inner arrays of one file: what must be walked one by one
)

// entry is one metadata pair: where its value lies in the file.
type entry struct {
	key  string
	kind Kind
	elem Kind   // of an array
	n    uint64 // elements of an array
	off  int64  // first byte of the value, behind an array's element kind and count
	end  int64
}

// part is one parsed file of a model.
type part struct {
	file    *mapped.File
	version uint32
	entries []entry
	byKey   map[string]int
	tensors []Tensor
}

// parsePart reads everything but tensor data. Call it inside Guard.
func parsePart(file *mapped.File) (*part, error) {
	p := &part{file: file, byKey: map[string]int{}}
	c := &cursor{file: file}
	nTensors, nKeys, err := p.header(c)
	if err != nil {
		return nil, err
	}
	for i := range nKeys {
		if err := p.pair(c); err != nil {
			return nil, fmt.Errorf("metadata pair %d of %d: %w", i+1, nKeys, err)
		}
	}
	align, err := p.alignment()
	if err != nil {
		return nil, err
	}
	p.tensors = make([]Tensor, nTensors)
	for i := range p.tensors {
		if err := p.tensors[i].describe(c, align); err != nil {
			return nil, fmt.Errorf("tensor %d of %d: %w", i+1, nTensors, err)
		}
	}
	return p, p.place(c.pos, align)
}

func (p *part) header(c *cursor) (nTensors, nKeys uint64, err error) {
	magic, err := c.take(4)
	if err != nil {
		return 0, 0, fmt.Errorf("magic: %w", err)
	}
	if string(magic) != "GGUF" {
		return 0, 0, fmt.Errorf("magic: got %q, want \"GGUF\"%s", magic, guess(string(magic)))
	}
	if p.version, err = c.uint32(); err != nil {
		return 0, 0, fmt.Errorf("version: %w", err)
	}
	if v := bits.ReverseBytes32(p.version); v >= 1 && v <= 3 {
		return 0, 0, fmt.Errorf("version: got big-endian version %d, want little-endian 2 or 3; convert the model for a little-endian machine", v)
	}
	if p.version != 2 && p.version != 3 {
		return 0, 0, fmt.Errorf("version: got %d, want 2 or 3", p.version)
	}
	if nTensors, err = c.uint64(); err != nil {
		return 0, 0, fmt.Errorf("tensor count: %w", err)
	}
	if nKeys, err = c.uint64(); err != nil {
		return 0, 0, fmt.Errorf("metadata count: %w", err)
	}
	if most := min(maxTensors, c.left()/leastInfo); nTensors > most {
		return 0, 0, fmt.Errorf("tensor count: got %d, want at most %d", nTensors, most)
	}
	if nKeys > maxKeys {
		return 0, 0, fmt.Errorf("metadata count: got %d, want at most %d", nKeys, maxKeys)
	}
	return nTensors, nKeys, nil
}

// guess names what a file with a wrong magic probably is.
func guess(magic string) string {
	switch magic {
	case "ggml", "ggmf", "ggjt", "GGML":
		return " (a format older than GGUF; convert the model again)"
	case "vers":
		return " (perhaps a Git LFS pointer: fetch the file itself)"
	case "PK\x03\x04":
		return " (a zip archive, perhaps a PyTorch pickle, which is not supported)"
	}
	return ""
}

// pair reads one key and checks its value without keeping it.
func (p *part) pair(c *cursor) error {
	key, err := c.text("key", maxKeyBytes)
	if err != nil {
		return err
	}
	if _, ok := p.byKey[key]; ok {
		return fmt.Errorf("key %q: got it twice", key)
	}
	e := entry{key: key}
	k, err := c.uint32()
	if err != nil {
		return fmt.Errorf("key %q: %w", key, err)
	}
	e.kind, e.off = Kind(k), c.pos
	if err := e.kind.check(); err != nil {
		return fmt.Errorf("key %q: %w", key, err)
	}
	if e.kind == KindArray {
		if e.elem, e.n, err = arrayHead(c); err == nil {
			e.off = c.pos
			err = skipElements(c, e.elem, e.n, 1)
		}
	} else {
		err = skipElements(c, e.kind, 1, 0)
	}
	if err != nil {
		return fmt.Errorf("key %q: %w", key, err)
	}
	e.end = c.pos
	p.byKey[key] = len(p.entries)
	p.entries = append(p.entries, e)
	return nil
}

// arrayHead reads an array's element kind and count and checks that so many
// elements can follow.
func arrayHead(c *cursor) (Kind, uint64, error) {
	k, err := c.uint32()
	if err != nil {
		return 0, 0, fmt.Errorf("array: %w", err)
	}
	elem := Kind(k)
	if err := elem.check(); err != nil {
		return 0, 0, fmt.Errorf("array: %w", err)
	}
	n, err := c.uint64()
	if err != nil {
		return 0, 0, fmt.Errorf("array: %w", err)
	}
	least := kinds[elem].size
	switch elem {
	case KindString:
		least = 8
	case KindArray:
		least = 12
	}
	if n > c.left()/least {
		return 0, 0, fmt.Errorf("array: got %d elements of %s, want at most the %d that fit the rest of the file", n, elem, c.left()/least)
	}
	return elem, n, nil
}

// skipElements walks over n values of one kind, depth arrays deep.
func skipElements(c *cursor, k Kind, n uint64, depth int) error {
	if size := kinds[k].size; size > 0 {
		return c.skip(n * size) // n is at most left/size, or 1
	}
	if c.walked += n; c.walked > maxWalk {
		return fmt.Errorf("got more than %d strings and inner arrays", maxWalk)
	}
	for i := range n {
		if k == KindString {
			size, err := c.uint64()
			if err == nil {
				err = c.skip(size)
			}
			if err != nil {
				return fmt.Errorf("string %d of %d: %w", i+1, n, err)
			}
			continue
		}
		if depth >= maxDepth {
			return fmt.Errorf("got arrays more than %d deep", maxDepth)
		}
		elem, m, err := arrayHead(c)
		if err == nil {
			err = skipElements(c, elem, m, depth+1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

const alignmentKey = "general.alignment"

func (p *part) alignment() (uint64, error) {
	i, ok := p.byKey[alignmentKey]
	if !ok {
		return 32, nil
	}
	e := p.entries[i]
	if e.kind != KindUint32 {
		return 0, fmt.Errorf("key %q: got %s, want uint32", e.key, e.kind)
	}
	a, err := (&cursor{file: p.file, pos: e.off, start: e.off}).uint32()
	if err != nil {
		return 0, err
	}
	if bits.OnesCount32(a) != 1 {
		return 0, fmt.Errorf("key %q: got %d, want a power of two", e.key, a)
	}
	return uint64(a), nil
}
