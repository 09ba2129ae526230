package auto

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor/gguf"
	"github.com/posttrain/posttrain/tensor/safetensors"
)

// loraFolder has a llama model, an adapter as PEFT folder, the same as LoRA file of
// llama.cpp, and the logits of both together.
func loraFolders(t *testing.T) []string {
	var list []string
	for _, root := range oracle.Roots(t, "formats/gguf_models") {
		dir := filepath.Join(root, "llama")
		if _, err := os.Stat(filepath.Join(dir, "llama-lora.gguf")); err == nil {
			list = append(list, dir)
		}
	}
	if len(list) == 0 {
		t.Skip("no folder with a LoRA file")
	}
	return list
}

// TestOracleAdapterGGUF reads a LoRA file that llama.cpp's converter wrote, and
// writes the PEFT folder that it was made from: the same numbers, bit for bit.
func TestOracleAdapterGGUF(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, dir := range loraFolders(t) {
		c, err := Open(filepath.Join(dir, "llama-f32.gguf"), Options{NoTokenizer: true})
		require.NoError(t, err)
		fromFile, err := LoadAdapterGGUF(filepath.Join(dir, "llama-lora.gguf"), c, "file")
		require.NoError(t, err)
		compareAdapted(t, c, dir, "file")

		fromPEFT, err := lora.Load(c.Model, "peft", filepath.Join(dir, "lora-peft"))
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), "again.gguf")
		require.NoError(t, SaveAdapterGGUF(path, c, fromPEFT))
		sameTensors(t, filepath.Join(dir, "llama-lora.gguf"), path)
		tally.Compared(3)
		fromFile.Remove()
		fromPEFT.Remove()
	}
}

func compareAdapted(t *testing.T, c *Checkpoint, dir, adapter string) {
	ref, err := safetensors.Open(filepath.Join(dir, "logits.safetensors"))
	require.NoError(t, err)
	defer ref.Close()
	r := &reference{file: ref}
	for _, text := range []string{"0", "1"} {
		p, err := modeltest.Compute(c.Model, [][]int32{r.ids(t, "ids."+text)}, modeltest.PassOptions{Logits: true, Adapter: adapter})
		require.NoError(t, err)
		d, size := modeltest.Farthest(p.Logits, r.floats(t, "lora.scale1.0.hf."+text))
		assert.LessOrEqual(t, d, ggufTolerance, "text %s: largest logit %g", text, size)
	}
}

func sameTensors(t *testing.T, a, b string) {
	want, err := gguf.Open(a)
	require.NoError(t, err)
	defer want.Close()
	got, err := gguf.Open(b)
	require.NoError(t, err)
	defer got.Close()
	names := map[string]bool{}
	for name, x := range want.Tensors() {
		names[name] = true
		y, err := got.Tensor(name)
		require.NoError(t, err)
		assert.Equal(t, x.Shape(), y.Shape(), name)
		xs, err := x.Float32()
		require.NoError(t, err)
		ys, err := y.Float32()
		require.NoError(t, err)
		assert.Equal(t, xs, ys, name)
	}
	for name := range got.Tensors() {
		assert.True(t, names[name], name)
	}
}

// TestAdapterGGUFKeepsScales writes an adapter whose layers have ranks and scales
// of their own, and reads it back as the same function.
func TestAdapterGGUFKeepsScales(t *testing.T) {
	c, err := Open(filepath.Join(loraFolders(t)[0], "llama-f32.gguf"), Options{NoTokenizer: true})
	require.NoError(t, err)
	a, err := lora.Attach(c.Model, "a", lora.Config{Rank: 4, RankStabilised: true, RankPattern: lora.Patterns[int]{{Key: "down_proj", Value: 2}}})
	require.NoError(t, err)
	for _, l := range c.Model.Linears() { // B starts as zero
		b := l.Adapters["a"].(*nn.LowRank).B
		for i := range b.Data() {
			b.Data()[i] = float32(i%7-3) / 100
		}
	}
	path := filepath.Join(t.TempDir(), "a.gguf")
	require.NoError(t, SaveAdapterGGUF(path, c, a))
	_, err = LoadAdapterGGUF(path, c, "b")
	require.NoError(t, err)
	rows := [][]int32{{1, 5, 9, 30, 2}}
	want, err := modeltest.Compute(c.Model, rows, modeltest.PassOptions{Logits: true, Adapter: "a"})
	require.NoError(t, err)
	got, err := modeltest.Compute(c.Model, rows, modeltest.PassOptions{Logits: true, Adapter: "b"})
	require.NoError(t, err)
	d, size := modeltest.Farthest(got.Logits, want.Logits)
	assert.LessOrEqual(t, d, 1e-6*max(1, size)) // the scale is rounded once more
	base, err := modeltest.Compute(c.Model, rows, modeltest.PassOptions{Logits: true})
	require.NoError(t, err)
	d, _ = modeltest.Farthest(base.Logits, want.Logits)
	assert.Greater(t, d, 1e-3, "the adapter does something")
}

func TestAdapterGGUFNamesWhatItCannotHold(t *testing.T) {
	dir := loraFolders(t)[0]
	c, err := Open(filepath.Join(dir, "llama-f32.gguf"), Options{NoTokenizer: true})
	require.NoError(t, err)
	a, err := lora.Attach(c.Model, "a", lora.Config{Targets: []string{"q_proj", "embed_tokens"}})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "a.gguf")
	err = SaveAdapterGGUF(path, c, a)
	assert.ErrorIs(t, err, ErrUnsupported)
	assert.ErrorContains(t, err, "2 parameters beside")
	assert.NoFileExists(t, path)
	_, err = LoadAdapterGGUF(filepath.Join(dir, "llama-f32.gguf"), c, "b")
	assert.ErrorContains(t, err, "general.type")
	_, err = LoadAdapterGGUF(filepath.Join(dir, "missing.gguf"), c, "b")
	assert.ErrorIs(t, err, os.ErrNotExist)
}
