package model

import (
	"encoding/json"
	"errors"
	"fmt"
)

// readIDs reads the special token ids: a number, a list, or null.
func (c *Config) readIDs(f *configFile) error {
	bos, err1 := TokenIDs("bos_token_id", f.BOS)
	eos, err2 := TokenIDs("eos_token_id", f.EOS)
	pad, err3 := TokenIDs("pad_token_id", f.PAD)
	c.EOS = eos
	if len(bos) > 0 {
		c.BOS = bos[0]
	}
	if len(pad) > 0 {
		c.PAD = pad[0]
	}
	return errors.Join(err1, err2, err3)
}

// TokenIDs reads the value of a field such as eos_token_id: a token id, a list of
// them, or null.
func TokenIDs(name string, raw json.RawMessage) ([]int32, error) {
	if absent(raw) {
		return nil, nil
	}
	var list []int32
	var one int32
	if json.Unmarshal(raw, &one) == nil {
		return []int32{one}, nil
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("%w: %s is %.40s, want a token id or a list of them", ErrConfig, name, raw)
	}
	return list, nil
}
