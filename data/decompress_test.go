package data_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
)

func gzipped(t testing.TB, raw []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := z.Write(raw)
	require.NoError(t, errors.Join(err, z.Close()))
	return out.Bytes()
}

func zstded(t testing.TB, raw []byte, opts ...zstd.EOption) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out, opts...)
	require.NoError(t, err)
	_, err = z.Write(raw)
	require.NoError(t, errors.Join(err, z.Close()))
	return out.Bytes()
}

// noisyRows are rows that do not compress to nothing.
func noisyRows(t testing.TB, n int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	rows := make([]map[string]string, n)
	for i := range rows {
		text := make([]byte, 50+rng.IntN(100))
		for j := range text {
			text[j] = byte('a' + rng.IntN(26))
		}
		rows[i] = map[string]string{"text": string(text)}
	}
	return jsonLines(t, rows...)
}

func TestReadDecompresses(t *testing.T) {
	plain := noisyRows(t, 500)
	want, err := readAll(string(plain), data.ReadOptions{})
	require.NoError(t, err)
	half := bytes.IndexByte(plain[len(plain)/2:], '\n') + len(plain)/2 + 1
	for name, packed := range map[string][]byte{
		"gzip":             gzipped(t, plain),
		"gzip of two":      append(gzipped(t, plain[:half]), gzipped(t, plain[half:])...),
		"zstd":             zstded(t, plain),
		"zstd of two":      append(zstded(t, plain[:half]), zstded(t, plain[half:])...),
		"zstd best":        zstded(t, plain, zstd.WithEncoderLevel(zstd.SpeedBestCompression)),
		"gzip of an array": gzipped(t, append(append([]byte("["), bytes.ReplaceAll(plain[:len(plain)-1], []byte("}\n"), []byte("},\n"))...), ']')),
	} {
		t.Run(name, func(t *testing.T) {
			rows, err := collect(data.Read(bytes.NewReader(packed), "f.jsonl", data.ReadOptions{}))
			require.NoError(t, err)
			require.Equal(t, want, rows)
		})
	}
}

func TestReadReportsDamagedFiles(t *testing.T) {
	plain := noisyRows(t, 500)
	for name, packed := range map[string][]byte{"gzip": gzipped(t, plain), "zstd": zstded(t, plain)} {
		t.Run(name, func(t *testing.T) {
			for _, cut := range []int{5, len(packed) / 2, len(packed) - 3} {
				_, err := collect(data.Read(bytes.NewReader(packed[:cut]), "f.gz", data.ReadOptions{}))
				require.Error(t, err, "cut at %d", cut)
				require.True(t, strings.HasPrefix(err.Error(), "data: f.gz: "+name), "%v", err)
				require.True(t, errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF), "%v", err)
			}
			flipped := bytes.Clone(packed)
			flipped[len(flipped)-6] ^= 1 // in gzip's checksum or the last block
			_, err := collect(data.Read(bytes.NewReader(flipped), "f.gz", data.ReadOptions{}))
			require.ErrorContains(t, err, "data: f.gz: "+name)
		})
	}
}

func TestReadRefusesBombs(t *testing.T) {
	if testing.Short() {
		t.Skip("makes files of 80 MiB")
	}
	// 80 MiB of one row repeated: gzip makes a thousandth of it, zstd less.
	row := []byte(`{"text":"` + strings.Repeat("a", 1<<20) + "\"}\n")
	for name, packed := range map[string][]byte{"gzip": gzipped(t, bytes.Repeat(row, 80)), "zstd": zstded(t, bytes.Repeat(row, 80))} {
		t.Run(name, func(t *testing.T) {
			read := func(opts data.ReadOptions) (n int, err error) {
				for _, err := range data.Read(bytes.NewReader(packed), "bomb", opts) {
					if err != nil {
						return n, err
					}
					n++
				}
				return n, nil
			}
			n, err := read(data.ReadOptions{})
			require.ErrorIs(t, err, data.ErrTooLarge)
			require.ErrorContains(t, err, "ReadOptions.MaxRatio")
			require.LessOrEqual(t, n, 70, "stopped soon after 64 MiB")
			n, err = read(data.ReadOptions{MaxBytes: 3 << 20})
			require.ErrorIs(t, err, data.ErrTooLarge)
			require.ErrorContains(t, err, "ReadOptions.MaxBytes")
			require.LessOrEqual(t, n, 3)
		})
	}
}

func TestReadBoundsZstdWindows(t *testing.T) {
	raw := bytes.Repeat(noisyRows(t, 10_000), 3) // over 2 MiB, so that the window is really that large
	packed := zstded(t, raw, zstd.WithWindowSize(2<<20), zstd.WithSingleSegment(false))
	_, err := collect(data.Read(bytes.NewReader(packed), "w.zst", data.ReadOptions{MaxWindow: 1 << 20}))
	require.ErrorIs(t, err, zstd.ErrWindowSizeExceeded)
	rows, err := collect(data.Read(bytes.NewReader(packed), "w.zst", data.ReadOptions{}))
	require.NoError(t, err)
	require.Len(t, rows, 30_000)
}

func TestReadNamesForeignFiles(t *testing.T) {
	for start, want := range map[string]string{
		"PAR1\x15\x04": "a Parquet file", "PK\x03\x04\x00": "a zip archive", "BZh91AY": "a bzip2 file", "\xfd7zXZ\x00": "an xz file",
		"ARROW1": "an Arrow file", "\xff\xfe{\x00": "UTF-16 text",
	} {
		_, err := readAll(start, data.ReadOptions{})
		require.EqualError(t, err, "data: f.jsonl: got "+want+", want JSON, JSON Lines, CSV or TSV, plain or compressed with gzip or zstd (ReadOptions.Formats adds others)")
	}
}
