package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posttrain/posttrain/examples/internal/tiny"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// assertRefused wants exit status 1 and one line on stderr with all words.
func assertRefused(t *testing.T, r result, words ...string) {
	t.Helper()
	assert.Equal(t, 1, r.code)
	assert.Equal(t, 1, strings.Count(r.stderr, "\n"), "one line, got %q", r.stderr)
	assert.NotContains(t, r.stderr, "goroutine")
	assert.NotContains(t, r.stderr, "panic")
	for _, w := range words {
		assert.Contains(t, r.stderr, w)
	}
}

// change edits a file.
func change(t *testing.T, path string, edit func(raw []byte) []byte) {
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, edit(raw), 0o600))
}

func replace(old, now string) func([]byte) []byte {
	return func(raw []byte) []byte { return bytes.Replace(raw, []byte(old), []byte(now), 1) }
}

func cut(n int) func([]byte) []byte {
	return func(raw []byte) []byte { return raw[:n] }
}

func text(s string) func([]byte) []byte { return func([]byte) []byte { return []byte(s) } }

// notANumber puts a NaN of bfloat16 in the middle of the weights.
func notANumber(raw []byte) []byte {
	at := 8 + binary.LittleEndian.Uint64(raw) // the data begin, on an even byte
	binary.LittleEndian.PutUint16(raw[at+1000:], 0x7fc0)
	return raw
}

func TestBadModels(t *testing.T) {
	const weights, config, words = "model.safetensors", "config.json", "tokenizer.json"
	for _, c := range []struct {
		name, file string
		edit       func([]byte) []byte
		want       []string
	}{
		{"weights without end", weights, cut(100000), []string{weights}},
		{"weights without a header", weights, cut(5), []string{weights}},
		{"a header of any size", weights, replace("", "\xff\xff\xff\xff\xff\xff\xff\x7f"), []string{weights}},
		{"a header that is no JSON", weights, func(raw []byte) []byte { raw[9] = '!'; return raw }, []string{weights}},
		{"NaN", weights, notANumber, []string{"model.embed_tokens.weight", "NaN"}},
		{"a missing layer", config, replace(`"num_hidden_layers": 4`, `"num_hidden_layers": 5`), []string{"model.layers.4.", "missing"}},
		{"another width", config, replace(`"hidden_size": 128`, `"hidden_size": 64`), []string{"model.embed_tokens.weight", "[272 128]", "[272 64]"}},
		{"an unknown family", config, replace(`"model_type": "llama"`, `"model_type": "lama"`), []string{config, `"lama"`, "want one of", "llama"}},
		{"half a configuration", config, cut(90), []string{config}},
		{"half a tokenizer", words, cut(900), []string{words}},
		{"an unknown tokenizer", words, replace(`"type": "BPE"`, `"type": "Magic"`), []string{words, "Magic"}},
		{"a template that does not parse", "chat_template.jinja", text("{% for %}"), []string{"template", "1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
			require.NoError(t, tiny.Extract(dir))
			path := filepath.Join(dir, c.file)
			if c.file == "chat_template.jinja" {
				require.NoError(t, os.WriteFile(path, nil, 0o600))
			}
			change(t, path, c.edit)
			assertRefused(t, runCommand(t, "-model", dir, "-data", rows(t, `{"prompt":"1+1=","completion":"2"}`), "-out", out), c.want...)
			assert.NoDirExists(t, out)
		})
	}
}

