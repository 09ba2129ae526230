package auto

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/safetensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ggufTolerance is what formats/README.md asks of a float32 engine; transformers'
// own float32 is off by up to 2e-5.
const ggufTolerance = 5e-5

// ggufTolerance64 bounds a float64 engine: the reference keeps inv_freq in
// float32, which turns the angle of the last of 28 positions by up to 1e-6, and
// stores logits as float32.
const ggufTolerance64 = 1e-5

// TestOracleGGUF compares logits of every GGUF variant, and of the folder it was
// made from, with a float64 run of transformers on the same numbers.
func TestOracleGGUF(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "formats/gguf_models") {
		models, err := os.ReadDir(root)
		require.NoError(t, err)
		for _, m := range models {
			if m.IsDir() {
				compareVariants(t, tally, filepath.Join(root, m.Name()))
			}
		}
	}
}

// variants lists the checkpoints in a folder of gguf_models, with the prefix of
// their reference.
func variants(t *testing.T, dir string) map[string]string {
	found := map[string]string{}
	name := filepath.Base(dir)
	if _, err := os.Stat(filepath.Join(dir, "hf", "model.safetensors")); err == nil {
		found[filepath.Join(dir, "hf")] = "hf"
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.gguf"))
	require.NoError(t, err)
	for _, path := range files {
		variant := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), name+"-"), ".gguf")
		switch {
		case variant == "lora" || strings.Contains(variant, "-of-") && !strings.Contains(variant, "00001-of-"):
		default:
			found[path] = strings.TrimSuffix(variant, "-00001-of-00003")
		}
	}
	return found
}

func compareVariants(t *testing.T, tally *oracle.Tally, dir string) {
	ref, err := safetensors.Open(filepath.Join(dir, "logits.safetensors"))
	require.NoError(t, err)
	defer ref.Close()
	r := &reference{file: ref}
	for path, variant := range variants(t, dir) {
		if _, _, err := familyOf(path); err != nil {
			assert.ErrorIs(t, err, ErrUnsupported, path)
			tally.Skip(filepath.Base(dir)+"/"+filepath.Base(path), "family not supported yet")
			continue
		}
		for _, dt := range []tensor.Dtype{{}, tensor.Float32, tensor.Float64} {
			t.Run(filepath.Base(dir)+"/"+filepath.Base(path)+"/"+dtypeName(dt), func(t *testing.T) {
				tally.Compared(compareLogits(t, path, variant, dt, r))
			})
		}
	}
}

func dtypeName(dt tensor.Dtype) string {
	if dt == (tensor.Dtype{}) {
		return "stored"
	}
	return dt.String()
}

// familyOf opens a checkpoint only to learn whether its family is supported.
func familyOf(path string) (model.Model, string, error) {
	c, err := Open(path, Options{NoTokenizer: true})
	if err != nil {
		return nil, "", err
	}
	return c.Model, c.Format, c.Close()
}

func compareLogits(t *testing.T, path, variant string, dt tensor.Dtype, r *reference) (compared int) {
	c, err := Open(path, Options{Weights: dt, NoTokenizer: true})
	require.NoError(t, err)
	defer func() { assert.NoError(t, c.Close()) }()
	tolerance := ggufTolerance
	if dt == tensor.Float64 {
		tolerance = ggufTolerance64
	}
	for _, text := range []string{"0", "1"} {
		want := r.floats(t, variant+".dequantised."+text)
		if want == nil && !r.quantised(t, variant) {
			want = r.floats(t, "hf."+text)
		}
		if want == nil {
			continue
		}
		rows := [][]int32{r.ids(t, "ids."+text)}
		p, err := modeltest.Compute(c.Model, rows, modeltest.PassOptions{Logits: true})
		require.NoError(t, err)
		d, size := modeltest.Farthest(p.Logits, want)
		assert.LessOrEqual(t, d, tolerance, "text %s: largest logit %g", text, size)
		compared++
	}
	assert.Positive(t, compared, "no reference for %s", variant)
	return compared
}

// quantised says whether a variant has weights of its own.
func (r *reference) quantised(t *testing.T, variant string) bool {
	return r.floats(t, variant+".dequantised.1") != nil
}
