package houlsby

import (
	"testing"

	"github.com/posttrain/posttrain/model/internal/folder"
)

// FuzzConfig looks for configurations that crash what reads them, or ask for more
// than the limits.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"peft_type": "HOULSBY", "task_type": "CAUSAL_LM", "bottleneck": 4, "non_linearity": "gelu", "target_modules": ["o_proj", "down_proj"]}`))
	f.Add([]byte(`{"peft_type": "HOULSBY", "bottleneck": 99999999, "non_linearity": "swish?", "target_modules": [""]}`))
	f.Add([]byte(`{"peft_type": "LORA", "bottleneck": -1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var file configFile
		if folder.ParseConfig(raw, &file) != nil {
			return
		}
		c, err := file.config()
		if err == nil && (c.Width < 1 || c.Width > maxWidth || len(c.Targets) == 0) {
			t.Fatalf("accepted %+v", c)
		}
	})
}
