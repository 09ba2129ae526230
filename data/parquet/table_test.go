package parquet_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/data/parquet"
)

type message struct {
	Role    string  `parquet:"role,dict" json:"role"`
	Content *string `parquet:"content,optional" json:"content"`
}

type row struct {
	Messages []message         `parquet:"messages,list" json:"messages"`
	Bare     []string          `parquet:"bare" json:"bare"`
	Args     map[string]string `parquet:"args" json:"args"`
	Score    float64           `parquet:"score" json:"score"`
	Small    float32           `parquet:"small" json:"small"`
	Count    uint64            `parquet:"count" json:"count"`
	Less     *int32            `parquet:"less,optional" json:"less"`
}

func sample(i int) row {
	text := fmt.Sprintf("line %d\n\"é日本🙂\" %s", i, strings.Repeat("x", i%50))
	less := int32(-i)
	r := row{Score: float64(i) / 3, Small: 0.5, Count: math.MaxUint64 - uint64(i), Bare: []string{}, Messages: []message{}, Args: map[string]string{}}
	for j := range i % 4 {
		r.Messages = append(r.Messages, message{Role: []string{"user", "assistant"}[j%2], Content: &text})
		r.Bare = append(r.Bare, fmt.Sprint(i, j))
	}
	if i%4 == 3 {
		r.Messages[2].Content, r.Less = nil, &less
		r.Args["k"] = "v"
	}
	return r
}

