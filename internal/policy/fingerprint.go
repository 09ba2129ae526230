package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Fingerprint is the SHA-256 of items in hex; add appends what tells one from
// others.
func Fingerprint[T any](items []T, add func(buf []byte, item T) []byte) string {
	sum := sha256.New()
	var buf []byte
	for _, item := range items {
		buf = add(buf[:0], item)
		sum.Write(buf)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// AppendIDs appends lists of token ids, each behind its length.
func AppendIDs(buf []byte, lists ...[]int32) []byte {
	for _, ids := range lists {
		buf = binary.LittleEndian.AppendUint64(buf, uint64(len(ids)))
		for _, id := range ids {
			buf = binary.LittleEndian.AppendUint32(buf, uint32(id))
		}
	}
	return buf
}
