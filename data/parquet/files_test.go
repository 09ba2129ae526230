package parquet_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"github.com/stretchr/testify/require"
)

// edit decodes a file's description, lets change edit it and writes it anew.
func edit(t testing.TB, raw []byte, change func(*format.FileMetaData)) []byte {
	t.Helper()
	size := int(binary.LittleEndian.Uint32(raw[len(raw)-8:]))
	var m format.FileMetaData
	var p thrift.CompactProtocol
	require.NoError(t, thrift.Unmarshal(&p, raw[len(raw)-8-size:len(raw)-8], &m))
	change(&m)
	foot, err := thrift.Marshal(&p, &m)
	require.NoError(t, err)
	out := append(bytes.Clone(raw[:len(raw)-8-size]), foot...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(foot)))
	return append(out, "PAR1"...)
}

// withoutIndex takes the offset index away, as most writers leave it out.
func withoutIndex(t testing.TB, raw []byte) []byte {
	return edit(t, raw, func(m *format.FileMetaData) {
		for g := range m.RowGroups {
			for c := range m.RowGroups[g].Columns {
				m.RowGroups[g].Columns[c].OffsetIndexOffset = 0
				m.RowGroups[g].Columns[c].OffsetIndexLength = 0
			}
		}
	})
}

// page is a page of a file made by hand.
type page struct {
	kind     format.PageType
	values   int32
	encoding format.Encoding
	plain    int32 // what the header says; 0: what the body has
	body     []byte
}

// bytes is the page with its header.
func (p page) bytes(t testing.TB) []byte {
	if p.plain == 0 {
		p.plain = int32(len(p.body))
	}
	h := format.PageHeader{Type: p.kind, UncompressedPageSize: p.plain, CompressedPageSize: int32(len(p.body))}
	switch p.kind {
	case format.DataPage:
		h.DataPageHeader = thrift.New(format.DataPageHeader{NumValues: p.values, Encoding: p.encoding, DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE})
	case format.DictionaryPage:
		h.DictionaryPageHeader = thrift.New(format.DictionaryPageHeader{NumValues: p.values, Encoding: p.encoding})
	}
	var proto thrift.CompactProtocol
	raw, err := thrift.Marshal(&proto, &h)
	require.NoError(t, err)
	return append(raw, p.body...)
}

// handmade is a file with the schema of rows R and one row group in which every
// column has the same pages.
func handmade[R any](t testing.TB, rows int64, codec format.CompressionCodec, pages ...page) []byte {
	body := []byte("PAR1")
	for _, p := range pages {
		body = append(body, p.bytes(t)...)
	}
	whole := write(t, make([]R, 1), 1)
	size := int(binary.LittleEndian.Uint32(whole[len(whole)-8:]))
	return edit(t, append(body, whole[len(whole)-8-size:]...), func(m *format.FileMetaData) {
		m.RowGroups[0].NumRows = rows
		for c := range m.RowGroups[0].Columns {
			meta := &m.RowGroups[0].Columns[c].MetaData
			meta.Codec, meta.TotalCompressedSize, meta.DataPageOffset, meta.DictionaryPageOffset = codec, int64(len(body)-4), 4, 0
		}
	})
}