// write makes a file of n rows.
func write[R any](t testing.TB, rows []R, group int64, opts ...pq.WriterOption) []byte {
	t.Helper()
	var out bytes.Buffer
	w := pq.NewGenericWriter[R](&out, append([]pq.WriterOption{pq.MaxRowsPerRowGroup(group), pq.PageBufferSize(2000), pq.Compression(&pq.Zstd)}, opts...)...)
	_, err := w.Write(rows)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

func table(t testing.TB, raw []byte, f parquet.Format) (data.Table, error) {
	t.Helper()
	return f.Open(data.File{ReaderAt: bytes.NewReader(raw), Size: int64(len(raw)), Label: "f.parquet"}, limits)
}

func samples(n int) (rows []row, want []string) {
	for i := range n {
		rows = append(rows, sample(i))
		raw, _ := json.Marshal(rows[i])
		want = append(want, string(raw))
	}
	return rows, want
}

// Blocks in any order, and from any row on, hold the rows that reading in order
// gives.
func TestBlocksInAnyOrder(t *testing.T) {
	rows, want := samples(2500)
	raw := write(t, rows, 1000)
	tab, err := table(t, raw, parquet.Format{RowsPerBlock: 64})
	require.NoError(t, err)
	defer tab.Close()
	require.Equal(t, 16+16+8, tab.Blocks(), "blocks do not cross row groups")
	linear, places, err := all(tab)
	require.NoError(t, err)
	require.Len(t, linear, len(want))
	for i := range linear {
		require.JSONEq(t, want[i], linear[i])
		require.Equal(t, data.Place{File: "f.parquet", Line: i + 1}, places[i])
	}
	for _, i := range data.Permutation(nil, tab.Blocks(), 1, 0) {
		for _, skip := range []int{0, 5, 33, 63, 100} {
			block, err := tab.Block(int(i))
			require.NoError(t, err)
			_, _, err = block.Next()
			require.NoError(t, err)
			require.NoError(t, block.(data.Skipper).Skip(skip))
			got, at, err := drain(block)
			require.NoError(t, err)
			if len(got) > 0 {
				first := at[0].Line - 1
				require.Equal(t, linear[first:first+len(got)], got)
			}
		}
	}
	_, err = tab.Block(tab.Blocks())
	require.Error(t, err)
}

// Files without an offset index, as most are, are cut at row groups.
func TestRowGroupsAreBlocks(t *testing.T) {
	type labelled struct {
		Text  string `parquet:"text"`
		Label bool   `parquet:"label"`
	}
	var rows []labelled
	for i := range 500 {
		rows = append(rows, labelled{fmt.Sprint(i), i%3 == 0})
	}
	raw := write(t, rows, 200)
	tab, err := table(t, raw, parquet.Format{RowsPerBlock: 10})
	require.NoError(t, err)
	require.Equal(t, 20+20+10, tab.Blocks())
	tab, err = table(t, withoutIndex(t, raw), parquet.Format{RowsPerBlock: 10})
	require.NoError(t, err)
	require.Equal(t, 3, tab.Blocks())
	block, err := tab.Block(1)
	require.NoError(t, err)
	require.NoError(t, block.(data.Skipper).Skip(7))
	raw, at, err := block.Next()
	require.NoError(t, err)
	assert.JSONEq(t, `{"text":"207","label":true}`, string(raw))
	assert.Equal(t, 208, at.Line)
}

func TestValues(t *testing.T) {
	type values struct {
		Day     int32     `parquet:"day,date"`
		Stamp   time.Time `parquet:"stamp,timestamp(microsecond)"`
		Money   int64     `parquet:"money,decimal(2:10)"`
		NaN     float64   `parquet:"nan"`
		Inf     float32   `parquet:"inf"`
		Yes     bool      `parquet:"yes"`
		Nothing *string   `parquet:"nothing,optional"`
	}
	at := time.Date(2024, 2, 29, 1, 2, 3, 4000, time.UTC)
	raw := write(t, []values{{Day: -1, Stamp: at, Money: -5, NaN: math.NaN(), Inf: float32(math.Inf(1)), Yes: true}}, 10)
	tab, err := table(t, raw, parquet.Format{})
	require.NoError(t, err)
	rows, _, err := all(tab)
	require.NoError(t, err)
	require.Equal(t, []string{`{"day":"1969-12-31","stamp":"2024-02-29T01:02:03.000004Z","money":-0.05,"nan":null,"inf":null,"yes":true,"nothing":null}`}, rows)
}

func TestWhatIsNoTextIsRefused(t *testing.T) {
	type image struct {
		Bytes []byte `parquet:"bytes"`
	}
	type digest struct {
		ID [16]byte `parquet:"id,uuid"`
	}
	tab, err := table(t, write(t, []image{{[]byte("text")}, {[]byte{0xff, 0xd8}}}, 10), parquet.Format{})
	require.NoError(t, err)
	rows, _, err := all(tab)
	require.EqualError(t, err, `data: f.parquet:2: column "bytes": got 2 bytes that are no text, want UTF-8 (images and audio are not supported)`)
	require.Equal(t, []string{`{"bytes":"text"}`}, rows)
	tab, err = table(t, write(t, []digest{{}}, 10), parquet.Format{})
	require.NoError(t, err)
	_, _, err = all(tab)
	require.ErrorContains(t, err, `f.parquet:1: column "id": got FIXED_LEN_BYTE_ARRAY`)
}

func TestRowsOverTheLimitAreRefused(t *testing.T) {
	type wide struct {
		Text string `parquet:"text"`
		More string `parquet:"more"`
	}
	raw := write(t, []wide{{strings.Repeat("x", 100), ""}}, 10)
	tab, err := parquet.Format{}.Open(data.File{ReaderAt: bytes.NewReader(raw), Size: int64(len(raw)), Label: "f"}, data.ReadOptions{MaxRowBytes: 50, MaxColumns: 2})
	require.NoError(t, err)
	_, _, err = all(tab)
	require.ErrorContains(t, err, "MaxRowBytes")
	_, err = parquet.Format{}.Open(data.File{ReaderAt: bytes.NewReader(raw), Size: int64(len(raw)), Label: "f"}, data.ReadOptions{MaxRowBytes: 50, MaxColumns: 1})
	require.ErrorContains(t, err, "MaxColumns")
	tab, err = table(t, raw, parquet.Format{MaxPageBytes: 20})
	require.NoError(t, err)
	_, _, err = all(tab)
	require.ErrorContains(t, err, "MaxPageBytes")
	_, err = table(t, raw, parquet.Format{MaxFooterBytes: 20})
	require.ErrorContains(t, err, "MaxFooterBytes")
	require.Error(t, parquet.Format{RowsPerBlock: -1}.Validate())
}

// hollow is a file of nothing but zeros around its ends.
type hollow struct {
	head, tail []byte
	size       int64
}

func (h hollow) ReadAt(p []byte, at int64) (int, error) {
	for i := range p {
		p[i] = 0
		if k := at + int64(i); k < int64(len(h.head)) {
			p[i] = h.head[k]
		} else if k := k - (h.size - int64(len(h.tail))); k >= 0 && k < int64(len(h.tail)) {
			p[i] = h.tail[k]
		}
	}
	if at+int64(len(p)) > h.size {
		return 0, io.EOF
	}
	return len(p), nil
}

// A file of 50 GB that promises the moon is refused at once.
func TestHostileFootersAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		footer []byte
		size   uint32
	}{
		"footer of 4 GB":           {size: math.MaxUint32},
		"list of 2 GB":             {footer: []byte{0x29, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0x00}, size: 8},
		"text of 2 GB":             {footer: []byte{0x28, 0xff, 0xff, 0xff, 0xff, 0x07, 'x', 0}, size: 8},
		"many small structures":    {footer: append([]byte{0x29, 0xfc, 0x80, 0x10}, make([]byte, 2049)...), size: 2053},
		"nested without end":       {footer: bytes.Repeat([]byte{0x1c}, 5000), size: 5000},
		"number of more than 64":   {footer: append(append([]byte{0x15}, bytes.Repeat([]byte{0xff}, 11)...), 0), size: 13},
		"unknown type":             {footer: []byte{0x1e, 0}, size: 2},
		"bytes behind the footer":  {footer: []byte{0, 0, 0}, size: 3},
		"nothing in it":            {footer: []byte{0}, size: 1},
		"map of 2 GB":              {footer: []byte{0x1b, 0xff, 0xff, 0xff, 0xff, 0x07, 0x55, 0}, size: 8},
		"footer that is too short": {footer: []byte{0x15}, size: 1},
	} {
		t.Run(name, func(t *testing.T) {
			tail := append(bytes.Clone(c.footer), byte(c.size), byte(c.size>>8), byte(c.size>>16), byte(c.size>>24))
			h := hollow{head: []byte("PAR1"), tail: append(tail, "PAR1"...), size: 50 << 30}
			_, err := parquet.Format{}.Open(data.File{ReaderAt: h, Size: h.size, Label: "hollow"}, limits)
			require.ErrorContains(t, err, "data: hollow:1: ")
		})
	}
}

