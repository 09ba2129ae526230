package kill_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/posttrain/posttrain/examples/internal/kill"
)

func ExampleOutcome() {
	out, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(out)
	line := []byte(`{"event":"step","step":1,"loss":0.5,"step_seconds":0.123}`)
	if err := os.WriteFile(filepath.Join(out, "metrics.jsonl"), line, 0o644); err != nil {
		fmt.Println(err)
		return
	}
	files, err := kill.Outcome(out)
	fmt.Println(files["metrics.jsonl"], err)
	// Output: {"event":"step","step":1,"loss":0.5} <nil>
}
