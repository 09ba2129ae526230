package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// events parses JSON lines.
func events(t *testing.T, stdout string) []map[string]any {
	var list []map[string]any
	for line := range strings.Lines(stdout) {
		var e map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &e), "%q", line)
		list = append(list, e)
	}
	return list
}

// tiniest is a training run of three steps.
func tiniest(out string, more ...string) []string {
	return append([]string{"-json", "-limit", "50", "-eval-limit", "4", "-batch-tokens", "128", "-steps", "3", "-out", out}, more...)
}

// TestRun wants the events of DESIGN §8 in order, and the files of a run folder.
func TestRun(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	r := runCommand(t, tiniest(out)...)
	require.Zero(t, r.code, r.stderr)
	assert.Empty(t, r.stderr)
	var kinds []string
	list := events(t, r.stdout)
	for _, e := range list {
		kinds = append(kinds, e["event"].(string))
	}
	assert.Equal(t, "start eval sample sample sample sample step step step eval sample sample sample sample checkpoint result", strings.Join(kinds, " "))
	for _, name := range []string{"options", "go", "posttrain", "cpu", "isa"} {
		assert.Contains(t, list[0], name)
	}
	for _, name := range []string{"step", "eval_loss", "perplexity", "eval_exact_match"} {
		assert.Contains(t, list[1], name)
		assert.Contains(t, list[len(list)-1], name)
	}
	for _, name := range []string{"step", "loss", "grad_norm", "learning_rate", "num_tokens", "tokens_per_second"} {
		assert.Contains(t, list[6], name)
	}
	for _, name := range []string{"run.json", "metrics.jsonl", "samples.jsonl", "report.html", "adapter_config.json", "adapter_model.safetensors", "checkpoints/last", "checkpoints/step-000003/SHA256SUMS"} {
		assert.FileExists(t, filepath.Join(out, filepath.FromSlash(name)))
	}
}

func TestFullRunWritesAModel(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	r := runCommand(t, tiniest(out, "-full")...)
	require.Zero(t, r.code, r.stderr)
	// What was written is a model that the example opens.
	r = runCommand(t, tiniest(filepath.Join(t.TempDir(), "again"), "-model", out, "-data", rows(t, `{"prompt":"1+1=","completion":"2"}`))...)
	require.Zero(t, r.code, r.stderr)
}

func TestAnAdapterIsTrainedFurther(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	first := runCommand(t, tiniest(out, "-lr", "0.01")...)
	require.Zero(t, first.code, first.stderr)
	second := runCommand(t, tiniest(filepath.Join(t.TempDir(), "again"), "-adapter", out)...)
	require.Zero(t, second.code, second.stderr)
	a, b := events(t, first.stdout), events(t, second.stdout)
	assert.Equal(t, a[len(a)-1]["eval_loss"], b[1]["eval_loss"], "it begins where the first run ended")
	assert.NotEqual(t, a[1]["eval_loss"], b[1]["eval_loss"])
}

// TestOutFolder walks through the rules for -out and -resume.
func TestOutFolder(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	require.Zero(t, runCommand(t, tiniest(out, "-resume")...).code, "an empty folder is a fresh start")
	before := tree(t, out)

	assertRefused(t, runCommand(t, tiniest(out)...), out, "not empty")
	assertRefused(t, runCommand(t, tiniest(out, "-resume", "-lr", "0.5", "-seed", "7", "-batch-tokens", "99", "-loss", "dft")...),
		"changed", "flags.lr: got 0.5, want 0", "flags.seed: got 7, want 42", "flags.batch_tokens: got 99, want 128", `loss: got "dft", want "nll"`)
	for _, flag := range []string{"-label-smoothing=0.1", "-neftune=5", "-recompute", "-full", "-rank=4", "-max-length=9", "-limit=49", "-eval-every=2", "-template=plain"} {
		name := strings.ReplaceAll(strings.SplitN(flag[1:], "=", 2)[0], "-", "_")
		if name == "neftune" {
			name = "neftune_noise_alpha"
		}
		assertRefused(t, runCommand(t, tiniest(out, "-resume", flag)...), "changed", name)
	}
	r := runCommand(t, tiniest(out, "-resume", "-threads", "1", "-save-every", "9")...)
	assert.Zero(t, r.code, "a finished run has nothing to do: %s", r.stderr)
	assert.Equal(t, before, tree(t, out), "nobody touched the folder")

	other := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(other, "thesis.txt"), []byte("ten years of work"), 0o600))
	assertRefused(t, runCommand(t, tiniest(other)...), other, "thesis.txt")
	assertRefused(t, runCommand(t, tiniest(other, "-resume")...), other, "not a run folder")
	assert.Len(t, tree(t, other), 1)
}

// tree is the content of all files of a folder.
func tree(t *testing.T, dir string) map[string]string {
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		all[path] = string(raw)
		return err
	}))
	return all
}

// TestDamagedCheckpoints flips a bit of the newest checkpoint: the one before it
// is good. When none is, the error names the file.
func TestDamagedCheckpoints(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	require.Zero(t, runCommand(t, tiniest(out, "-save-every", "1")...).code)
	want := outcome(t, out)
	flip := func(raw []byte) []byte { raw[len(raw)/2] ^= 4; return raw }
	file := func(step string) string {
		return filepath.Join(out, "checkpoints", step, "adapter_model.safetensors")
	}

	change(t, file("step-000003"), flip)
	r := runCommand(t, tiniest(out, "-save-every", "1", "-resume")...)
	require.Zero(t, r.code, r.stderr)
	require.NoError(t, os.RemoveAll(filepath.Join(out, "checkpoints", "bad-step-000003")))
	assert.Equal(t, want, outcome(t, out))

	change(t, file("step-000002"), cut(100))
	change(t, file("step-000003"), flip)
	assertRefused(t, runCommand(t, tiniest(out, "-save-every", "1", "-resume")...), file("step-000003"), file("step-000002"), "damaged")
}
