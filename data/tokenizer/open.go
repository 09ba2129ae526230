package tokenizer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Names of the files Open reads; all but the first may be absent.
const (
	fileTokenizer = "tokenizer.json"
	fileConfig    = "tokenizer_config.json"
	fileSpecial   = "special_tokens_map.json"
	fileTemplate  = "chat_template.jinja"
)

// maxSmall bounds the files beside tokenizer.json.
const maxSmall = 1 << 26 // bytes

// Open reads a tokenizer.json, or the folder that holds one. From the same folder
// it takes the names of the special tokens (tokenizer_config.json, else
// special_tokens_map.json) and the chat template (chat_template.jinja, else
// tokenizer_config.json).
//
// A folder without tokenizer.json is read as transformers converts it, where
// tokenizer_class tells how: vocab.json with merges.txt (GPT2Tokenizer,
// Qwen2Tokenizer, RobertaTokenizer), or tokenizer.model (LlamaTokenizer,
// GemmaTokenizer, T5Tokenizer). Other classes are refused by name.
//
// The ids are those of tokenizer.json alone: settings such as add_bos_token in
// tokenizer_config.json do not change them.
func Open(path string) (*Tokenizer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	file := path
	if info.IsDir() {
		file = filepath.Join(path, fileTokenizer)
	}
	t, err := openFile(file)
	if info.IsDir() && errors.Is(err, fs.ErrNotExist) {
		legacy, wrong := openLegacy(path)
		if wrong != nil {
			return nil, fmt.Errorf("tokenizer: %w", wrong)
		}
		if legacy != nil {
			t, err = legacy, nil
		}
	}
	if err != nil {
		return nil, err
	}
	if err := t.readConfig(filepath.Dir(file)); err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return t, nil
}

// openFile reads a tokenizer.json alone.
func openFile(file string) (*Tokenizer, error) {
	raw, err := read(file, maxDocument)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return parse(file, raw)
}

// read returns the bytes of a file of at most limit bytes.
func read(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if size := info.Size(); size > limit {
		return nil, fmt.Errorf("%s: %w: got %d bytes, want at most %d", path, ErrLimit, size, limit)
	}
	raw := make([]byte, 0, info.Size()+1)
	for {
		n, err := f.Read(raw[len(raw):cap(raw)])
		raw = raw[:len(raw)+n]
		switch {
		case err == io.EOF:
			return raw, nil
		case err != nil:
			return nil, err
		case int64(len(raw)) > limit:
			return nil, fmt.Errorf("%s: %w: want at most %d bytes", path, ErrLimit, limit)
		case len(raw) == cap(raw):
			raw = append(raw, 0)[:len(raw)]
		}
	}
}

// readIfThere is read that returns nil for a file that does not exist.
func readIfThere(path string) ([]byte, error) {
	raw, err := read(path, maxSmall)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return raw, err
}
