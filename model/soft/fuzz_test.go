package soft

import (
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/internal/folder"
)

// FuzzConfig looks for configurations that crash what reads them, or ask for more
// than the limits.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"peft_type": "PROMPT_TUNING", "task_type": "CAUSAL_LM", "num_virtual_tokens": 6, "token_dim": 32, "num_layers": 3, "prompt_tuning_init": "RANDOM"}`))
	f.Add([]byte(`{"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 5, "token_dim": 24, "num_layers": 3, "prefix_projection": true, "encoder_hidden_size": 24, "init_weights": "zero"}`))
	f.Add([]byte(`{"peft_type": "P_TUNING", "num_virtual_tokens": 99999999, "token_dim": 32, "num_layers": 3, "encoder_hidden_size": -1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := &model.Config{HiddenSize: 32, NumHiddenLayers: 3, NumKeyValueHeads: 2, HeadDim: 12}
		var p peft
		if folder.ParseConfig(raw, &p) != nil {
			return
		}
		c, err := p.config(m)
		if err == nil && (c.Tokens < 1 || c.Tokens > maxTokens || c.Width < 0 || c.Width > maxWidth || int(c.Kind) >= len(kindNames)) {
			t.Fatalf("accepted %+v", c)
		}
	})
}
