package safetensors

import (
	"errors"
	"fmt"
	"github.com/posttrain/posttrain/tensor/internal/scratch"
	"maps"
	"os"
	"path/filepath"
	"regexp"
)

// DefaultMaxShardBytes is the shard size of transformers before version 5.
const DefaultMaxShardBytes = 5_000_000_000

// FolderOptions say how a model folder is written. The zero value is good.
type FolderOptions struct {
	// MaxShardBytes bounds the tensor data of one file; a tensor that is larger
	// has a file of its own. 0 means DefaultMaxShardBytes.
	MaxShardBytes int64
	// Metadata goes into every file; nil means {"format": "pt"}, which
	// transformers asks for.
	Metadata map[string]string
}

// FolderWriter writes a model folder: "model.safetensors" when everything fits
// one file, else shards and their index. It is for one goroutine.
type FolderWriter struct {
	dir     string
	writers []*Writer
	home    map[string]*Writer
	index   *shardIndex // nil for a single file
	numbers int64
	size    int64
	closed  bool
}

// CreateFolder starts to write a model into an existing folder. Tensors are
// spread over shards in the order given, as transformers does. See
// [FolderWriter.Close] for what happens to an older model there.
func CreateFolder(dir string, tensors []Info, o FolderOptions) (*FolderWriter, error) {
	if o.MaxShardBytes < 0 {
		return nil, fmt.Errorf("safetensors: create %s: MaxShardBytes: got %d, want none below 0", dir, o.MaxShardBytes)
	}
	if o.MaxShardBytes == 0 {
		o.MaxShardBytes = DefaultMaxShardBytes
	}
	if o.Metadata == nil {
		o.Metadata = map[string]string{"format": "pt"}
	}
	w := &FolderWriter{dir: dir, home: map[string]*Writer{}}
	groups, err := w.split(tensors, o.MaxShardBytes)
	if err != nil {
		return nil, fmt.Errorf("safetensors: create %s: %w", dir, err)
	}
	if len(groups) > 1 {
		w.index = &shardIndex{home: map[string]string{}}
	}
	for i, group := range groups {
		name := singleName
		if len(groups) > 1 {
			name = fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(groups))
		}
		if err := w.addShard(name, group, o.Metadata); err != nil {
			return nil, errors.Join(err, w.Abort())
		}
	}
	return w, nil
}

// split groups tensors into shards: a new one starts where the next tensor
// would not fit.
func (w *FolderWriter) split(tensors []Info, limit int64) ([][]Info, error) {
	groups := [][]Info{nil}
	room := limit
	seen := map[string]bool{}
	for _, t := range tensors {
		n, size, err := t.measure()
		if err != nil {
			return nil, err
		}
		if seen[t.Name] {
			return nil, fmt.Errorf("tensor %q: got the name twice", clip(t.Name))
		}
		seen[t.Name] = true
		last := len(groups) - 1
		if size > room && len(groups[last]) > 0 {
			groups, room, last = append(groups, nil), limit, last+1
		}
		groups[last] = append(groups[last], t)
		room -= size
		w.numbers += n
		w.size += size
	}
	return groups, nil
}

func (w *FolderWriter) addShard(name string, group []Info, metadata map[string]string) error {
	shard, err := Create(filepath.Join(w.dir, name), group, metadata)
	if err != nil {
		return err
	}
	w.writers = append(w.writers, shard)
	for _, t := range group {
		w.home[t.Name] = shard
		if w.index != nil {
			w.index.home[t.Name] = name
		}
	}
	return nil
}

// Write writes the little-endian bytes of a tensor, all of them, once.
func (w *FolderWriter) Write(name string, data []byte) error {
	shard, err := w.shard(name)
	if err != nil {
		return err
	}
	return shard.Write(name, data)
}

// WriteFloat32 converts numbers to the tensor's type and writes them, as
// [Writer.WriteFloat32] does.
func (w *FolderWriter) WriteFloat32(name string, values []float32) error {
	shard, err := w.shard(name)
	if err != nil {
		return err
	}
	return shard.WriteFloat32(name, values)
}

func (w *FolderWriter) shard(name string) (*Writer, error) {
	shard, ok := w.home[name]
	if !ok {
		return nil, fmt.Errorf("safetensors: %s: tensor %q: %w among the %d to be written", w.dir, clip(name), ErrNotFound, len(w.home))
	}
	return shard, nil
}

// Close completes all files and then gives them their names. An older model in
// the folder is replaced: a reader finds the old one or the new one whole, with
// one exception: where shards replace shards, a process killed in between leaves
// a folder without index, which [OpenFolder] refuses. It never finds a mixture.
// Shards of the older model that are left over are removed.
func (w *FolderWriter) Close() error {
	if w.closed {
		return nil
	}
	for _, shard := range w.writers {
		if err := shard.file.Seal(); err != nil {
			return errors.Join(err, w.Abort())
		}
	}
	w.closed = true
	if w.index == nil {
		// From the moment of the rename readers take the single file.
		if err := w.publish(); err != nil {
			return err
		}
		return w.clean(indexName)
	}
	if err := scratch.Remove(filepath.Join(w.dir, indexName)); err != nil {
		return errors.Join(fmt.Errorf("safetensors: %w", err), w.discard(w.writers))
	}
	if err := w.publish(); err != nil {
		return err
	}
	data, err := w.index.marshal(w.numbers, w.size)
	if err == nil {
		err = scratch.WriteWhole(filepath.Join(w.dir, indexName), data)
	}
	if err != nil {
		return fmt.Errorf("safetensors: write %s: %w", filepath.Join(w.dir, indexName), err)
	}
	return w.clean(singleName)
}

func (w *FolderWriter) publish() error {
	for i, shard := range w.writers {
		if err := shard.file.Publish(); err != nil {
			return errors.Join(err, w.discard(w.writers[i+1:]))
		}
	}
	return nil
}

// discard removes the scratch files of sealed shards.
func (w *FolderWriter) discard(shards []*Writer) error {
	var errs []error
	for _, shard := range shards {
		errs = append(errs, shard.file.Remove())
	}
	return errors.Join(errs...)
}

var shardName = regexp.MustCompile(`^model-[0-9]{5}-of-[0-9]{5}\.safetensors$`)

// clean removes what an older model of another layout has left: the named file
// and shards that are not ours.
func (w *FolderWriter) clean(other string) error {
	errs := []error{scratch.Remove(filepath.Join(w.dir, other))}
	ours := map[string]bool{}
	if w.index != nil {
		for shard := range maps.Values(w.index.home) {
			ours[shard] = true
		}
	}
	entries, err := os.ReadDir(w.dir)
	errs = append(errs, err)
	for _, e := range entries {
		if shardName.MatchString(e.Name()) && !ours[e.Name()] {
			errs = append(errs, scratch.Remove(filepath.Join(w.dir, e.Name())))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("safetensors: remove the older model: %w", err)
	}
	return nil
}

// Abort gives up: it removes all scratch files and leaves an older model as it
// was. After Close it does nothing, so it can be deferred.
func (w *FolderWriter) Abort() error {
	if w.closed {
		return nil
	}
	w.closed = true
	var errs []error
	for _, shard := range w.writers {
		if shard.file.Sealed() {
			errs = append(errs, shard.file.Remove()) // sealed before another failed
		}
		errs = append(errs, shard.Abort())
	}
	return errors.Join(errs...)
}
