package auto

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// SaveOptions control Save. The zero value keeps the type each weight has in
// memory.
type SaveOptions struct {
	// Dtype is the type of all weights in the file: Float32, BFloat16, Float16 or
	// Float64. The zero value writes each weight as it is in memory, so that
	// opening the folder gives the same bits.
	Dtype tensor.Dtype
	// MaxShardBytes splits the weights into files of at most this size; 0 means
	// safetensors.DefaultMaxShardBytes.
	MaxShardBytes int64
}

// Save writes c as a Hugging Face folder: config.json, the weights, and what c
// has of tokenizer, chat template and generation settings. Fields of config.json
// that this library does not know are kept. A model that came from a GGUF file
// gets a config.json in the layout of transformers 4, which newer versions read.
//
// A folder that does not exist appears complete or not at all. In one that
// exists every file is replaced by rename, the weights last; other files stay.
func Save(dir string, c *Checkpoint, o SaveOptions) error {
	files, err := c.smallFiles(o)
	if err != nil {
		return fmt.Errorf("auto: save %s: %w", dir, err)
	}
	target := dir
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if target, err = os.MkdirTemp(filepath.Dir(filepath.Clean(dir)), "."+filepath.Base(dir)+".*"); err != nil {
			return fmt.Errorf("auto: save: %w", err)
		}
		defer os.RemoveAll(target) // nothing is there after the rename
	}
	if err := removeOldTemplate(target, files); err != nil {
		return fmt.Errorf("auto: save: %w", err)
	}
	for _, f := range files {
		if err := writeFile(filepath.Join(target, f.name), f.data); err != nil {
			return fmt.Errorf("auto: save: %w", err)
		}
	}
	if err := writeWeights(target, c.whole(), o); err != nil {
		return fmt.Errorf("auto: save: %w", err)
	}
	if target == dir {
		return nil
	}
	if err := os.Chmod(target, 0o755); err != nil { // MkdirTemp makes it private
		return fmt.Errorf("auto: save: %w", err)
	}
	if err := os.Rename(target, dir); err != nil {
		return fmt.Errorf("auto: save: %w", err)
	}
	return syncFolder(filepath.Dir(filepath.Clean(dir)))
}

// removeOldTemplate removes a chat template of an older model in the folder,
// which would go before the one in tokenizer_config.json.
func removeOldTemplate(dir string, files []smallFile) error {
	if slices.ContainsFunc(files, func(f smallFile) bool { return f.name == templateFile }) {
		return nil
	}
	if err := os.Remove(filepath.Join(dir, templateFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// smallFile is a file that is written whole.
type smallFile struct {
	name string
	data []byte
}

// smallFiles are the files beside the weights.
func (c *Checkpoint) smallFiles(o SaveOptions) ([]smallFile, error) {
	config, err := c.savedConfig(o)
	if err != nil {
		return nil, err
	}
	files := []smallFile{{configFile, config}}
	words, err := c.tokenizerFiles()
	if err != nil || c.classifies() { // which generates nothing
		return append(files, words...), err
	}
	generation := c.files[generationFile]
	if generation == nil {
		if generation, err = generationConfig(c.Model.Config()); err != nil {
			return nil, err
		}
	}
	return append(append(files, smallFile{generationFile, generation}), words...), nil
}

// savedConfig is the model's config.json with the type of the weights and
// whether the head is tied brought up to date. Keys are sorted, as transformers
// writes them; the text of every other value is kept.
func (c *Checkpoint) savedConfig(o SaveOptions) ([]byte, error) {
	m, fields := c.Model, map[string]json.RawMessage{}
	if err := c.checkHead(); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(m.Config().Raw, &fields); err != nil {
		return nil, fmt.Errorf("%w: the model has no config.json to save: %w", model.ErrConfig, err)
	}
	dt := o.Dtype
	if dt == (tensor.Dtype{}) {
		dt = m.Embedding().Weight.Dtype()
	}
	name := map[tensor.Dtype]string{tensor.Float32: "float32", tensor.Float64: "float64", tensor.BFloat16: "bfloat16", tensor.Float16: "float16"}[dt]
	key := "torch_dtype"
	if _, v5 := fields["dtype"]; v5 {
		key = "dtype"
	}
	fields[key] = json.RawMessage(`"` + name + `"`)
	delete(fields, "quantization_config") // weights are decoded when they are opened
	fields["tie_word_embeddings"] = json.RawMessage(fmt.Sprint(model.Tied(m)))
	if err := c.describeHead(fields); err != nil {
		return nil, err
	}
	return indented(fields)
}

// generationConfig tells other tools which ids begin and end a text.
func generationConfig(c *model.Config) ([]byte, error) {
	fields := map[string]any{}
	if c.BOS >= 0 {
		fields["bos_token_id"] = c.BOS
	}
	if c.PAD >= 0 {
		fields["pad_token_id"] = c.PAD
	}
	switch len(c.EOS) {
	case 0:
	case 1:
		fields["eos_token_id"] = c.EOS[0]
	default:
		fields["eos_token_id"] = c.EOS
	}
	return indented(fields)
}

// indented is v as transformers lays JSON out: sorted keys, two spaces, and a
// newline at the end.
func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// writeFile replaces a file: a reader finds the old one or the new one whole.
func writeFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+strings.TrimPrefix(filepath.Base(path), ".")+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// syncFolder makes a rename inside the folder last.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
