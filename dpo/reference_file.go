package dpo

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/safetensors"
)

// ErrCache is wrapped by errors about a file of log-probabilities that belongs to
// another run.
var ErrCache = errors.New("dpo: cached log-probabilities are of something else")

// Names in the file: one number a target, and the end of each example.
const (
	cacheFormat = "posttrain reference log-probabilities 1"
	cacheValues = "log_probs"
	cacheEnds   = "ends"
)

// identify lists what the cached numbers depend on, each by a name for people.
func identify(f *Frozen, from Lister) [][2]string {
	return [][2]string{
		{"format", cacheFormat},
		{"model", hashModel(f.Model)},
		{"adapter", f.adapterID()},
		{"data", from.DataFingerprint()},
		{"layout", from.Layout()},
	}
}

// hashModel is the SHA-256 of the configuration and all weights.
func hashModel(m model.Model) string {
	sum := sha256.New()
	sum.Write(m.Config().Raw)
	for name, p := range m.Params() {
		fmt.Fprintf(sum, "%s %v %v\n", name, p.Dtype(), p.Shape())
		sum.Write(storage(p))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// adapterID names the adapter: by its values where they are at hand. Another
// adapter of the same name is noticed by probe.
func (f *Frozen) adapterID() string {
	if f.copied == nil {
		return strconv.Quote(f.Adapter)
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%+v\n", f.copied.Config())
	for name, p := range f.copied.Params() {
		fmt.Fprintf(sum, "%s %v\n", strings.ReplaceAll(name, f.Adapter, ""), p.Shape())
		sum.Write(storage(p))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// storage is a parameter's memory, whatever it is stored as.
func storage(p *tensor.Param) []byte {
	half := p.Data16()
	if half == nil {
		return policy.Memory(p)
	}
	raw := make([]byte, 0, 2*len(half))
	for _, h := range half {
		raw = binary.LittleEndian.AppendUint16(raw, h)
	}
	return raw
}

// openCache reads the file of the reference, or computes and writes it.
func openCache(s scorer, f *Frozen, from Lister, capacity size) (*cache, error) {
	want := identify(f, from)
	c, err := readCache(f.file, want, from.Examples())
	switch {
	case err == nil:
		return c, c.probe(s, f, from, capacity.pairs)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if c, err = fillCache(s, from, capacity.pairs); err != nil {
		return nil, err
	}
	return c, c.write(f.file, want)
}

// write puts the cache in a file, whole or not at all.
func (c *cache) write(path string, id [][2]string) error {
	var values, ends []byte
	n := 0
	for _, list := range c.examples {
		for _, v := range list {
			values = binary.LittleEndian.AppendUint64(values, math.Float64bits(v))
		}
		n += len(list)
		ends = binary.LittleEndian.AppendUint64(ends, uint64(n))
	}
	about := map[string]string{"isa": tensor.InstructionSet()}
	for _, e := range id {
		about[e[0]] = e[1]
	}
	w, err := safetensors.Create(path, []safetensors.Info{
		{Name: cacheEnds, Dtype: safetensors.I64, Shape: []int{len(c.examples)}},
		{Name: cacheValues, Dtype: safetensors.F64, Shape: []int{n}},
	}, about)
	if err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		raw  []byte
	}{{cacheEnds, ends}, {cacheValues, values}} {
		if err := w.Write(part.name, part.raw); err != nil {
			return errors.Join(err, w.Abort())
		}
	}
	return w.Close()
}

// readCache reads a file, which must be of what id says.
func readCache(path string, id [][2]string, examples int) (*cache, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseCache(f, id, examples)
}

// parseCache is readCache of a file that is open.
func parseCache(f *safetensors.File, id [][2]string, examples int) (*cache, error) {
	about, path := f.Metadata(), f.Name()
	if about["format"] != cacheFormat {
		return nil, fmt.Errorf("%w: %s: format: got %q, want %q", ErrCache, path, about["format"], cacheFormat)
	}
	var faults []error
	for _, e := range id {
		if got := about[e[0]]; got != e[1] {
			faults = append(faults, fmt.Errorf("%s differs: got %s, want %s", e[0], brief(got), brief(e[1])))
		}
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("%w: %s: %w; remove the file, or name another, to compute them again", ErrCache, path, errors.Join(faults...))
	}
	ends, err1 := readWords(f, cacheEnds, safetensors.I64)
	values, err2 := readWords(f, cacheValues, safetensors.F64)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	c := &cache{examples: make([][]float64, examples), isa: about["isa"]}
	at := uint64(0)
	if len(ends) != examples {
		return nil, fmt.Errorf("%w: %s: got %d examples, want %d", ErrCache, path, len(ends), examples)
	}
	for i, end := range ends {
		if end < at || end > uint64(len(values)) {
			return nil, fmt.Errorf("%w: %s: example %d ends at %d, want %d to %d", ErrCache, path, i, end, at, len(values))
		}
		for _, bits := range values[at:end] {
			c.examples[i] = append(c.examples[i], math.Float64frombits(bits))
		}
		at = end
	}
	return c, nil
}

// brief shortens a hash for people.
func brief(s string) string {
	if len(s) == 2*sha256.Size && !strings.Contains(s, " ") {
		return s[:12] + "…"
	}
	return fmt.Sprintf("%q", s)
}

// readWords reads a list of 8-byte numbers.
func readWords(f *safetensors.File, name string, dt safetensors.Dtype) ([]uint64, error) {
	x, err := f.Tensor(name)
	if err != nil {
		return nil, err
	}
	if x.Dtype() != dt || len(x.Shape()) != 1 {
		return nil, fmt.Errorf("%w: %s: %s is %v %v, want a list of %v", ErrCache, f.Name(), name, x.Dtype(), x.Shape(), dt)
	}
	words := make([]uint64, 0, x.Len())
	err = x.View(func(raw []byte) error {
		for ; len(raw) >= 8; raw = raw[8:] {
			words = append(words, binary.LittleEndian.Uint64(raw))
		}
		return nil
	})
	return words, err
}

// probeTol, relative, is what another instruction set may change; with the same one
// numbers are equal.
const probeTol = 1e-3

// probe compares the first micro-batch with what the reference says now: it
// notices what no fingerprint lists, such as another adapter under the same name.
func (c *cache) probe(s scorer, f *Frozen, from Lister, pairs int) error {
	walk, err := from.Walk(pairs)
	if err != nil {
		return err
	}
	var step Step
	if err := walk.Next(&step); err != nil {
		return err
	}
	b := &step.Micro[0]
	now, err := s.score(nil, b)
	if err != nil {
		return err
	}
	kept, err := c.score(nil, b)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrCache, f.file, err)
	}
	tol := 0.0
	if c.isa != tensor.InstructionSet() {
		tol = probeTol
	}
	for i, v := range now {
		if !(math.Abs(v-kept[i]) <= tol*math.Max(1, math.Abs(v))) {
			return fmt.Errorf("%w: %s: adapter, or how the model computes, differs: the log-probability of target %d is %g in the file and %g now; remove the file, or name another, to compute them again", ErrCache, f.file, i, kept[i], v)
		}
	}
	return nil
}

// beside is the file of the evaluation's log-probabilities.
func beside(path string) string {
	if path == "" {
		return ""
	}
	ext := filepath.Ext(path)
	return strings.TrimSuffix(path, ext) + ".eval" + ext
}
