package safetensors

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/posttrain/posttrain/tensor/internal/mapped"
)

// The names of a model's files in a Hugging Face folder.
const (
	singleName = "model.safetensors"
	indexName  = "model.safetensors.index.json"
)

// Folder is an open model folder: one file, or the shards that an index names.
// Its methods may be called from several goroutines at once.
type Folder struct {
	name     string
	files    []*File
	tensors  []Tensor
	byName   map[string]int
	unlisted []string
}

// opener opens a file of the folder by its plain name.
type opener func(name string) (*mapped.File, error)

// OpenFolder opens the model in a folder: "model.safetensors" if it is there,
// else the shards of "model.safetensors.index.json". Shards must be files of
// the folder itself, named without any path (a file that is a symbolic link is
// followed: Hugging Face's cache consists of them).
func OpenFolder(dir string) (*Folder, error) {
	return openFolder(dir, func(name string) (*mapped.File, error) { return mapped.Open(filepath.Join(dir, name)) })
}

// OpenFS opens the model in a folder of fsys, such as an [embed.FS], as
// OpenFolder does. The files are read into memory.
func OpenFS(fsys fs.FS, dir string) (*Folder, error) {
	return openFolder(dir, func(name string) (*mapped.File, error) {
		full := path.Join(dir, name)
		data, err := fs.ReadFile(fsys, full)
		if err != nil {
			return nil, err
		}
		return mapped.Memory(full, data), nil
	})
}

func openFolder(name string, open opener) (*Folder, error) {
	f := &Folder{name: name, byName: map[string]int{}}
	err := f.open(open)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *Folder) open(open opener) error {
	m, err := open(singleName)
	if err == nil {
		return f.openSingle(m)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("safetensors: open: %w", err)
	}
	m, err = open(indexName)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("safetensors: %s: got neither %s nor %s%s: %w", f.name, singleName, indexName, pickleHint(open), fs.ErrNotExist)
	}
	if err != nil {
		return fmt.Errorf("safetensors: open: %w", err)
	}
	ix, err := readIndex(m)
	if err := errors.Join(err, m.Close()); err != nil {
		return fmt.Errorf("safetensors: %s: %w", m.Name(), err)
	}
	return f.openShards(open, ix, m.Name())
}

func pickleHint(open opener) string {
	for _, name := range []string{"pytorch_model.bin", "pytorch_model.bin.index.json"} {
		if m, err := open(name); err == nil {
			_ = m.Close() // only its presence matters
			return " but " + name + ": PyTorch pickle checkpoints run code when they are loaded and are not supported, convert the model to safetensors"
		}
	}
	return ""
}

func (f *Folder) openSingle(m *mapped.File) error {
	file, err := load(m)
	if err != nil {
		return err
	}
	f.files = []*File{file}
	f.tensors, f.byName = file.tensors, file.byName
	return nil
}

// openShards opens every shard in the order of their names and checks them
// against the index.
func (f *Folder) openShards(open opener, ix *shardIndex, indexPath string) error {
	for _, shard := range ix.shards {
		m, err := open(shard)
		if err != nil {
			return fmt.Errorf("safetensors: %s: shard %q: %w", indexPath, clip(shard), err)
		}
		file, err := load(m)
		if err != nil {
			return err
		}
		f.files = append(f.files, file)
		for name, t := range file.Tensors() {
			home, listed := ix.home[name]
			if listed && home != shard {
				continue // the index decides between copies; a missing one shows below
			}
			if other, twice := f.byName[name]; twice {
				return fmt.Errorf("safetensors: %s: tensor %q is also in %s, and the index names neither", file.Name(), clip(name), f.tensors[other].file.Name())
			}
			if !listed {
				f.unlisted = append(f.unlisted, name)
			}
			f.byName[name] = len(f.tensors)
			f.tensors = append(f.tensors, t)
		}
	}
	for name, shard := range ix.all() {
		if _, ok := f.byName[name]; !ok {
			return fmt.Errorf("safetensors: %s: tensor %q: %w in its shard %q", indexPath, clip(name), ErrNotFound, shard)
		}
	}
	return nil
}

// Close releases all files of the folder.
func (f *Folder) Close() error {
	var errs []error
	for _, file := range f.files {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}

// Name is the folder's path.
func (f *Folder) Name() string { return f.name }

// Len is the count of tensors.
func (f *Folder) Len() int { return len(f.tensors) }

// Shards is the count of files.
func (f *Folder) Shards() int { return len(f.files) }

// Unlisted names the tensors that a shard holds though the index does not name
// them. They are part of the model, as in the reference loader, but worth a
// warning.
func (f *Folder) Unlisted() []string { return slices.Clone(f.unlisted) }

// Metadata returns a copy of the metadata of the first file.
func (f *Folder) Metadata() map[string]string {
	if len(f.files) == 0 {
		return nil
	}
	return f.files[0].Metadata()
}

// Tensors yields name and tensor in file order, shard after shard.
func (f *Folder) Tensors() iter.Seq2[string, Tensor] {
	return func(yield func(string, Tensor) bool) {
		for _, t := range f.tensors {
			if !yield(t.name, t) {
				return
			}
		}
	}
}

// Tensor returns the tensor of that name, or an error that wraps [ErrNotFound].
func (f *Folder) Tensor(name string) (Tensor, error) {
	i, ok := f.byName[name]
	if !ok {
		return Tensor{}, fmt.Errorf("safetensors: %s: tensor %q: %w among %d tensors", f.name, clip(name), ErrNotFound, f.Len())
	}
	return f.tensors[i], nil
}

// checkShardName wants a plain file name, also by the rules of other systems:
// the index may come from a stranger.
func checkShardName(name string) error {
	plain := name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\\:\x00") && filepath.IsLocal(name)
	switch {
	case !plain:
		return fmt.Errorf("got the shard name %q, want the plain name of a file in the folder", clip(name))
	case strings.HasSuffix(name, ".bin") || strings.HasSuffix(name, ".pt") || strings.HasSuffix(name, ".pth"):
		return fmt.Errorf("got the shard %q: PyTorch pickle checkpoints run code when they are loaded and are not supported, convert the model to safetensors", clip(name))
	}
	return nil
}
