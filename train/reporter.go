package train

import "io"

// Reporter writes the report of a run: a self-contained page made from what is
// in the run folder (run.json, metrics.jsonl, samples.jsonl), so that a report
// can be made again later, and a resumed run reports all of its steps.
type Reporter interface {
	// Report writes the page for the run folder dir.
	Report(w io.Writer, dir string) error
}
