package lora

import (
	"encoding/json"
	"errors"
)

// Biases says of which layers an adapter has biases of its own. They start as
// copies of the model's and are trained with the adapter.
//
// PEFT trains the model's own biases instead, so that there the model is another
// one even when the adapter is off. Here the model stays as it is.
type Biases string

// The choices of biases, by PEFT's names.
const (
	NoBiases     Biases = ""          // none
	TargetBiases Biases = "lora_only" // those of the adapted layers
	AllBiases    Biases = "all"       // those of all linear layers and norms
)

// noBiases is NoBiases in a file.
const noBiases = "none"

// check is nil for one of the choices.
func (b Biases) check() error {
	switch b {
	case NoBiases, TargetBiases, AllBiases:
		return nil
	}
	return errors.New(`want "lora_only", "all" or none`)
}

// MarshalText writes PEFT's name.
func (b Biases) MarshalText() ([]byte, error) {
	if b == NoBiases {
		return []byte(noBiases), nil
	}
	return []byte(b), nil
}

// UnmarshalJSON reads PEFT's name, or null for none.
func (b *Biases) UnmarshalJSON(raw []byte) error {
	var text *string
	if err := json.Unmarshal(raw, &text); err != nil {
		return err
	}
	*b = NoBiases
	if text != nil && *text != noBiases {
		*b = Biases(*text)
	}
	return b.check()
}

// bears says whether the adapter has a bias of its own in a layer.
func (b Biases) bears(l *layer, adapted bool) bool {
	return l.hasBias() && (b == AllBiases || b == TargetBiases && adapted)
}
