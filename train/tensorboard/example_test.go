package tensorboard_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/posttrain/posttrain/train/tensorboard"
)

func Example() {
	var file bytes.Buffer // an *os.File, elsewhere
	w := tensorboard.NewWriter(&file, 1_700_000_000)
	for step := int64(1); step <= 3; step++ {
		w.Scalar("train/loss", step, 1_700_000_000+float64(step), 1/float64(step))
	}
	if err := w.Flush(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(tensorboard.FileName(1_700_000_000, "host"), file.Len(), "bytes")
	// Output: events.out.tfevents.1700000000.host 232 bytes
}