func TestMissingAndForeignFiles(t *testing.T) {
	dir := t.TempDir()
	gguf := filepath.Join(dir, "model.gguf")
	require.NoError(t, os.WriteFile(gguf, []byte("GGUF\x03\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\x7f\x00"), 0o600))
	foreign := filepath.Join(dir, "notes.gguf")
	require.NoError(t, os.WriteFile(foreign, []byte("not a model at all"), 0o600))
	adapter := badAdapter(t)
	good := rows(t, `{"prompt":"1+1=","completion":"2"}`)
	for _, c := range []struct {
		name string
		args []string
		want []string
	}{
		{"no folder", []string{"-model", filepath.Join(dir, "nowhere"), "-data", good}, []string{filepath.Join(dir, "nowhere")}},
		{"an empty folder", []string{"-model", t.TempDir(), "-data", good}, []string{"config.json"}},
		{"a damaged GGUF file", []string{"-model", gguf, "-data", good}, []string{gguf}},
		{"no GGUF file", []string{"-model", foreign, "-data", good}, []string{foreign}},
		{"no adapter", []string{"-adapter", filepath.Join(dir, "nowhere")}, []string{filepath.Join(dir, "nowhere")}},
		{"a damaged adapter", []string{"-adapter", adapter}, []string{filepath.Join(adapter, "adapter_model.safetensors")}},
		{"no data", []string{"-data", filepath.Join(dir, "rows.jsonl")}, []string{filepath.Join(dir, "rows.jsonl")}},
		{"no evaluation data", []string{"-data", good, "-eval-data", filepath.Join(dir, "rows.jsonl")}, []string{filepath.Join(dir, "rows.jsonl")}},
		{"a model without data", []string{"-model", dir}, []string{"config.json"}},
		{"an unknown template", []string{"-template", "klingon"}, []string{"-template", "klingon", "chatml"}},
		{"an unknown loss", []string{"-loss", "zero"}, []string{"-loss", "zero", "nll"}},
		{"an unknown flag", []string{"-lerning-rate", "1"}, []string{"-lerning-rate", "-h"}},
		{"several wrong values", []string{"-steps", "0", "-rank", "-1", "-lr", "NaN"}, []string{"-steps", "-rank", "-lr"}},
		{"arguments", []string{"data.jsonl"}, []string{"data.jsonl"}},
		{"resuming nothing", []string{"-resume"}, []string{"-resume", "-out"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			args := append(c.args, "-out", out)
			if c.name == "resuming nothing" {
				args = c.args
			}
			assertRefused(t, runCommand(t, args...), c.want...)
			assert.NoDirExists(t, out)
		})
	}
}

// badAdapter is a PEFT folder whose weights were cut short.
func badAdapter(t *testing.T) string {
	c, err := tiny.Open(auto.Options{})
	require.NoError(t, err)
	a, err := lora.Attach(c.Model, "default", lora.Config{Rank: 2})
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, a.Save(dir, ""))
	change(t, filepath.Join(dir, "adapter_model.safetensors"), cut(5000))
	return dir
}

// rows writes a file of rows and returns its path.
func rows(t *testing.T, lines ...string) string {
	path := filepath.Join(t.TempDir(), "rows.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	return path
}

func TestBadRows(t *testing.T) {
	const good = `{"prompt":"1+1=","completion":"2"}`
	for _, c := range []struct {
		name  string
		lines []string
		flags []string
		want  []string
	}{
		{"half a row", []string{good, `{"prompt":"1+1=","comp`}, nil, []string{"rows.jsonl:2"}},
		{"mixed columns", []string{good, good, `{"text":"hello"}`}, nil, []string{"rows.jsonl:3"}},
		{"another type", []string{good, `{"prompt":"1+1=","completion":2}`}, nil, []string{"rows.jsonl:2", "completion"}},
		{"unknown columns", []string{`{"question_text":"?"}`}, nil, []string{"rows.jsonl:1", "question_text"}},
		{"invalid UTF-8", []string{good, "{\"prompt\":\"\xff\",\"completion\":\"2\"}"}, nil, []string{"rows.jsonl:2"}},
		{"no rows", []string{""}, nil, []string{"rows.jsonl"}},
		{"no targets", []string{`{"prompt":"a long prompt","completion":"2"}`}, []string{"-max-length", "8"}, []string{"no row has a target"}},
		{"a conversation without a template", []string{`{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"ho"}]}`}, nil, []string{"rows.jsonl:1", "-template", "chatml"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			assertRefused(t, runCommand(t, append(c.flags, "-data", rows(t, c.lines...), "-out", out)...), c.want...)
			assert.NoDirExists(t, out)
		})
	}
}

// TestDecompressionBomb gives a file of 400 KB that unpacks to 400 MB of one row.
func TestDecompressionBomb(t *testing.T) {
	path, out := filepath.Join(t.TempDir(), "rows.jsonl.gz"), filepath.Join(t.TempDir(), "out")
	f, err := os.Create(path)
	require.NoError(t, err)
	z := gzip.NewWriter(f)
	block := bytes.Repeat([]byte{'\n'}, 1<<20)
	for range 400 {
		_, err := z.Write(block)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	require.NoError(t, f.Close())
	assertRefused(t, runCommand(t, "-data", path, "-out", out), path, "limit")
	assert.NoDirExists(t, out)
}
