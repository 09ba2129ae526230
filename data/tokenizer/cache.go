package tokenizer

import (
	"encoding/binary"
	"math/bits"
)

// What a word cache takes: longer words go to the model every time.
const (
	cacheMaxWord = 32 // bytes
	cacheMaxIDs  = 7
	cacheMinSize = 1 << 8  // slots at first
	cacheMaxSize = 1 << 15 // slots at last: 2 MiB
)

// cache remembers the ids of words. It belongs to one worker, so it needs no
// locks, and it stores ids in place, so it allocates only to grow, up to
// cacheMaxSize. Each word may stand in two neighbouring slots; the word that was
// used last stands in the first of them.
type cache struct {
	slots []cached
	used  int
}

// cached is one word; it fills a cache line.
type cached struct {
	key     [4]uint64
	ids     [cacheMaxIDs]int32
	size, n uint8 // bytes of the word, 0 for an empty slot; ids
}

// pack puts a word of at most cacheMaxWord bytes into four numbers that, with its
// length, stand for no other word. It reads no byte outside the word.
func pack(word string) (k [4]uint64) {
	b, n := view(word), len(word)
	switch {
	case n > 16:
		k[0] = binary.LittleEndian.Uint64(b)
		k[1] = binary.LittleEndian.Uint64(b[8:])
		k[2] = binary.LittleEndian.Uint64(b[n-16:])
		k[3] = binary.LittleEndian.Uint64(b[n-8:])
	case n >= 8:
		k[0] = binary.LittleEndian.Uint64(b)
		k[1] = binary.LittleEndian.Uint64(b[n-8:])
	case n >= 4:
		k[0] = uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[n-4:]))<<32
	case n > 0:
		k[0] = uint64(b[0]) | uint64(b[n/2])<<8 | uint64(b[n-1])<<16
	}
	return k
}

// hash mixes a packed word (the multiply-and-fold step of wyhash, Wang Yi, 2019).
func hash(k *[4]uint64, size int) uint64 {
	hi, lo := bits.Mul64(k[0]^0xa0761d6478bd642f, k[1]^0xe7037ed1a0b428db^uint64(size))
	h := hi ^ lo
	if size > 16 {
		hi, lo = bits.Mul64(k[2]^h, k[3]^0x8ebc6af09c88c6e3)
		h = hi ^ lo
	}
	return h ^ h>>32
}

// get returns the slot of a word, or nil.
func (c *cache) get(k *[4]uint64, size int) *cached {
	if len(c.slots) == 0 {
		return nil
	}
	i := hash(k, size) & uint64(len(c.slots)-1)
	s := &c.slots[i]
	if s.key == *k && int(s.size) == size {
		return s
	}
	s = &c.slots[i^1]
	if s.key == *k && int(s.size) == size {
		return s
	}
	return nil
}

// put remembers the ids of a word; the word that was longest unused gives way.
func (c *cache) put(k *[4]uint64, size int, ids []int32) {
	if size == 0 || len(ids) > cacheMaxIDs {
		return
	}
	if c.used >= len(c.slots)/2 && len(c.slots) < cacheMaxSize {
		c.grow()
	}
	i := hash(k, size) & uint64(len(c.slots)-1)
	first, second := &c.slots[i], &c.slots[i^1]
	switch {
	case first.size == 0:
		c.used++
	case second.size == 0:
		c.used++
		fallthrough
	default:
		*second = *first
	}
	first.key, first.size, first.n = *k, uint8(size), uint8(len(ids))
	copy(first.ids[:], ids)
}

// grow doubles the slots twice: a start that is too small costs little.
func (c *cache) grow() {
	old := c.slots
	c.slots = make([]cached, max(cacheMinSize, 4*len(old)))
	c.used = 0
	for i := range old {
		if s := &old[i]; s.size > 0 {
			c.put(&s.key, int(s.size), s.ids[:s.n])
		}
	}
}
