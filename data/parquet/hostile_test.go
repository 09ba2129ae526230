package parquet_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data/parquet"
)

// What a hostile file of a few bytes may cost. The time is far above what is
// needed, for machines under load.
const (
	hostileMemory = 64 << 20
	hostileTime   = 5 * time.Second
)

type text struct {
	Text string `parquet:"text"`
}

type label struct {
	Label *bool `parquet:"label,optional"`
}

type whole struct {
	N int64 `parquet:"n"`
}

type list struct {
	Ids []int32 `parquet:"ids"`
}

// cost runs f and holds what it allocates and how long it takes to the bounds.
func cost(t *testing.T, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	f()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(hostileMemory))
	assert.Less(t, took, hostileTime)
}

func zipped(t testing.TB, raw []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(raw)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

// Pages that promise more than they hold are refused, by column and row, before
// anything of the promised size is allocated.
func TestHostilePagesAreRefused(t *testing.T) {
	zeros := make([]byte, 1<<20)
	zstd, err := pq.Zstd.Encode(nil, zeros)
	require.NoError(t, err)
	snappy, err := pq.Snappy.Encode(nil, zeros)
	require.NoError(t, err)
	lz4, err := pq.Lz4Raw.Encode(nil, zeros)
	require.NoError(t, err)
	data := func(encoding format.Encoding, body ...byte) page {
		return page{kind: format.DataPage, values: 1000, encoding: encoding, body: body}
	}
	packed := func(plain int32, body []byte) page {
		return page{kind: format.DataPage, values: 1000, plain: plain, body: body}
	}
	dict := page{kind: format.DictionaryPage, values: 1, body: []byte{1, 0, 0, 0, 'x'}}
	for name, c := range map[string]struct {
		raw  []byte
		want string
	}{
		"zstd larger than it says":   {handmade[text](t, 9, format.Zstd, packed(100, zstd)), "decompressing to 100 bytes with zstd"},
		"zstd smaller than it says":  {handmade[text](t, 9, format.Zstd, packed(1<<21, zstd)), "got 1048576 bytes"},
		"snappy larger":              {handmade[text](t, 9, format.Snappy, packed(100, snappy)), "decompressing to 100 bytes with snappy: got 1048576 bytes"},
		"gzip larger":                {handmade[text](t, 9, format.Gzip, packed(100, zipped(t, zeros))), "decompressing to 100 bytes with gzip: got 101 bytes"},
		"gzip smaller":               {handmade[text](t, 9, format.Gzip, packed(1<<21, zipped(t, zeros))), "with gzip: unexpected EOF"},
		"lz4 larger":                 {handmade[text](t, 9, format.Lz4Raw, packed(100, lz4)), "decompressing to 100 bytes with LZ4_RAW"},
		"lz4 smaller":                {handmade[text](t, 9, format.Lz4Raw, packed(1<<21, lz4)), "got 1048576 bytes"},
		"lz4 that copies nothing":    {handmade[text](t, 9, format.Lz4Raw, packed(100, []byte{0x0f, 9, 0})), "broken block"},
		"stored larger":              {handmade[text](t, 9, format.Uncompressed, packed(100, []byte{1})), "got a page of 1 bytes that says it has 100"},
		"page of 2 GB":               {handmade[text](t, 9, format.Zstd, packed(math.MaxInt32, zstd)), "MaxPageBytes"},
		"2^31 values":                {handmade[text](t, 9, format.Uncompressed, page{kind: format.DataPage, values: math.MaxInt32, body: []byte{1}}), "MaxPageBytes"},
		"text of 4 GB":               {handmade[text](t, 9, format.Uncompressed, data(format.Plain, 0xff, 0xff, 0xff, 0xff, 'x')), "got a length of 4294967295, want at most the 1 bytes left"},
		"dictionary of 2^30":         {handmade[text](t, 9, format.Uncompressed, page{kind: format.DictionaryPage, values: 1 << 25, body: []byte{1, 0, 0, 0, 'x'}}), "got a dictionary of 33554432 values of BYTE_ARRAY in 5 bytes"},
		"no dictionary":              {handmade[text](t, 9, format.Uncompressed, data(format.RLEDictionary, 1, 2, 0)), "a column that has none"},
		"index behind dictionary":    {handmade[text](t, 9, format.Uncompressed, dict, data(format.RLEDictionary, 8, 2, 7)), "got value 7 of a dictionary of 1"},
		"indices of 33 bits":         {handmade[text](t, 9, format.Uncompressed, dict, data(format.RLEDictionary, 33, 2, 7)), "33 bits"},
		"two dictionaries":           {handmade[text](t, 9, format.Uncompressed, dict, dict), "second dictionary"},
		"runs that end":              {handmade[text](t, 2000, format.Uncompressed, dict, data(format.RLEDictionary, 1, 4, 0)), "got the end of the page in its values"},
		"empty runs":                 {handmade[text](t, 9, format.Uncompressed, dict, data(format.RLEDictionary, append([]byte{1}, make([]byte, 64)...)...)), "got the end of the page"},
		"blocks of 2^60 differences": {handmade[whole](t, 9, format.Uncompressed, data(format.DeltaBinaryPacked, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10, 1, 1, 0)), "differences"},
		"miniblocks of none":         {handmade[whole](t, 9, format.Uncompressed, data(format.DeltaBinaryPacked, 8, 0, 1, 0)), "differences"},
		"differences of 65 bits":     {handmade[whole](t, 9, format.Uncompressed, data(format.DeltaBinaryPacked, 8, 1, 9, 0, 0, 65)), "65 bits"},
		"fewer differences":          {handmade[whole](t, 2000, format.Uncompressed, data(format.DeltaBinaryPacked, 8, 1, 1, 4)), "got the end of the page"},
		"negative length":            {handmade[text](t, 9, format.Uncompressed, data(format.DeltaLengthByteArray, 8, 1, 1, 1)), "got a length of -1"},
		"length behind the page":     {handmade[text](t, 9, format.Uncompressed, data(format.DeltaLengthByteArray, 8, 1, 1, 200, 1)), "got a length of 100"},
		"shared before the first":    {handmade[text](t, 9, format.Uncompressed, data(format.DeltaByteArray, 8, 1, 1, 4, 8, 1, 1, 0)), "got a length of 2, want at most 0"},
		"encoding of another type":   {handmade[text](t, 9, format.Uncompressed, data(format.DeltaBinaryPacked, 8, 1, 1, 4)), "got encoding 5 of BYTE_ARRAY"},
		"unknown encoding":           {handmade[whole](t, 9, format.Uncompressed, data(77, 1)), "got encoding 77 of INT64"},
		"levels behind the page":     {handmade[label](t, 9, format.Uncompressed, data(format.Plain, 9, 0, 0, 0, 1)), "definition levels: got a length of 9"},
		"levels that end":            {handmade[label](t, 2000, format.Uncompressed, data(format.Plain, 2, 0, 0, 0, 4, 0)), "got the end of the page"},
		"fewer rows":                 {handmade[label](t, 2000, format.Uncompressed, data(format.Plain, 3, 0, 0, 0, 0xd0, 0x0f, 0)), "got the end of a column, want 2000 rows"},
		"list without a row":         {handmade[list](t, 9, format.Uncompressed, data(format.Plain, 2, 0, 0, 0, 4, 1, 2, 0, 0, 0, 4, 1)), "levels that fit no row"},
	} {
		t.Run(name, func(t *testing.T) {
			cost(t, func() {
				tab, err := table(t, c.raw, parquet.Format{})
				require.NoError(t, err)
				_, _, err = all(tab)
				require.ErrorContains(t, err, c.want)
				require.True(t, strings.HasPrefix(err.Error(), "data: f.parquet:"), "%v", err)
			})
		})
	}
}

// A page of few bytes may stand for millions of rows: they are read one at a time.
func TestRunsOfMillionsTakeNoMemory(t *testing.T) {
	const rows = 1 << 25
	nulls := page{kind: format.DataPage, values: rows, body: []byte{5, 0, 0, 0, 0x80, 0x80, 0x80, 0x20, 0}} // a run of 2^25 times level 0
	raw := handmade[label](t, rows, format.Uncompressed, nulls)
	tab, err := table(t, raw, parquet.Format{})
	require.NoError(t, err)
	cost(t, func() {
		block, err := tab.Block(0)
		require.NoError(t, err)
		for range 1000 {
			row, _, err := block.Next()
			require.NoError(t, err)
			require.Equal(t, `{"label":null}`, string(row))
		}
	})
	cost(t, func() {
		tab, err = table(t, handmade[list](t, 1, format.Uncompressed,
			page{kind: format.DictionaryPage, values: 1, body: []byte{7, 0, 0, 0}},
			page{kind: format.DataPage, values: rows, encoding: format.RLEDictionary, body: []byte{
				7, 0, 0, 0, 2, 0, 0x80, 0x80, 0x80, 0x20, 1, // a first item and 2^25 more
				5, 0, 0, 0, 0x80, 0x80, 0x80, 0x20, 1, 0}}), parquet.Format{})
		require.NoError(t, err)
		_, _, err = all(tab)
		require.ErrorContains(t, err, "got a row of more than 8388608 bytes")
	})
}

// Pages of many columns that are fine one by one may not take all memory together.
func TestColumnsShareABudget(t *testing.T) {
	type wide struct {
		A string `parquet:"a"`
		B string `parquet:"b"`
		C string `parquet:"c"`
	}
	plain := append([]byte{0, 0, 0x0f, 0}, bytes.Repeat([]byte("x"), 1<<20-4)...) // one text and more bytes behind it
	zstd, err := pq.Zstd.Encode(nil, plain)
	require.NoError(t, err)
	raw := handmade[wide](t, 1, format.Zstd, page{kind: format.DataPage, values: 1, plain: 1 << 20, body: zstd})
	for limit, want := range map[int64]string{2 << 20: "Format.MaxBytes", 8 << 20: ""} {
		tab, err := table(t, raw, parquet.Format{MaxBytes: limit})
		require.NoError(t, err)
		_, _, err = all(tab)
		if want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
		}
	}
}

