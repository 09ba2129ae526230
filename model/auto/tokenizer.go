package auto

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/posttrain/posttrain/data/tokenizer"
)

// useTokenizer keeps a checkpoint's tokenizer and chat template, and lets it name
// special tokens that the configuration does not.
func (c *Checkpoint) useTokenizer(t *tokenizer.Tokenizer) {
	c.Tokenizer, c.Template, c.template = t, t.ChatTemplate(), t.ChatTemplate()
	config := c.Model.Config()
	if id, _, ok := t.BOS(); ok && config.BOS < 0 {
		config.BOS = id
	}
	if id, _, ok := t.PAD(); ok && config.PAD < 0 {
		config.PAD = id
	}
	if id, _, ok := t.EOS(); ok && len(config.EOS) == 0 {
		config.EOS = []int32{id}
	}
}

// openTokenizer reads the tokenizer of a folder.
func openTokenizer(dir string) (*tokenizer.Tokenizer, error) {
	t, err := tokenizer.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w (to open a model without its tokenizer, set Options.NoTokenizer)", err)
	}
	return t, err
}

// tokenizerFiles are the files that other tools read the tokenizer from.
func (c *Checkpoint) tokenizerFiles() ([]smallFile, error) {
	if c.Tokenizer == nil {
		return nil, nil
	}
	var b bytes.Buffer
	if err := c.Tokenizer.WriteJSON(&b); err != nil {
		return nil, err
	}
	files := []smallFile{{tokenizerFile, b.Bytes()}}
	if raw := c.files[specialTokensFile]; raw != nil {
		files = append(files, smallFile{specialTokensFile, raw})
	}
	raw := c.files[tokenizerConfigFile]
	if raw != nil && c.Template == c.template {
		files = append(files, smallFile{tokenizerConfigFile, raw})
		if raw := c.files[templateFile]; raw != nil {
			files = append(files, smallFile{templateFile, raw})
		}
		return files, nil
	}
	// Without a file, or with another template than it has. The template goes into
	// tokenizer_config.json, where old and new tools look.
	fields := map[string]json.RawMessage{}
	if raw != nil {
		if err := json.Unmarshal(raw, &fields); err != nil {
			return nil, fmt.Errorf("%s: %w", tokenizerConfigFile, err)
		}
	} else {
		c.describeTokenizer(fields)
	}
	delete(fields, "chat_template")
	if c.Template != "" {
		fields["chat_template"] = quoted(c.Template)
	}
	raw, err := indented(fields)
	return append(files, smallFile{tokenizerConfigFile, raw}), err
}

// describeTokenizer fills tokenizer_config.json for a vocabulary that came
// without one.
func (c *Checkpoint) describeTokenizer(fields map[string]json.RawMessage) {
	fields["tokenizer_class"] = quoted("PreTrainedTokenizerFast")
	fields["clean_up_tokenization_spaces"] = json.RawMessage("false")
	if n := c.Model.Config().MaxPositionEmbeddings; n > 0 {
		fields["model_max_length"] = json.RawMessage(fmt.Sprint(n))
	}
	for name, token := range map[string]func() (int32, string, bool){
		"bos_token": c.Tokenizer.BOS, "eos_token": c.Tokenizer.EOS, "pad_token": c.Tokenizer.PAD, "unk_token": c.Tokenizer.UNK,
	} {
		if _, text, ok := token(); ok {
			fields[name] = quoted(text)
		}
	}
}

// quoted is a text as JSON, which keeps <, > and & readable in the end.
func quoted(s string) json.RawMessage {
	raw, err := indented(s)
	if err != nil { // a string can always be written
		return nil
	}
	return raw
}
