package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// english is 10 MB of prose made of the questions and answers of GSM8K.
func english(b *testing.B) string {
	root := os.Getenv("POSTTRAIN_ORACLE")
	if root == "" {
		b.Skip("POSTTRAIN_ORACLE is not set")
	}
	raw, err := os.ReadFile(filepath.Join(root, "..", "data", "gsm8k_train_4000.jsonl"))
	require.NoError(b, err)
	var s strings.Builder
	for s.Len() < 10<<20 {
		for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
			var row struct{ Question, Answer string }
			require.NoError(b, json.Unmarshal([]byte(line), &row))
			s.WriteString(row.Question + "\n" + row.Answer + "\n\n")
		}
	}
	return s.String()[:10<<20]
}

func load(b *testing.B, name string) *Tokenizer {
	k, err := Parse(name, gunzip(b, filepath.Join(os.Getenv("POSTTRAIN_ORACLE"), "tokenizer", "files", name+".json.gz")))
	require.NoError(b, err)
	return k
}

func BenchmarkEncode(b *testing.B) {
	text := english(b)
	for _, name := range []string{"qwen3", "gptoss", "deepseek_v3", "phi2", "phi3-mini", "falcon", "clip"} {
		b.Run(name, func(b *testing.B) {
			k := load(b, name)
			dst := k.AppendIDs(nil, text, false)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				dst = k.AppendIDs(dst[:0], text, false)
			}
			b.ReportMetric(float64(len(text))/float64(len(dst)), "bytes/token")
		})
	}
}

func BenchmarkOffsets(b *testing.B) {
	text := english(b)[:1<<20]
	for _, name := range []string{"qwen3", "phi3-mini"} {
		b.Run(name, func(b *testing.B) {
			k := load(b, name)
			ids, offsets := k.AppendOffsets(nil, nil, text, false)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				ids, offsets = k.AppendOffsets(ids[:0], offsets[:0], text, false)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	text := english(b)[:1<<20]
	for _, name := range []string{"qwen3", "phi3-mini"} {
		b.Run(name, func(b *testing.B) {
			k := load(b, name)
			ids := k.AppendIDs(nil, text, false)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				k.Decode(ids, true)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for _, name := range []string{"qwen3", "gptoss", "phi3-mini"} {
		b.Run(name, func(b *testing.B) {
			english(b)
			raw := gunzip(b, filepath.Join(os.Getenv("POSTTRAIN_ORACLE"), "tokenizer", "files", name+".json.gz"))
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				_, err := Parse(name, raw)
				require.NoError(b, err)
			}
		})
	}
}
