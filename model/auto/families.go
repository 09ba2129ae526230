package auto

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/gemma"
	"github.com/posttrain/posttrain/model/gpt2"
	"github.com/posttrain/posttrain/model/gptneox"
	"github.com/posttrain/posttrain/model/granite"
	"github.com/posttrain/posttrain/model/llama"
	"github.com/posttrain/posttrain/model/mixtral"
	"github.com/posttrain/posttrain/model/olmo"
	"github.com/posttrain/posttrain/model/phi"
	"github.com/posttrain/posttrain/model/qwen"
	"github.com/posttrain/posttrain/model/smollm"
)

// Families lists the supported kinds of models, one a model_type.
func Families() []model.Family {
	return slices.Concat(
		llama.Families(), qwen.Families(), gemma.Families(), olmo.Families(), granite.Families(), smollm.Families(), phi.Families(),
		gptneox.Families(), gpt2.Families(), mixtral.Families(),
	)
}

// family finds the family of a model_type.
func family(modelType string) (model.Family, error) {
	var known []string
	for _, f := range Families() {
		if f.ModelType == modelType {
			return f, nil
		}
		known = append(known, f.ModelType)
	}
	return model.Family{}, fmt.Errorf("%w: config.json: model_type: got %q, want one of %s", ErrUnsupported, modelType, strings.Join(known, ", "))
}

// byArchitecture finds the family whose GGUF files have general.architecture a.
func byArchitecture(a string) (model.Family, error) {
	var known []string
	for _, f := range Families() {
		if f.GGUF == nil {
			continue
		}
		if f.GGUF.Architecture == a {
			return f, nil
		}
		known = append(known, f.GGUF.Architecture)
	}
	return model.Family{}, fmt.Errorf("%w: general.architecture %q, want one of %s", ErrUnsupported, a, strings.Join(known, ", "))
}

// ParseConfig reads config.json and finds the family it belongs to.
func ParseConfig(raw []byte) (*model.Config, model.Family, error) {
	var head struct {
		ModelType    string          `json:"model_type"`
		Quantization json.RawMessage `json:"quantization_config"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return nil, model.Family{}, fmt.Errorf("%w: config.json: %w", model.ErrConfig, err)
	}
	f, err := family(head.ModelType)
	if err != nil {
		return nil, f, err
	}
	if err := checkQuantization(head.Quantization); err != nil {
		return nil, f, err
	}
	c, err := model.ParseConfig(raw, f.Defaults)
	return c, f, err
}

// checkQuantization refuses every quantization_config but those of bitsandbytes.
// Their other fields are about computing; what each weight is stored as is told by
// the tensors beside it.
func checkQuantization(raw json.RawMessage) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var q struct {
		Method string `json:"quant_method"`
	}
	if err := json.Unmarshal(raw, &q); err != nil {
		return fmt.Errorf("%w: config.json: quantization_config: %w", model.ErrConfig, err)
	}
	if q.Method != "bitsandbytes" {
		return fmt.Errorf("%w: config.json has a quantization_config with quant_method %q, want bitsandbytes, or weights in float32, bfloat16 or float16", ErrUnsupported, q.Method)
	}
	return nil
}

// New builds a model of the family that config.json names, with weights from
// src: model.Random for a new model.
func New(configJSON []byte, src model.Source, o model.LoadOptions) (model.Model, error) {
	c, f, err := ParseConfig(configJSON)
	if err != nil {
		return nil, err
	}
	return f.New(c, model.NewLoader(c, src, o))
}
