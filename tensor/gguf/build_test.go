package gguf_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// file builds a GGUF file by hand.
type file struct {
	keys, tensors uint64
	meta, infos   []byte
	data          []byte
}

var le = binary.LittleEndian

func text(b []byte, s string) []byte {
	return append(le.AppendUint64(b, uint64(len(s))), s...)
}

// key adds a pair; value is already encoded.
func (f *file) key(name string, kind uint32, value []byte) *file {
	f.keys++
	f.meta = append(le.AppendUint32(text(f.meta, name), kind), value...)
	return f
}

func u32(v uint32) []byte { return le.AppendUint32(nil, v) }
func u64(v uint64) []byte { return le.AppendUint64(nil, v) }

// array encodes the head of an array and its elements.
func array(elem uint32, n uint64, elements []byte) []byte {
	return append(le.AppendUint64(u32(elem), n), elements...)
}

// tensor adds a tensor at the next multiple of 32; dims are in file order.
func (f *file) tensor(name string, typ uint32, data []byte, dims ...uint64) *file {
	f.tensors++
	f.infos = le.AppendUint32(text(f.infos, name), uint32(len(dims)))
	for _, d := range dims {
		f.infos = le.AppendUint64(f.infos, d)
	}
	f.infos = le.AppendUint64(le.AppendUint32(f.infos, typ), uint64(len(f.data)))
	f.data = append(f.data, data...)
	for len(f.data)%32 != 0 {
		f.data = append(f.data, 0)
	}
	return f
}

func (f *file) bytes() []byte {
	b := append([]byte("GGUF"), u32(3)...)
	b = append(le.AppendUint64(le.AppendUint64(b, f.tensors), f.keys), f.meta...)
	b = append(b, f.infos...)
	for len(b)%32 != 0 {
		b = append(b, 0)
	}
	return append(b, f.data...)
}

func (f *file) write(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, f.bytes(), 0o600))
	return path
}
