package auto

import (
	"cmp"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/gguf"
)

// Keys and endings of llama.cpp's adapter files.
const (
	adapterTypeKey  = "adapter.type"
	adapterAlphaKey = "adapter.lora.alpha"
	lowEnding       = ".lora_a"
	highEnding      = ".lora_b"
)

// SaveAdapterGGUF writes an adapter that is attached to c's model as a LoRA file of
// llama.cpp (its option --lora), in float32. Such a file has one α for all layers;
// where the scales of layers differ from α/r, B takes up the difference. What the
// format has no place for (biases, whole copies of layers, DoRA's magnitudes,
// adapters on the embedding or the output head) is refused with an error that wraps
// ErrUnsupported. Architectures are those of SaveGGUF.
func SaveAdapterGGUF(path string, c *Checkpoint, a *lora.Adapter) error {
	if err := saveAdapterGGUF(path, c, a); err != nil {
		return fmt.Errorf("auto: save %s: %w", path, err)
	}
	return nil
}

// lowRankUpdate is what an adapter does to one layer.
type lowRankUpdate struct {
	path string // of the module
	low  *nn.LowRank
}

func saveAdapterGGUF(path string, c *Checkpoint, a *lora.Adapter) error {
	g, err := c.ggufWriter(GGUFOptions{})
	if err != nil {
		return err
	}
	updates, err := plainUpdates(c.Model, a)
	if err != nil {
		return err
	}
	// The most common α, so that most layers are written as they are.
	alphas := map[float64]int{}
	alpha := 0.0
	for _, u := range updates {
		own := u.low.Scale * float64(u.low.A.Shape()[0])
		if alphas[own]++; alphas[own] > alphas[alpha] {
			alpha = own
		}
	}
	meta := []gguf.Pair{
		{Key: "general.architecture", Value: g.layout.Architecture}, {Key: "general.type", Value: "adapter"},
		{Key: "general.name", Value: strings.TrimSuffix(filepath.Base(path), ".gguf")},
		{Key: adapterTypeKey, Value: "lora"}, {Key: adapterAlphaKey, Value: float32(alpha)},
	}
	var infos []gguf.Info
	var values [][]float32
	for _, u := range updates {
		stored, err := g.storedName(u.path + ".weight")
		if err != nil {
			return err
		}
		low, high, err := g.storedUpdate(u, alpha)
		if err != nil {
			return err
		}
		infos = append(infos, gguf.Info{Name: stored + lowEnding, Type: gguf.F32, Shape: u.low.A.Shape()}, gguf.Info{Name: stored + highEnding, Type: gguf.F32, Shape: u.low.B.Shape()})
		values = append(values, low, high)
	}
	return writeWholeGGUF(path, meta, infos, values)
}

// plainUpdates lists the layers of an adapter that has nothing but updates of
// linear layers.
func plainUpdates(m model.Model, a *lora.Adapter) ([]lowRankUpdate, error) {
	var list []lowRankUpdate
	parts := 0
	for path, l := range m.Linears() {
		low, ok := l.Adapters[a.Name()].(*nn.LowRank)
		if !ok {
			continue
		}
		if low.Bias != nil || low.Magnitude != nil {
			return nil, fmt.Errorf("%w: GGUF files have no place for a bias or a magnitude of %s's update", ErrUnsupported, path)
		}
		list = append(list, lowRankUpdate{path, low})
		parts += 2
	}
	n := 0
	for range a.Params() {
		n++
	}
	switch {
	case len(list) == 0:
		return nil, fmt.Errorf("%w: adapter %q updates no linear layer of this model", ErrUnsupported, a.Name())
	case n != parts:
		return nil, fmt.Errorf("%w: adapter %q has %d parameters beside the updates of linear layers, for which GGUF files have no place", ErrUnsupported, a.Name(), n-parts)
	}
	return list, nil
}

// storedUpdate is A and B as the file has them: B with the order of rows of its
// layer, and times what its scale differs from alpha/r.
func (g *ggufWriter) storedUpdate(u lowRankUpdate, alpha float64) (low, high []float32, err error) {
	a, err := u.low.A.Convert(tensor.Float32)
	if err != nil {
		return nil, nil, err
	}
	if high, err = g.stored(u.path+".weight", u.low.B); err != nil {
		return nil, nil, err
	}
	if ratio := u.low.Scale * float64(u.low.A.Shape()[0]) / alpha; ratio != 1 {
		high = slices.Clone(high)
		for i := range high {
			high[i] = float32(float64(high[i]) * ratio)
		}
	}
	return a.Data(), high, nil
}

// writeWholeGGUF writes a file that appears complete or not at all.
func writeWholeGGUF(path string, meta []gguf.Pair, infos []gguf.Info, values [][]float32) error {
	w, err := gguf.Create(path, meta, infos)
	if err != nil {
		return err
	}
	defer w.Abort() // does nothing after Close
	for i, info := range infos {
		if _, err := w.WriteFloat32(info.Name, values[i]); err != nil {
			return err
		}
	}
	return w.Close()
}

// LoadAdapterGGUF attaches a LoRA file of llama.cpp to c's model under a name.
func LoadAdapterGGUF(path string, c *Checkpoint, name string) (*lora.Adapter, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("auto: %w", err)
	}
	defer f.Close()
	a, err := loadAdapterGGUF(f, c, name)
	if err != nil {
		return nil, fmt.Errorf("auto: %s: %w", path, err)
	}
	return a, nil
}

