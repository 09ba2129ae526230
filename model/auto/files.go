package auto

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/posttrain/posttrain/model"
)

// Names of the files of a Hugging Face folder besides the weights.
const (
	configFile          = "config.json"
	generationFile      = "generation_config.json"
	tokenizerFile       = "tokenizer.json"
	tokenizerConfigFile = "tokenizer_config.json"
	templateFile        = "chat_template.jinja"
	specialTokensFile   = "special_tokens_map.json"
)

// smallFiles are read as a whole and kept; only config.json must be there.
var smallFiles = []string{configFile, generationFile, tokenizerConfigFile, templateFile, specialTokensFile}

// maxSmallFile bounds each of them; the largest known, a tokenizer_config.json
// with thousands of added tokens, has some 2 MB.
const maxSmallFile = 16 << 20

// readSmallFiles reads the small files that are there. Only these names are
// opened, so nothing a file says leads out of the folder.
func readSmallFiles(dir string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, name := range smallFiles {
		raw, err := readSmall(filepath.Join(dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist) && name != configFile:
		case err != nil:
			return nil, err
		default:
			files[name] = raw
		}
	}
	return files, nil
}

func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxSmallFile+1))
	if err == nil && len(raw) > maxSmallFile {
		err = fmt.Errorf("%s: has more than %d bytes", path, maxSmallFile)
	}
	return raw, err
}

// applyGeneration lets generation_config.json replace the ids that end a text,
// as generation in transformers does.
func applyGeneration(c *model.Config, raw []byte) error {
	if raw == nil {
		return nil
	}
	var g struct {
		EOS json.RawMessage `json:"eos_token_id"`
		BOS json.RawMessage `json:"bos_token_id"`
		PAD json.RawMessage `json:"pad_token_id"`
	}
	if err := json.Unmarshal(raw, &g); err != nil {
		return fmt.Errorf("%w: %s: %w", model.ErrConfig, generationFile, err)
	}
	eos, err1 := model.TokenIDs("eos_token_id", g.EOS)
	bos, err2 := model.TokenIDs("bos_token_id", g.BOS)
	pad, err3 := model.TokenIDs("pad_token_id", g.PAD)
	if err := errors.Join(err1, err2, err3); err != nil {
		return fmt.Errorf("%s: %w", generationFile, err)
	}
	if len(eos) > 0 {
		c.EOS = eos
	}
	if len(bos) > 0 && c.BOS < 0 {
		c.BOS = bos[0]
	}
	if len(pad) > 0 && c.PAD < 0 {
		c.PAD = pad[0]
	}
	return nil
}
