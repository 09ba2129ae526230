package data

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Fingerprint returns the SHA-256 of the examples' tokens and masks in hex.
// Equal fingerprints mean that a [Cursor] or cached log-probabilities of one
// dataset fit the other.
func (d *Dataset) Fingerprint() string {
	sum := sha256.New()
	var buf []byte
	for i := range d.Len() {
		e := d.Example(i)
		buf = binary.LittleEndian.AppendUint64(buf[:0], uint64(len(e.IDs)))
		for j, id := range e.IDs {
			target := byte(0)
			if e.Mask[j] {
				target = 1
			}
			buf = append(binary.LittleEndian.AppendUint32(buf, uint32(id)), target)
		}
		sum.Write(buf)
	}
	return hex.EncodeToString(sum.Sum(nil))
}
