package tensorboard

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// folder is one folder of event files in the fixture's index: what TensorBoard
// read there, and the records.
type folder struct {
	Files   []string
	Records map[string][]record
	Seen    struct {
		Scalars map[string][]struct {
			Step     int64
			WallTime string `json:"wall_time"`
			Value    string
		}
		Tensors map[string]struct {
			Events []struct {
				Step     int64
				WallTime string `json:"wall_time"`
				Strings  []string
			}
		}
	}
}

type record struct {
	At, Length  int
	WallTime    string `json:"wall_time"`
	FileVersion string `json:"file_version"`
	Step        int64
	Values      []struct{ Tag, Kind string }
}

// TestOracleTensorBoard writes every scalar, text and file version that torch and
// tensorboardX wrote, and compares whole records, checksums included.
func TestOracleTensorBoard(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "formats/tensorboard") {
		var index struct{ TensorboardX, Torch map[string]folder }
		oracle.ReadJSON(t, filepath.Join(root, "index.json"), &index)
		for writer, folders := range map[string]map[string]folder{"tensorboardX": index.TensorboardX, "torch": index.Torch} {
			for dir, f := range folders {
				for _, file := range f.Files {
					t.Run(dir+"/"+file, func(t *testing.T) {
						raw, err := os.ReadFile(filepath.Join(root, dir, file))
						if err != nil { // the index names subfolders in its own way
							raw, err = os.ReadFile(filepath.Join(root, writer, dir, file))
						}
						require.NoError(t, err)
						compareFile(t, tally, &f, f.Records[file], raw)
					})
				}
			}
		}
	}
}

func compareFile(t *testing.T, tally *oracle.Tally, f *folder, records []record, raw []byte) {
	require.NotEmpty(t, records)
	seen := map[string]int{}
	for _, r := range records {
		var out bytes.Buffer
		if r.FileVersion != "" {
			w := NewWriter(&out, parse(t, r.WallTime))
			require.NoError(t, w.Flush())
			if r.Length == 24 {
				tally.Skip("file version of tensorboardX", "has no writer name; ours is torch's")
				continue
			}
		} else {
			w := Continue(&out)
			tag := r.Values[0].Tag
			i := seen[tag]
			seen[tag]++
			switch r.Values[0].Kind {
			case "simple_value":
				s := f.Seen.Scalars[tag][i]
				w.Scalar(tag, s.Step, parse(t, s.WallTime), parse(t, s.Value))
			case "tensor":
				e := f.Seen.Tensors[tag].Events[i]
				w.Text(strings.TrimSuffix(tag, "/text_summary"), e.Step, parse(t, e.WallTime), e.Strings[0])
			default:
				tally.Skip(tag, "histograms are not offered")
				continue
			}
			require.NoError(t, w.Flush())
		}
		require.Equal(t, raw[r.At:r.At+r.Length+16], out.Bytes(), "record at %d: %+v", r.At, r)
		tally.Compared(1)
	}
}

func parse(t *testing.T, s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	require.NoError(t, err)
	return v
}

// TestRecordsAreFramed reads the framing back, with lengths of two bytes.
func TestRecordsAreFramed(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, 1)
	w.Scalar("a/"+strings.Repeat("x", 300), 1<<40, 2, math.Inf(1))
	w.Scalar("negative step", -1, 2, 1)
	w.Text("t", 5, 3, strings.Repeat("long ", 5000))
	assert.Zero(t, out.Len(), "nothing before Flush")
	require.NoError(t, w.Flush())
	require.NoError(t, w.Flush())
	b := out.Bytes()
	for range 4 {
		n := int(binary.LittleEndian.Uint64(b))
		assert.Equal(t, maskedCRC(b[:8]), binary.LittleEndian.Uint32(b[8:]))
		assert.Equal(t, maskedCRC(b[12:12+n]), binary.LittleEndian.Uint32(b[12+n:]))
		b = b[16+n:]
	}
	assert.Empty(t, b)
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestFlushReportsErrors(t *testing.T) {
	assert.EqualError(t, NewWriter(broken{}, 1).Flush(), "disk full")
}

func TestScalarsAllocateNothing(t *testing.T) {
	w := Continue(&bytes.Buffer{})
	w.w = discard{}
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		for range 3 {
			w.Scalar("train/loss", 7, 1.7e9, 0.5)
		}
		assert.NoError(t, w.Flush())
	}))
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
