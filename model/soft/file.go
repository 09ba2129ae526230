package soft

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/internal/folder"
	"github.com/posttrain/posttrain/tensor"
)

// ErrWeights is wrapped by errors about the tensors of a prompt's files.
var ErrWeights = folder.ErrWeights

const (
	encoderFile = "prompt_encoder.safetensors" // ours, beside those of PEFT
	resultName  = "prompt_embeddings"          // the tensor in PEFT's file
)

// Load attaches the prompt in a PEFT folder to m under a name that is not in use.
// Its parameters are frozen; SetTrainable makes training go on: of the encoder
// where Save wrote it beside PEFT's files, else of what it made.
func Load(m model.Model, name, dir string) (*Prompt, error) {
	c, err := readConfig(dir, m.Config())
	if err != nil {
		return nil, err
	}
	p, err := newPrompt(m, name, c)
	if err != nil {
		return nil, err
	}
	if p.enc, err = p.storedEncoder(dir); err != nil {
		return nil, fmt.Errorf("soft: %w", err)
	}
	if err := p.Restore(dir); err != nil {
		return nil, err
	}
	p.attach()
	return p, nil
}

// storedEncoder is an encoder with room for what the folder has: the encoder that
// Save wrote, or only what it made. Files are as large as what is allocated.
func (p *Prompt) storedEncoder(dir string) (*encoder, error) {
	c := p.config
	width, result := c.tokenWidth(p.model.Config()), c.resultWidth(p.model.Config())
	if err := folder.Holds(filepath.Join(dir, folder.WeightsFile), c.Tokens*result); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, encoderFile)
	if _, err := os.Stat(path); err != nil || !c.encodes() {
		return newTable(c.Tokens, result, p.double())
	}
	size := c.Width * (width + result)
	if c.Kind == PTuning {
		size = c.Width * (width + c.Width + result)
	}
	if err := folder.Holds(path, size); err != nil {
		return nil, err
	}
	return newEncoder(c, width, result, p.double())
}

// stored lists the parameters of the encoder by their names in its file.
func (p *Prompt) stored() []folder.Tensor {
	var list []folder.Tensor
	for name, q := range p.Params() {
		list = append(list, folder.Tensor{Name: name, Param: q})
	}
	return list
}

// Restore overwrites the prompt's values with those of a folder that Save wrote
// for a prompt of the same kind and size. On failure the values may be a mixture.
func (p *Prompt) Restore(dir string) error {
	path, list := filepath.Join(dir, folder.WeightsFile), []folder.Tensor{{Name: resultName, Param: p.enc.table}}
	if len(p.enc.layers) > 0 {
		path, list = filepath.Join(dir, encoderFile), p.stored()
	}
	if err := folder.Read(path, list); err != nil {
		return fmt.Errorf("soft: %w", err)
	}
	return nil
}

// Save writes the prompt as a PEFT folder, which is created if it is missing; the
// encoder, if there is one, goes into a file of its own. The folder says that the
// prompt belongs to base, the name of a model or a path; "" stands for what Config
// says.
func (p *Prompt) Save(dir, base string) error {
	if err := p.save(dir, base); err != nil {
		return fmt.Errorf("soft: %w", err)
	}
	return nil
}

func (p *Prompt) save(dir, base string) error {
	c := p.config
	if base != "" && base != c.BaseModel {
		c.BaseModel, c.Revision = base, ""
	}
	result, err := p.Result()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := folder.Write(filepath.Join(dir, folder.WeightsFile), []folder.Tensor{{Name: resultName, Param: result}}); err != nil {
		return err
	}
	encoder := filepath.Join(dir, encoderFile)
	if len(p.enc.layers) > 0 {
		err = folder.Write(encoder, p.stored())
	} else if err = os.Remove(encoder); errors.Is(err, fs.ErrNotExist) {
		err = nil // there is none of an older prompt
	}
	if err != nil {
		return err
	}
	return folder.WriteConfig(dir, c.fields(p.model.Config()))
}

// Result is what the model sees of the virtual tokens, (tokens, width): the
// embeddings, or the keys and values of all layers, as a copy.
func (p *Prompt) Result() (*tensor.Param, error) {
	if len(p.enc.layers) == 0 {
		return p.enc.table.Convert(p.enc.table.Dtype())
	}
	var out *tensor.Node
	g, err := tensor.Build(func(g *tensor.Graph) { out = p.enc.result(g) })
	if err != nil {
		return nil, err
	}
	run, err := tensor.Compile(g, tensor.Nodes{out}, tensor.CompileOptions{})
	if err != nil {
		return nil, err
	}
	defer run.Close()
	if err := run.Run(); err != nil {
		return nil, err
	}
	if p.double() {
		return valuesOf[float64](run, out)
	}
	return valuesOf[float32](run, out)
}

// Collapse puts what the encoder makes in the place of the encoder, as a file of
// PEFT has it: the model computes the same with less work, and SetTrainable trains
// the embeddings, or keys and values, themselves. Graphs that were built before
// must be built again.
func (p *Prompt) Collapse() error {
	result, err := p.Result()
	if err != nil {
		return fmt.Errorf("soft: %w", err)
	}
	table, err := newTable(result.Shape()[0], result.Shape()[1], p.double())
	if err != nil {
		return err
	}
	wide, err := result.Convert(tensor.Float64)
	if err != nil {
		return err
	}
	p.enc = table
	return table.table.Set(wide.Data64())
}

func valuesOf[T tensor.Float](run *tensor.Program, n *tensor.Node) (*tensor.Param, error) {
	v, err := tensor.Values[T](run, n)
	if err != nil {
		return nil, err
	}
	return tensor.NewParam(resultName, slices.Clone(v), n.Shape()...)
}
