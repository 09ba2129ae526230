package tokenizer

import (
	"encoding/json"
	"fmt"
	"path/filepath"
)

// special names the tokens with a role; "" for none.
type special struct{ bos, eos, pad, unk string }

// readConfig reads the files beside tokenizer.json.
func (t *Tokenizer) readConfig(dir string) error {
	var config tokenizerConfig
	for _, name := range []string{fileSpecial, fileConfig} { // the latter wins
		path := filepath.Join(dir, name)
		raw, err := readIfThere(path)
		if err != nil {
			return err
		}
		if raw == nil {
			continue
		}
		if err := json.Unmarshal(raw, &config); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	t.names = special{string(config.BOS), string(config.EOS), string(config.PAD), string(config.UNK)}
	t.template = string(config.ChatTemplate)
	raw, err := readIfThere(filepath.Join(dir, fileTemplate))
	if raw != nil {
		t.template = string(raw)
	}
	return err
}

// tokenizerConfig is what is read of tokenizer_config.json.
type tokenizerConfig struct {
	BOS          tokenName    `json:"bos_token"`
	EOS          tokenName    `json:"eos_token"`
	PAD          tokenName    `json:"pad_token"`
	UNK          tokenName    `json:"unk_token"`
	ChatTemplate templateText `json:"chat_template"`
}

// tokenName is a string or an object with the field content.
type tokenName string

// UnmarshalJSON reads either form; null leaves the name as it is.
func (n *tokenName) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		return nil
	}
	var object struct {
		Content string `json:"content"`
	}
	if raw[0] == '{' {
		err := json.Unmarshal(raw, &object)
		*n = tokenName(object.Content)
		return err
	}
	return json.Unmarshal(raw, (*string)(n))
}

// templateText is a chat template, or a list of named ones of which the one
// called default counts.
type templateText string

// UnmarshalJSON reads either form.
func (s *templateText) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		return nil
	}
	if raw[0] != '[' {
		return json.Unmarshal(raw, (*string)(s))
	}
	var list []struct{ Name, Template string }
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	for _, item := range list {
		if item.Name == "default" {
			*s = templateText(item.Template)
		}
	}
	return nil
}

// BOS returns the token that begins a text. ok is false if none is named or it is
// not in the vocabulary.
func (t *Tokenizer) BOS() (id int32, token string, ok bool) { return t.role(t.names.bos) }

// EOS returns the token that ends a text.
func (t *Tokenizer) EOS() (id int32, token string, ok bool) { return t.role(t.names.eos) }

// PAD returns the token that fills up a batch.
func (t *Tokenizer) PAD() (id int32, token string, ok bool) { return t.role(t.names.pad) }

// UNK returns the token for unknown characters.
func (t *Tokenizer) UNK() (id int32, token string, ok bool) { return t.role(t.names.unk) }

func (t *Tokenizer) role(name string) (int32, string, bool) {
	if name == "" {
		return 0, "", false
	}
	id, ok := t.ID(name)
	if !ok {
		return 0, "", false
	}
	return id, name, true
}

// ChatTemplate returns the source of the chat template, "" for none.
func (t *Tokenizer) ChatTemplate() string { return t.template }
