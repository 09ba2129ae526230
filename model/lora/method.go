package lora

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Method is a kind of adapter, by PEFT's name where PEFT has it.
type Method string

// The methods.
const (
	// LoRA adds a low-rank matrix. It is the default, and the only method with
	// DoRA, Init, BiasOnB and an adapted embedding.
	LoRA Method = ""
	// IA3 multiplies what comes out of a layer, or what goes into a feed-forward
	// layer, by a vector.
	IA3 Method = "IA3"
	// AdaLoRA is a low-rank matrix whose rank is spread over the layers in training.
	AdaLoRA Method = "ADALORA"
	// CURLoRA is a small matrix between columns and rows of the weight. PEFT does
	// not have it.
	CURLoRA Method = "CURLORA"
	// LoHa is the product of two low-rank matrices, element by element.
	LoHa Method = "LOHA"
	// TrainableTokens has nothing but rows of tokens (Config.Tokens).
	TrainableTokens Method = "TRAINABLE_TOKENS"
)

// loraType is LoRA in a file.
const loraType = "LORA"

// methodKind is what Config.Method stands for.
type methodKind struct {
	// update is what a layer gets; nil for nothing.
	update func(m *matcher, l *layer) update
	// fields are where the fields of adapter_config.json belong that are not
	// everyone's.
	fields func(c *Config) map[string]any
	// write is what adapter_config.json holds; all has everyone's fields.
	write func(c Config, all everyone, turned bool) any
	// targets are what Config.Targets stand for where they are nil.
	targets []string
}

// kinds are the methods. Adding one means adding a line here.
func kinds() map[Method]methodKind {
	return map[Method]methodKind{
		LoRA:            {update: newLowRank, fields: loraFields, write: writeLoRA, targets: []string{AllLinear}},
		IA3:             {update: newScaling, fields: ia3Fields, write: writeIA3, targets: []string{"k_proj", "v_proj", "down_proj"}},
		AdaLoRA:         {update: newSpectral, fields: adaFields, write: writeAda, targets: []string{AllLinear}},
		CURLoRA:         {update: newCUR, fields: curFields, write: writeCUR, targets: []string{AllLinear}},
		LoHa:            {update: newHadamard, fields: hadamardFields, write: writeHadamard, targets: []string{AllLinear}},
		TrainableTokens: {fields: tokenFields, write: writeTokens},
	}
}

// kind is the method's entry.
func (c Config) kind() methodKind { return kinds()[c.Method] }

// check is nil for one of the methods.
func (m Method) check() error {
	if _, ok := kinds()[m]; ok {
		return nil
	}
	return fmt.Errorf("%w: method is %.*q, want one of %s", ErrConfig, maxShown, string(m), strings.Join(methodNames(), ", "))
}

// methodNames are the methods in files.
func methodNames() []string {
	var list []string
	for _, m := range slices.Sorted(maps.Keys(kinds())) {
		list = append(list, m.peft())
	}
	return list
}

// peft is the method's name in a file.
func (m Method) peft() string {
	if m == LoRA {
		return loraType
	}
	return string(m)
}
