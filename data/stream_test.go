package data_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	pq "github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/data/parquet"
)

type qa struct {
	Prompt     string `json:"prompt" parquet:"prompt"`
	Completion string `json:"completion" parquet:"completion"`
}

func questions(from, n int) (rows []qa) {
	for i := from; i < from+n; i++ {
		rows = append(rows, qa{fmt.Sprintf("What is %d? ", i), strings.Repeat("x", i%7) + fmt.Sprint(i)})
	}
	return rows
}

// parquetFile writes rows in row groups of 40, with an offset index.
func parquetFile(t testing.TB, rows []qa) []byte {
	var out bytes.Buffer
	w := pq.NewGenericWriter[qa](&out, pq.MaxRowsPerRowGroup(40), pq.PageBufferSize(200))
	_, err := w.Write(rows)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

func csvFile(rows []qa) []byte {
	var out bytes.Buffer
	out.WriteString("prompt,completion\n")
	for _, row := range rows {
		fmt.Fprintf(&out, "%q,%s\n", row.Prompt, row.Completion)
	}
	return out.Bytes()
}

// streamFiles hold the same 120 rows in every way.
func streamFiles(t testing.TB) fstest.MapFS {
	rows := questions(0, 120)
	lines := jsonLines(t, rows...)
	var list bytes.Buffer
	list.WriteString("[")
	list.Write(bytes.ReplaceAll(bytes.TrimSpace(lines), []byte("\n"), []byte(",\n")))
	list.WriteString("]")
	return fstest.MapFS{
		"f.jsonl":   {Data: lines},
		"gap.jsonl": {Data: append([]byte("\xef\xbb\xbf\n\n"), bytes.ReplaceAll(lines, []byte("\n"), []byte("\r\n\n"))...)},
		"f.json":    {Data: list.Bytes()}, "f.gz": {Data: gzipped(t, lines)}, "f.zst": {Data: zstded(t, lines)},
		"f.csv": {Data: csvFile(rows)}, "f.parquet": {Data: parquetFile(t, rows)},
		"shards/a.jsonl": {Data: jsonLines(t, rows[:50]...)}, "shards/b.csv": {Data: csvFile(rows[50:60])},
		"shards/c.parquet": {Data: parquetFile(t, rows[60:])},
	}
}

// small are options under which 120 rows make many blocks, windows and steps.
func small() data.StreamOptions {
	return data.StreamOptions{
		Read:        data.ReadOptions{Formats: []data.Format{parquet.Format{RowsPerBlock: 8}}},
		Prepare:     data.PrepareOptions{EOS: "<end>", MaxLength: 64},
		Batch:       data.BatchOptions{TokensPerStep: 200, TokensPerMicro: 100, Epochs: 2, Seed: 7},
		WindowBytes: 1500, BlockBytes: 300,
	}
}

func openStream(t testing.TB, files fs.FS, o data.StreamOptions, names ...string) *data.Stream {
	t.Helper()
	var parts []data.StreamPart
	for _, name := range names {
		parts = append(parts, data.StreamPart{Path: name, FS: files})
	}
	s, err := data.OpenStream(parts, greedy{}, o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

// taken is a step as a test compares it, with the cursor after it.
type taken struct {
	micro  []string
	tokens int
	epoch  float64
	cursor data.Cursor
}

type stepper interface {
	data.StepSource
	Cursor() data.Cursor
}

// segments are the texts of a step.
func segments(step *data.Step) (list []string) {
	for _, m := range step.Micro {
		from := int32(0)
		for _, end := range m.Ends {
			list = append(list, greedy{}.text(m.Tokens[from:end]))
			from = end
		}
		list = append(list, "|")
	}
	return list
}

func takeSteps(t testing.TB, src stepper, most int) (list []taken) {
	t.Helper()
	var step data.Step
	for len(list) < most {
		err := src.Next(&step)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		list = append(list, taken{segments(&step), step.Tokens, step.Epoch, src.Cursor()})
	}
	return list
}

// counted counts the segments of steps.
func counted(list []taken) map[string]int {
	n := map[string]int{}
	for _, s := range list {
		for _, text := range s.micro {
			if text != "|" {
				n[text]++
			}
		}
	}
	return n
}

// In the files' order a stream makes the steps that a Batcher makes.
func TestStreamEqualsBatcher(t *testing.T) {
	files := streamFiles(t)
	o := small()
	o.Batch.Sequential = true
	src, err := data.OpenFS(files, "f.jsonl", "", data.ReadOptions{})
	require.NoError(t, err)
	set, report, err := data.Prepare(t.Context(), src, greedy{}, o.Prepare)
	require.NoError(t, err)
	b, err := data.NewBatcher(set, o.Batch)
	require.NoError(t, err)
	want := takeSteps(t, b, 1000)
	require.Greater(t, len(want), 20)
	for _, name := range []string{"f.jsonl", "gap.jsonl", "f.json", "f.gz", "f.zst", "f.csv", "f.parquet", "shards"} {
		t.Run(name, func(t *testing.T) {
			s := openStream(t, files, o, name)
			got := takeSteps(t, s, 1000)
			require.Len(t, got, len(want))
			for i := range want {
				require.Equal(t, want[i].micro, got[i].micro, "step %d", i)
				require.Equal(t, want[i].tokens, got[i].tokens)
			}
			assert.Equal(t, 2.0, got[len(got)-1].epoch)
			assert.Equal(t, 2*report.Rows, s.Report().Rows)
			assert.Equal(t, 2*report.Tokens, s.Report().Tokens)
		})
	}
}

// Shuffled epochs hold every row once, each in an order of its own that neither
// workers nor the time of reading changes.
func TestStreamShuffles(t *testing.T) {
	files := streamFiles(t)
	for _, name := range []string{"f.jsonl", "gap.jsonl", "f.gz", "f.csv", "f.parquet", "shards"} {
		t.Run(name, func(t *testing.T) {
			o := small()
			o.Workers = 1
			want := takeSteps(t, openStream(t, files, o, name), 1000)
			o.Workers = 5
			require.Equal(t, want, takeSteps(t, openStream(t, files, o, name), 1000))
			n := 0
			for rows := 0; rows < 120; n++ {
				rows += len(want[n].micro) - strings.Count(strings.Join(want[n].micro, ""), "|")
			}
			first, second := want[:n], want[n:]
			require.Len(t, counted(first), 120)
			require.Equal(t, counted(first), counted(second))
			require.NotEqual(t, first[0].micro, second[0].micro)
			o.Batch.Seed++
			require.NotEqual(t, want[0].micro, takeSteps(t, openStream(t, files, o, name), 1)[0].micro)
		})
	}
}

// A stream set to the cursor after any step goes on as the first one did.
func TestStreamResumesAnywhere(t *testing.T) {
	files := streamFiles(t)
	for _, names := range [][]string{{"f.jsonl"}, {"gap.jsonl"}, {"f.json"}, {"f.zst"}, {"f.csv"}, {"f.parquet"}, {"shards"}, {"f.jsonl", "f.parquet", "f.csv"}} {
		t.Run(strings.Join(names, "+"), func(t *testing.T) {
			o := small()
			first := openStream(t, files, o, names...)
			want := takeSteps(t, first, 1000)
			resumed := openStream(t, files, o, names...)
			require.Equal(t, first.Fingerprint(), resumed.Fingerprint())
			for i := range want {
				require.NoError(t, resumed.Seek(want[i].cursor))
				require.Equal(t, want[i].cursor, resumed.Cursor())
				require.Equal(t, want[i+1:min(i+4, len(want))], append([]taken{}, takeSteps(t, resumed, min(3, len(want)-i-1))...), "after step %d", i)
			}
			require.NoError(t, resumed.Seek(data.Cursor{}))
			require.Equal(t, want, takeSteps(t, resumed, 1000))
		})
	}
}

// watched counts the bytes read before a place.
type watched struct {
	fs.FS
	before int64 // the place
	read   *int64
	total  *int64
}

type watchedFile struct {
	fs.File
	w *watched
}

func (w *watched) Open(name string) (fs.File, error) {
	f, err := w.FS.Open(name)
	return watchedFile{f, w}, err
}

func (f watchedFile) ReadAt(p []byte, at int64) (int, error) {
	n, err := f.File.(io.ReaderAt).ReadAt(p, at)
	*f.w.total += int64(n)
	if at < f.w.before {
		*f.w.read += min(int64(n), f.w.before-at)
	}
	return n, err
}

func TestResumeDoesNotReadFromTheStart(t *testing.T) {
	for _, name := range []string{"f.jsonl", "f.parquet"} {
		t.Run(name, func(t *testing.T) {
			rows := questions(0, 30_000)
			raw := jsonLines(t, rows...)
			if name == "f.parquet" {
				var out bytes.Buffer
				w := pq.NewGenericWriter[qa](&out, pq.MaxRowsPerRowGroup(1000))
				_, err := w.Write(rows)
				require.NoError(t, err)
				require.NoError(t, w.Close())
				raw = out.Bytes()
			}
			var read, total int64
			files := &watched{FS: fstest.MapFS{name: {Data: raw}}, read: &read, total: &total}
			o := small()
			o.Batch.Sequential, o.Batch.TokensPerStep, o.BlockBytes, o.WindowBytes = true, 4000, 4096, 1<<15
			s := openStream(t, files, o, name)
			all := takeSteps(t, s, 1000)
			middle := all[len(all)*3/8] // of two epochs
			resumed := openStream(t, files, o, name)
			files.before, read, total = int64(len(raw))/2, 0, 0
			require.NoError(t, resumed.Seek(middle.cursor))
			require.Equal(t, all[len(all)*3/8+1].micro, takeSteps(t, resumed, 1)[0].micro)
			assert.Zero(t, read, "bytes of the first half")
			assert.Less(t, total, int64(len(raw))/5)
		})
	}
}

func TestStreamMixesByWeight(t *testing.T) {
	files := fstest.MapFS{"a.jsonl": {Data: jsonLines(t, questions(0, 300)...)}, "b.jsonl": {Data: jsonLines(t, questions(1000, 40)...)}}
	parts := []data.StreamPart{{Path: "a.jsonl", FS: files, Weight: 3}, {Path: "b.jsonl", FS: files}}
	share := func(epochs int, all bool) (a, b int, last float64) {
		o := small()
		o.Batch.Epochs, o.UntilAll = epochs, all
		s, err := data.OpenStream(parts, greedy{}, o)
		require.NoError(t, err)
		defer s.Close()
		steps := takeSteps(t, s, 300)
		for text, n := range counted(steps) {
			if strings.HasPrefix(text, "What is 10") && text[12] == '?' {
				b += n
			} else {
				a += n
			}
		}
		return a, b, steps[len(steps)-1].epoch
	}
	a, b, _ := share(0, false)
	assert.InDelta(t, 3, float64(a)/float64(b), 0.35, "%d to %d", a, b)
	a, b, _ = share(1, false)
	assert.True(t, a >= 300 || b >= 40, "%d and %d", a, b)
	assert.True(t, a <= 300 && b <= 40, "%d and %d", a, b)
	a, b, last := share(1, true)
	assert.True(t, a >= 300 && b >= 40, "%d and %d", a, b)
	assert.GreaterOrEqual(t, last, 1.0)
}

func TestStreamFaults(t *testing.T) {
	files := fstest.MapFS{
		"bad.jsonl":   {Data: append(jsonLines(t, questions(0, 50)...), "{\"prompt\":1,\"completion\":\"c\"}\n"...)},
		"other.jsonl": {Data: append(jsonLines(t, questions(0, 50)...), "{\"text\":\"c\"}\n"...)},
		"none.jsonl":  {Data: []byte("\n\n")}, "empty.jsonl": {Data: nil},
		"mute.jsonl":  {Data: bytes.Repeat([]byte("{\"prompt\":\"p\",\"completion\":\"\"}\n"), 20)},
		"pairs.jsonl": {Data: []byte(`{"prompt":"p","chosen":"c","rejected":"r","completion":"c"}`)},
	}
	o := small()
	o.Prepare.EOS = ""
	drain := func(name string) error {
		s, err := data.OpenStream([]data.StreamPart{{Path: name, FS: files}}, greedy{}, o)
		if err != nil {
			return err
		}
		defer s.Close()
		var step data.Step
		for range 500 {
			if err := s.Next(&step); err != nil {
				return err
			}
		}
		return nil
	}
	require.ErrorContains(t, drain("bad.jsonl"), `data: bad.jsonl: byte `)
	require.ErrorContains(t, drain("bad.jsonl"), `column "prompt": got a number, want a string`)
	require.ErrorContains(t, drain("other.jsonl"), "got text, want prompt+completion (strings)")
	require.ErrorContains(t, drain("none.jsonl"), "no rows")
	require.ErrorContains(t, drain("empty.jsonl"), "no rows")
	require.ErrorIs(t, drain("mute.jsonl"), data.ErrNoTargets)
	o.Batch.Epochs = 0
	require.ErrorIs(t, drain("mute.jsonl"), data.ErrNoTargets)
	require.ErrorContains(t, drain("pairs.jsonl"), "preferences")
	require.ErrorIs(t, drain("gone.jsonl"), fs.ErrNotExist)
	o.Batch.TokensPerMicro, o.Prepare.MaxLength = 10, -1
	require.ErrorContains(t, drain("bad.jsonl"), "TokensPerMicro")
	_, err := data.OpenStream(nil, greedy{}, small())
	require.ErrorContains(t, err, "no part")
	_, err = data.OpenStream([]data.StreamPart{{Path: "bad.jsonl", FS: files, Weight: -1}}, greedy{}, small())
	require.ErrorContains(t, err, "weight -1")
	bad := data.StreamOptions{WindowBytes: -1, Read: data.ReadOptions{Limit: 3}}
	require.ErrorContains(t, bad.Validate(), "WindowBytes: got -1")
	require.ErrorContains(t, bad.Validate(), "Read.Limit: got 3")

	s := openStream(t, files, small(), "bad.jsonl")
	for _, c := range []data.Cursor{{Epoch: 1}, {Parts: make([]data.PartCursor, 2)}, {Parts: []data.PartCursor{{Block: 999}}}, {Parts: []data.PartCursor{{Position: 1 << 20}}}, {Parts: []data.PartCursor{{Row: 1 << 20}}}} {
		require.Error(t, s.Seek(c), "%+v", c)
	}
}

// The fingerprint tells other files, other tokens and other options.
func TestStreamFingerprint(t *testing.T) {
	files := fstest.MapFS{"a.jsonl": {Data: jsonLines(t, questions(0, 300)...)}, "b.jsonl": {Data: jsonLines(t, questions(1, 300)...)}}
	seen := map[string]bool{}
	for range 2 {
		o := small()
		for _, s := range []*data.Stream{openStream(t, files, o, "a.jsonl"), openStream(t, files, o, "b.jsonl"), openStream(t, files, o, "a.jsonl", "b.jsonl")} {
			seen[s.Fingerprint()] = true
		}
		o.Batch.Seed = 8
		seen[openStream(t, files, o, "a.jsonl").Fingerprint()] = true
	}
	require.Len(t, seen, 4)
}