func loadAdapterGGUF(f *gguf.File, c *Checkpoint, name string) (*lora.Adapter, error) {
	layout := c.Family.GGUF
	if layout == nil {
		return nil, fmt.Errorf("%w: GGUF files of model_type %q", ErrUnsupported, c.Family.ModelType)
	}
	for key, want := range map[string]string{"general.type": "adapter", adapterTypeKey: "lora", "general.architecture": layout.Architecture} {
		if got, err := f.String(key); err != nil || got != want {
			return nil, fmt.Errorf("%w: %s: got %q (%v), want %q", ErrUnsupported, key, got, err, want)
		}
	}
	alpha, err := f.Float(adapterAlphaKey)
	if err != nil || !(math.Abs(alpha) <= math.MaxFloat32) || alpha == 0 {
		return nil, fmt.Errorf("%s: got %g (%v), want a number that is not 0", adapterAlphaKey, alpha, err)
	}
	src := newAdapterSource(f, layout, c.Model.Config())
	config, err := src.adapterConfig(alpha)
	if err != nil {
		return nil, err
	}
	a, err := lora.Attach(c.Model, name, config)
	if err != nil {
		return nil, err
	}
	if err := src.fillAdapter(c.Model, a); err != nil {
		a.Remove()
		return nil, err
	}
	return a, nil
}

// newAdapterSource lists the halves of updates under the folder's names of their
// weights, with their endings.
func newAdapterSource(f *gguf.File, layout *model.GGUF, c *model.Config) *ggufSource {
	s := &ggufSource{file: f, layout: layout, config: c, dtype: tensor.Float32, stored: map[string]string{}}
	inBlock, outside := folderNames(blockNames, layout.Names), folderNames(outerNames, layout.Outer)
	blocks := cmp.Or(layout.Blocks, "model.layers")
	for name := range f.Tensors() {
		weight, ending := name, ""
		if dot := strings.LastIndexByte(name, '.'); dot > 0 {
			weight, ending = name[:dot], name[dot:]
		}
		hf := folderName(weight, blocks, inBlock, outside) + ending
		s.names = append(s.names, hf)
		s.stored[hf] = name
	}
	return s
}

// adapterConfig describes the file's updates: the modules and their ranks.
func (s *ggufSource) adapterConfig(alpha float64) (lora.Config, error) {
	c := lora.Config{Alpha: alpha, Targets: []string{}}
	ranks := map[string]int{}
	for _, name := range s.names {
		module, high := strings.CutSuffix(name, ".weight"+highEnding)
		if low, ok := strings.CutSuffix(name, ".weight"+lowEnding); ok {
			module = low
		} else if !high {
			return c, fmt.Errorf("%w: tensor %s, want names that end in .weight%s or .weight%s", ErrUnsupported, s.stored[name], lowEnding, highEnding)
		}
		t, err := s.file.Tensor(s.stored[name])
		if err != nil {
			return c, err
		}
		if len(t.Shape()) != 2 {
			return c, fmt.Errorf("%w: %s has shape %v, want a matrix", model.ErrBadWeight, t.Name(), t.Shape())
		}
		rank := t.Shape()[0]
		if high {
			rank = t.Shape()[1]
		}
		if old, ok := ranks[module]; ok && old != rank {
			return c, fmt.Errorf("%w: the halves of %s have ranks %d and %d, want the same", model.ErrBadWeight, module, old, rank)
		}
		if _, ok := ranks[module]; !ok {
			c.Targets = append(c.Targets, module)
			c.RankPattern = append(c.RankPattern, lora.Pattern[int]{Key: module, Value: rank})
		}
		ranks[module] = rank
	}
	if len(c.Targets) == 0 {
		return c, fmt.Errorf("%w: the file has no tensors, want updates of layers", lora.ErrNoTarget)
	}
	return c, nil
}

// fillAdapter copies the file's numbers into an attached adapter.
func (s *ggufSource) fillAdapter(m model.Model, a *lora.Adapter) error {
	filled := 0
	for path, l := range m.Linears() {
		low, ok := l.Adapters[a.Name()].(*nn.LowRank)
		if !ok {
			continue
		}
		for _, half := range []struct {
			to     *tensor.Param
			ending string
		}{{low.A, lowEnding}, {low.B, highEnding}} {
			t, err := s.file.Tensor(s.stored[path+".weight"+half.ending])
			if err != nil {
				return err
			}
			p, err := decode(t, path+".weight")
			if err != nil {
				return err
			}
			if !slices.Equal(p.Shape(), half.to.Shape()) {
				return fmt.Errorf("%w: %s has shape %v, want %v", model.ErrBadWeight, t.Name(), p.Shape(), half.to.Shape())
			}
			if half.ending == highEnding { // its rows are the layer's
				if err := s.restore(p); err != nil {
					return err
				}
			}
			wide, err := p.Convert(tensor.Float64)
			if err == nil {
				err = half.to.Set(wide.Data64())
			}
			if err != nil {
				return err
			}
			filled++
		}
	}
	if filled != len(s.names) {
		return fmt.Errorf("%w: %d of the file's %d tensors belong to linear layers of the model, want all", model.ErrUnusedWeight, filled, len(s.names))
	}
	return nil
}