func TestOpenThroughData(t *testing.T) {
	type prompt struct {
		Prompt     string `parquet:"prompt"`
		Completion string `parquet:"completion"`
	}
	dir := t.TempDir()
	raw := write(t, []prompt{{"p", "c"}, {"q", "d"}}, 1)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.parquet"), raw, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "b"), raw, 0o600))
	_, err := data.Open(dir, data.ReadOptions{})
	require.ErrorContains(t, err, "match ReadOptions.Formats")
	opts := data.ReadOptions{Formats: []data.Format{parquet.Format{}}}
	for path, name := range map[string]string{dir: "a.parquet", filepath.Join(dir, "b"): "b"} { // by name in a folder, by content alone
		src, err := data.Open(path, opts)
		require.NoError(t, err)
		for range 2 {
			rows, err := data.Collect(src)
			require.NoError(t, err)
			require.Len(t, rows, 2)
			assert.Equal(t, "q", rows[1].Prompt)
			assert.Equal(t, filepath.Join(dir, name)+":2", rows[1].At.String())
		}
	}
	empty := write[prompt](t, nil, 1)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "c.parquet"), empty, 0o600))
	src, err := data.Open(filepath.Join(dir, "c.parquet"), opts)
	require.NoError(t, err)
	_, err = data.Collect(src)
	require.ErrorContains(t, err, "no rows")
}

// Whatever a file holds, it is read or refused: nothing panics.
func FuzzFile(f *testing.F) {
	rows, _ := samples(20)
	f.Add(write(f, rows, 7))
	f.Add(write(f, rows[:3], 7, pq.DataPageVersion(1), pq.Compression(&pq.Snappy)))
	files, err := filepath.Glob("../../testdata/oracle/formats/parquet/*.parquet")
	require.NoError(f, err)
	for _, path := range files {
		if raw, err := os.ReadFile(path); err == nil && (strings.Contains(path, "stepwise") || strings.Contains(path, "bad_")) {
			f.Add(raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		tab, err := parquet.Format{MaxPageBytes: 1 << 16}.Open(data.File{ReaderAt: bytes.NewReader(raw), Size: int64(len(raw)), Label: "f"}, data.ReadOptions{MaxRowBytes: 1 << 16, MaxColumns: 64})
		if err != nil {
			require.True(t, strings.HasPrefix(err.Error(), "data: f:"), "%v", err)
			return
		}
		defer tab.Close()
		for i := range min(tab.Blocks(), 16) {
			block, err := tab.Block(i)
			if err != nil {
				return
			}
			for range 2000 {
				text, _, err := block.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					return
				}
				require.True(t, json.Valid(text), "%s", text)
			}
			require.NoError(t, block.Close())
		}
	})
}

// file makes a file for the example.
func file[R any](rows ...R) []byte {
	var out bytes.Buffer
	if err := pq.Write(&out, rows); err != nil {
		panic(err)
	}
	return out.Bytes()
}
