package tokenizer

import "unicode/utf8"

// byteRune is GPT-2's printable stand-in for a byte (Radford et al., 2019,
// encoder.py): printable Latin-1 characters stand for themselves, the other 68
// bytes for U+0100 and up, in order.
func byteRune(b byte) rune {
	switch {
	case b <= ' ':
		return 0x100 + rune(b)
	case b >= 0x7F && b <= 0xA0:
		return 0x121 + rune(b-0x7F)
	case b == 0xAD:
		return 0x143
	}
	return rune(b)
}

// runeByte is the inverse of byteRune; ok is false for a character that stands
// for no byte.
func runeByte(r rune) (b byte, ok bool) {
	switch {
	case r > 0x143:
		return 0, false
	case r == 0x143:
		return 0xAD, true
	case r >= 0x121:
		return byte(r - 0x121 + 0x7F), true
	case r >= 0x100:
		return byte(r - 0x100), true
	case r <= ' ' || r >= 0x7F && r <= 0xA0 || r == 0xAD:
		return 0, false
	}
	return byte(r), true
}

// appendMapped appends the stand-ins of the bytes of s.
func appendMapped(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		dst = utf8.AppendRune(dst, byteRune(s[i]))
	}
	return dst
}

// appendUnmapped appends the bytes that the characters of token stand for. A
// token with a character that stands for no byte is appended as it is.
func appendUnmapped(dst []byte, token string) []byte {
	start := len(dst)
	for _, r := range token {
		b, ok := runeByte(r)
		if !ok {
			return append(dst[:start], token...)
		}
		dst = append(dst, b)
	}
	return dst
}
