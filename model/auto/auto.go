package auto

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/posttrain/posttrain/data/tokenizer"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/gguf"
	"github.com/posttrain/posttrain/tensor/safetensors"
)

// ErrUnsupported is wrapped by errors about checkpoints that are sound but of a
// kind this library cannot use: a family, a storage type, a quantisation.
var ErrUnsupported = errors.New("auto: not supported")

// Options control Open. The zero value is good for training and for generation.
type Options struct {
	// Weights is the storage type of matrices in memory: Float32, BFloat16,
	// Float16 or Float64. The zero value keeps float32, bfloat16 and float16 as
	// they are in the file and decodes everything else, quantised tensors too, to
	// float32. All weights that are to be trained must be float32 or float64.
	Weights tensor.Dtype
	// Mapped lets weights of a folder share memory with the files, where their
	// type and alignment allow it, instead of copying them. Opening is then almost
	// free and several processes share one copy, but the weights cannot be trained
	// (adapters can), Close must wait until nothing uses the model, and a file
	// that is cut short meanwhile kills the process: replace files by rename. It
	// has no effect on GGUF files.
	Mapped bool
	// SkipFiniteCheck leaves out the scan for NaN and infinities.
	SkipFiniteCheck bool
	// IgnoreUnused accepts tensors that the model does not use.
	IgnoreUnused bool
	// NoTokenizer accepts a checkpoint without a tokenizer, and does not read one.
	NoTokenizer bool
}

// Formats of checkpoints.
const (
	FormatFolder = "huggingface" // a Hugging Face folder with safetensors files
	FormatGGUF   = "gguf"        // a file of llama.cpp
)

// Checkpoint is an opened model with what belongs to it.
type Checkpoint struct {
	// Model is the model. Its configuration has the ids of special tokens: EOS
	// lists every id that ends a text, from generation_config.json where there is
	// one.
	Model model.Model
	// Head scores sequences or tokens, or values them: of a folder whose class is
	// …ForSequenceClassification or …ForTokenClassification, or that has TRL's
	// value head. Nil for a plain language model. A program may set it before
	// Save.
	Head *model.Head
	// Tokenizer is nil with Options.NoTokenizer.
	Tokenizer *tokenizer.Tokenizer
	// Template is the source of the chat template, "" where the model has none.
	// A program may set it before Save.
	Template string
	// Family is what the library knows about this kind of model.
	Family model.Family
	// Format is FormatFolder or FormatGGUF.
	Format string
	// Path is where the checkpoint came from.
	Path string

	files    map[string][]byte // of the folder, kept for Save
	template string            // as it was opened
	close    func() error
}

// Close releases the files behind the checkpoint. With Options.Mapped the model
// must not be used afterwards; without, nothing depends on the files and Close
// may be called at once.
func (c *Checkpoint) Close() error {
	if c.close == nil {
		return nil
	}
	err := c.close()
	c.close = nil
	return err
}

// Open reads a checkpoint: a Hugging Face folder, or a GGUF file (the first part
// of a split one). Everything that is missing or wrong about its weights is
// reported in one error.
func Open(path string, o Options) (*Checkpoint, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("auto: %w", err)
	}
	var c *Checkpoint
	switch {
	case info.IsDir():
		c, err = openFolder(path, o)
	case strings.HasSuffix(strings.ToLower(path), ".gguf"):
		c, err = openGGUF(path, o)
	default:
		err = fmt.Errorf("%w: want a folder or a .gguf file", ErrUnsupported)
	}
	if err != nil {
		return nil, fmt.Errorf("auto: %s: %w", path, err)
	}
	c.Path = path
	return c, nil
}

func (o Options) load() model.LoadOptions {
	return model.LoadOptions{Weights: o.Weights, SkipFiniteCheck: o.SkipFiniteCheck, IgnoreUnused: o.IgnoreUnused}
}

// openFolder reads a Hugging Face folder.
func openFolder(dir string, o Options) (*Checkpoint, error) {
	files, err := readSmallFiles(dir)
	if err != nil {
		return nil, err
	}
	return fromFolder(dir, files, o)
}

// fromFolder reads a folder whose small files are read already.
func fromFolder(dir string, files map[string][]byte, o Options) (*Checkpoint, error) {
	config, fam, err := ParseConfig(files[configFile])
	if err != nil {
		return nil, err
	}
	if err := applyGeneration(config, files[generationFile]); err != nil {
		return nil, err
	}
	c := &Checkpoint{Family: fam, Format: FormatFolder, files: files}
	var words *tokenizer.Tokenizer
	if !o.NoTokenizer {
		if words, err = openTokenizer(dir); err != nil {
			return nil, err
		}
	}
	folder, err := safetensors.OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	src := bnbSource{&folderSource{folder: folder, dtype: o.Weights, mapped: o.Mapped, prefix: missingPrefix(folder, fam.Prefix)}}
	l := model.NewLoader(config, src, o.load())
	if c.Head, err = openHead(files[configFile], config, l); err == nil {
		c.Model, err = fam.New(config, l)
	}
	if err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	if words != nil {
		c.useTokenizer(words)
	}
	if !o.Mapped {
		if err := folder.Close(); err != nil {
			return nil, err
		}
		return c, nil
	}
	c.close = folder.Close
	return c, nil
}

// openGGUF reads a file of llama.cpp.
func openGGUF(path string, o Options) (*Checkpoint, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	c, err := fromGGUF(f, o)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return c, nil
}

// fromGGUF reads an open file, which may be closed afterwards.
func fromGGUF(f *gguf.File, o Options) (*Checkpoint, error) {
	architecture, err := f.String("general.architecture")
	if err != nil {
		return nil, err
	}
	stored, err := byArchitecture(architecture)
	if err != nil {
		return nil, err
	}
	raw, err := ggufConfig(f, stored)
	if err != nil {
		return nil, err
	}
	config, fam, err := ParseConfig(raw) // of another model_type, where one architecture serves several
	if err != nil {
		return nil, err
	}
	var words *tokenizer.Tokenizer
	if !o.NoTokenizer {
		if words, err = ggufTokenizer(f); err != nil {
			return nil, err
		}
	}
	src := newGGUFSource(f, stored.GGUF, config, o.Weights)
	c := &Checkpoint{Family: fam, Format: FormatGGUF, files: map[string][]byte{configFile: raw}}
	if c.Model, err = fam.New(config, model.NewLoader(config, src, o.load())); err != nil {
		return nil, err
	}
	if words != nil {
		c.useTokenizer(words)
	}
	return c, nil
}
