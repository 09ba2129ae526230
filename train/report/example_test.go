package report_test

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/posttrain/posttrain/train/report"
)

func Example() {
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	// A trainer writes these; with Options.Reporter: report.Run{} it also writes
	// report.html.
	lines := `{"event":"eval","step":0,"eval_loss":2.5}
{"event":"step","step":1,"loss":2.4,"grad_norm":1.1}
{"event":"step","step":2,"loss":1.9,"grad_norm":0.9}
{"event":"eval","step":2,"eval_loss":2}
`
	if err := os.WriteFile(filepath.Join(dir, "metrics.jsonl"), []byte(lines), 0o644); err != nil {
		log.Fatal(err)
	}

	var page bytes.Buffer
	if err := (report.Run{Title: "My first run"}).Report(&page, dir); err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Contains(page.String(), "<h1>My first run"), strings.Count(page.String(), "<svg"), "charts")
	// Output: true 2 charts
}
