package parquet_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/data/parquet"
)

// encoded has a column for every encoding of every type.
type encoded struct {
	Bool    bool     `parquet:"bool" json:"bool"`
	I32     int32    `parquet:"i32" json:"i32"`
	I64     int64    `parquet:"i64" json:"i64"`
	Text    string   `parquet:"text" json:"text"`
	DictI   int32    `parquet:"dict_i,dict" json:"dict_i"`
	DictF   float64  `parquet:"dict_f,dict" json:"dict_f"`
	DictT   string   `parquet:"dict_t,dict" json:"dict_t"`
	D32     int32    `parquet:"d32,delta" json:"d32"`
	D64     int64    `parquet:"d64,delta" json:"d64"`
	DText   string   `parquet:"d_text,delta" json:"d_text"`
	S32     float32  `parquet:"s32,split" json:"s32"`
	S64     float64  `parquet:"s64,split" json:"s64"`
	May     *int64   `parquet:"may,optional" json:"may"`
	MayBool *bool    `parquet:"may_bool,optional" json:"may_bool"`
	Never   *string  `parquet:"never,optional" json:"never"`
	List    []string `parquet:"list,list" json:"list"`
}

func encodedRows(n int) (rows []encoded, want []string) {
	r := rand.New(rand.NewPCG(3, 4))
	for i := range n {
		e := encoded{
			Bool: r.IntN(3) == 0, I32: int32(r.Uint32()), I64: int64(r.Uint64()), Text: strings.Repeat("é", r.IntN(5)),
			DictI: int32(r.IntN(70)), DictF: float64(r.IntN(3)), DictT: fmt.Sprint("word ", r.IntN(300)),
			D32: int32(r.Uint32()), D64: int64(r.Uint64()) >> r.IntN(64), DText: fmt.Sprintf("shared prefix %d", i),
			S32: float32(r.IntN(4096)-2048) / 8, S64: r.NormFloat64(), List: make([]string, r.IntN(4)),
		}
		if i%2 == 0 {
			e.D32, e.D64 = math.MinInt32, math.MinInt64
		}
		if i%3 == 0 {
			e.May, e.MayBool = &e.D64, &e.Bool
		}
		for k := range e.List {
			e.List[k] = fmt.Sprint(i, k)
		}
		raw, _ := json.Marshal(e)
		rows, want = append(rows, e), append(want, string(raw))
	}
	return rows, want
}

// Every encoding, version of pages and codec as another writer has them; read in
// order and by block, with rows skipped.
func TestEveryEncoding(t *testing.T) {
	rows, want := encodedRows(250)
	codecs := map[string]compress.Codec{"none": &pq.Uncompressed, "snappy": &pq.Snappy, "gzip": &pq.Gzip, "zstd": &pq.Zstd, "lz4": &pq.Lz4Raw}
	for name, codec := range codecs {
		for version := 1; version <= 2; version++ {
			for _, text := range []string{"lengths", "shared"} {
				t.Run(fmt.Sprint(name, version, text), func(t *testing.T) {
					opts := []pq.WriterOption{pq.Compression(codec), pq.DataPageVersion(version)}
					if text == "shared" {
						opts = append(opts, pq.DefaultEncodingFor(pq.ByteArray, &pq.DeltaByteArray))
					}
					raw := write(t, rows, 120, opts...)
					compareRows(t, raw, want)
					compareRows(t, withoutIndex(t, raw), want)
				})
			}
		}
	}
}

func compareRows(t *testing.T, raw []byte, want []string) {
	t.Helper()
	tab, err := table(t, raw, parquet.Format{RowsPerBlock: 40})
	require.NoError(t, err)
	got, _, err := all(tab)
	require.NoError(t, err)
	require.Len(t, got, len(want))
	for i := range want {
		require.JSONEq(t, want[i], got[i])
	}
	for i := tab.Blocks() - 1; i >= 0; i-- {
		block, err := tab.Block(i)
		require.NoError(t, err)
		require.NoError(t, block.(data.Skipper).Skip(9))
		rest, at, err := drain(block)
		require.NoError(t, err)
		require.NotEmpty(t, rest)
		require.Equal(t, got[at[0].Line-1:at[0].Line-1+len(rest)], rest)
	}
}