// A byte that was changed on the way is noticed where pages have a checksum.
func TestChecksums(t *testing.T) {
	rows, _ := samples(10)
	raw := write(t, rows, 100, pq.Compression(&pq.Uncompressed))
	at := bytes.Index(raw, []byte("line 3"))
	require.Positive(t, at)
	raw[at] = 'x'
	tab, err := table(t, raw, parquet.Format{})
	require.NoError(t, err)
	_, _, err = all(tab)
	require.ErrorContains(t, err, "got checksum")
}

// A file of 50 GB with nothing in it but its ends is refused at once.
func TestSparseHostileFiles(t *testing.T) {
	const size = 50 << 30
	rows, _ := samples(3)
	valid := write(t, rows, 100)
	for name, c := range map[string]struct {
		tail []byte
		open bool // the description is fine, so that only its pages are refused
	}{
		"footer of 4 GB":  {tail: []byte("\xff\xff\xff\xffPAR1")},
		"footer of 30 MB": {tail: []byte("\x00\x00\xe0\x01PAR1")},
		"list of 2 GB":    {tail: []byte("\x29\xfc\xff\xff\xff\xff\x07\x00\x08\x00\x00\x00PAR1")},
		"zeros":           {tail: make([]byte, 8)},
		"column of 50 GB": {tail: tailOf(t, edit(t, valid, func(m *format.FileMetaData) {
			for c := range m.RowGroups[0].Columns {
				meta := &m.RowGroups[0].Columns[c].MetaData
				meta.DataPageOffset, meta.DictionaryPageOffset, meta.TotalCompressedSize = 4, 0, size-1<<20
			}
		})), open: true},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f.parquet")
			require.NoError(t, os.WriteFile(path, []byte("PAR1"), 0o600))
			if err := os.Truncate(path, size-int64(len(c.tail))); err != nil {
				t.Skip("no sparse files here: ", err)
			}
			file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = file.Write(c.tail)
			require.NoError(t, errors.Join(err, file.Close()))
			cost(t, func() {
				tab, err := openFile(t, path, parquet.Format{})
				if c.open {
					require.NoError(t, err)
					_, _, err = all(tab)
				}
				require.Error(t, err)
				require.False(t, errors.Is(err, io.EOF))
			})
		})
	}
}

// tailOf is a file's description with its frame.
func tailOf(t testing.TB, raw []byte) []byte {
	at := bytes.LastIndex(raw[:len(raw)-8], []byte("PAR1"))
	require.Equal(t, -1, bytes.Index(raw[at+1:len(raw)-8], []byte("PAR1")))
	size := int(raw[len(raw)-8]) | int(raw[len(raw)-7])<<8
	return raw[len(raw)-8-size:]
}
