package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/posttrain/posttrain/tensor/internal/mapped"
)

// maxIndexEntries bounds the tensors of an index; the largest published models
// have about 150 000.
const maxIndexEntries = 1 << 18

// shardIndex says in which shard every tensor lies.
type shardIndex struct {
	home   map[string]string // tensor -> shard
	shards []string          // sorted
}

// all yields tensor and shard by tensor name.
func (ix *shardIndex) all() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, name := range slices.Sorted(maps.Keys(ix.home)) {
			if !yield(name, ix.home[name]) {
				return
			}
		}
	}
}

// readIndex reads model.safetensors.index.json. Its total_size is ignored, as
// by the reference loader.
func readIndex(m *mapped.File) (*shardIndex, error) {
	if m.Size() > maxHeader {
		return nil, fmt.Errorf("got %d bytes, want at most %d", m.Size(), maxHeader)
	}
	ix := &shardIndex{}
	err := m.Guard(func() error {
		raw, err := m.Section(0, m.Size())
		if err != nil {
			return err
		}
		s := &scanner{b: raw}
		if err := s.object(func(name string) error {
			if name != "weight_map" {
				return s.skip()
			}
			if ix.home != nil {
				return errors.New("got weight_map twice")
			}
			return ix.readMap(s)
		}); err != nil {
			return err
		}
		return s.end()
	})
	if err == nil && ix.home == nil {
		err = errors.New("got no weight_map")
	}
	return ix, err
}

func (ix *shardIndex) readMap(s *scanner) error {
	ix.home = map[string]string{}
	interned := map[string]string{} // one copy of every shard name
	err := s.object(func(name string) error {
		if _, ok := ix.home[name]; ok {
			return fmt.Errorf("weight_map: got tensor %q twice", clip(name))
		}
		if len(ix.home) == maxIndexEntries {
			return fmt.Errorf("weight_map: got more than %d tensors", maxIndexEntries)
		}
		shard, err := s.text()
		if err != nil {
			return fmt.Errorf("weight_map: tensor %q: %w", clip(name), err)
		}
		if _, ok := interned[shard]; !ok {
			if err := checkShardName(shard); err != nil {
				return fmt.Errorf("weight_map: tensor %q: %w", clip(name), err)
			}
			interned[shard] = shard
		}
		ix.home[name] = interned[shard]
		return nil
	})
	ix.shards = slices.Sorted(maps.Keys(interned))
	return err
}

// marshal renders the index as transformers writes it.
func (ix *shardIndex) marshal(parameters, size int64) ([]byte, error) {
	type totals struct {
		Parameters int64 `json:"total_parameters"`
		Size       int64 `json:"total_size"`
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(struct {
		Metadata  totals            `json:"metadata"`
		WeightMap map[string]string `json:"weight_map"`
	}{totals{parameters, size}, ix.home})
	return b.Bytes(), err
}
