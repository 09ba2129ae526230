package tokenizer

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
)

// legacyClasses are the fixtures that can be taken apart into vocab.json and
// merges.txt, with what tokenizer_config.json says about them.
var legacyClasses = map[string]string{
	"roberta": `{"tokenizer_class": "RobertaTokenizer", "cls_token": "<s>", "sep_token": "</s>", "bos_token": "<s>", "eos_token": "</s>"`,
	"qwen3":   `{"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>"`,
	"phi2":    `{"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|endoftext|>"`, // CodeGen: GPT-2 with further added tokens
}

// TestOracleLegacyFiles takes tokenizer.json files apart into the files that came
// before them and opens those: ids, texts and offsets stay those of the library.
func TestOracleLegacyFiles(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "tokenizer") {
		var corpus []string
		oracle.ReadJSON(t, filepath.Join(root, "corpus.json.gz"), &corpus)
		for name, config := range legacyClasses {
			file := filepath.Join(root, "files", name+".json.gz")
			if _, err := os.Stat(file); err != nil {
				continue // a selection only is committed
			}
			t.Run(name, func(t *testing.T) {
				k, err := Open(takeApart(t, gunzip(t, file), config))
				require.NoError(t, err)
				var want []gold
				oracle.ReadJSON(t, filepath.Join(root, "gold", name+".json.gz"), &want)
				for i, s := range corpus {
					if msg := differs(k, s, want[i]); msg != "" {
						t.Fatalf("%d %.80q: %s", i, s, msg)
					}
				}
				tally.Compared(len(corpus))
			})
		}
	}
}

func takeApart(t *testing.T, raw []byte, config string) string {
	var doc struct {
		Model struct {
			Vocab  json.RawMessage
			Merges []json.RawMessage
		}
		Added []map[string]any `json:"added_tokens"`
	}
	require.NoError(t, json.Unmarshal(raw, &doc))
	var merges strings.Builder
	merges.WriteString("#version: 0.2\n")
	for _, m := range doc.Model.Merges {
		var pair []string
		var line string
		if json.Unmarshal(m, &pair) == nil {
			line = strings.Join(pair, " ")
		} else {
			require.NoError(t, json.Unmarshal(m, &line))
		}
		merges.WriteString(line + "\n")
	}
	added := map[string]any{}
	for _, a := range doc.Added {
		id := fmt.Sprint(a["id"])
		delete(a, "id")
		added[id] = a
	}
	list, err := json.Marshal(added)
	require.NoError(t, err)
	dir := t.TempDir()
	write(t, dir, fileVocab, string(doc.Model.Vocab))
	write(t, dir, fileMerges, merges.String())
	write(t, dir, fileConfig, config+`, "added_tokens_decoder": `+string(list)+"}")
	return dir
}

func write(t *testing.T, dir, name, text string) {
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
}

func TestOlderFilesNameTheirFaults(t *testing.T) {
	const vocab = `{"a": 0, "b": 1, "ab": 2, "<e>": 3}`
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"class":     {map[string]string{fileVocab: vocab, fileMerges: "a b\n", fileConfig: `{"tokenizer_class": "XTokenizer"}`}, `tokenizer_class "XTokenizer"`},
		"no class":  {map[string]string{fileVocab: vocab, fileMerges: "a b\n"}, `tokenizer_class ""`},
		"no merges": {map[string]string{fileVocab: vocab, fileConfig: `{"tokenizer_class": "GPT2Tokenizer"}`}, "merges.txt"},
		"merges":    {map[string]string{fileVocab: vocab, fileMerges: "#version\na b\na b c\n", fileConfig: `{"tokenizer_class": "GPT2Tokenizer"}`}, "merges.txt: line 3: got 3 parts"},
		"vocab":     {map[string]string{fileVocab: `[]`, fileMerges: "a b\n", fileConfig: `{"tokenizer_class": "GPT2Tokenizer"}`}, "vocab.json"},
		"model":     {map[string]string{fileSentencePiece: "x", fileConfig: `{"tokenizer_class": "LlamaTokenizer"}`}, "tokenizer.model"},
		"pieces":    {map[string]string{fileSentencePiece: "x"}, "without a tokenizer.json"},
		"nothing":   {nil, "tokenizer.json"},
	} {
		dir := t.TempDir()
		for file, text := range c.files {
			write(t, dir, file, text)
		}
		_, err := Open(dir)
		assert.ErrorContains(t, err, c.want, name)
	}
}

func TestOlderFilesNameTheirSpecialTokens(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, fileVocab, `{"a": 0, "b": 1, "ab": 2, "<e>": 3}`)
	write(t, dir, fileMerges, "a b\n")
	write(t, dir, fileSpecial, `{"eos_token": {"content": "<e>"}}`)
	write(t, dir, fileConfig, `{"tokenizer_class": "GPT2Tokenizer"}`)
	write(t, dir, fileAdded, `{"<more>": 4}`)
	k, err := Open(dir)
	require.NoError(t, err)
	assert.Equal(t, []int32{2, 3, 4, 0}, k.Encode("ab<e><more>a"))
	assert.Equal(t, "ab<more>a", k.Decode([]int32{2, 3, 4, 0}, true))
	id, _, ok := k.EOS()
	assert.True(t, ok && id == 3)
}
