package overlap

import (
	"math/bits"
	"unicode"
	"unicode/utf8"
)

// spaceless are the scripts whose words no space divides.
var spaceless = []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar}

// FNV-1a, 64 bits.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// appendWords appends a hash of each word of the text.
func appendWords(dst []uint64, text string) []uint64 {
	hash, inWord := uint64(fnvOffset), false
	end := func() {
		if inWord {
			dst = append(dst, hash)
		}
		hash, inWord = fnvOffset, false
	}
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf && (r >= 'a' && r <= 'z' || r >= '0' && r <= '9'):
		case r < utf8.RuneSelf && r >= 'A' && r <= 'Z':
			r += 'a' - 'A'
		case r < utf8.RuneSelf:
			end()
			continue
		case unicode.In(r, spaceless...):
			end()
			hash, inWord = step(hash, r), true
			end()
			continue
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			r = unicode.ToLower(r)
		default:
			end()
			continue
		}
		hash, inWord = step(hash, r), true
	}
	end()
	return dst
}

func step(hash uint64, r rune) uint64 {
	for range 3 { // a rune has at most 21 bits
		hash = (hash ^ uint64(r&0xff)) * fnvPrime
		r >>= 8
	}
	return hash
}

// runsOf calls visit with a hash of each run of n words, in order.
func runsOf(words []uint64, n int, visit func(hash uint64)) {
	const base = 0x9e3779b97f4a7c15 // odd: a polynomial of the words modulo 2⁶⁴
	top := uint64(1)
	for range n {
		top *= base
	}
	hash := uint64(0)
	for i, w := range words {
		hash = hash*base + w
		if i >= n {
			hash -= words[i-n] * top
		}
		if i >= n-1 {
			visit(mix(hash, uint64(n)))
		}
	}
}

// mix hashes two numbers into one (the multiply-fold of wyhash).
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9e3779b97f4a7c15, b^0xd1b54a32d192ed03)
	hi, lo = bits.Mul64(hi^lo^0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9)
	return hi ^ lo
}
