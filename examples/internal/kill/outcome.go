package kill

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/posttrain/posttrain/train"
)

// Unfinished lists the checkpoints of a run folder that are being written, or were
// when the run died.
func Unfinished(out string) []string {
	list, _ := filepath.Glob(filepath.Join(out, "checkpoints", ".partial-step-*")) // the pattern is well formed
	return list
}

// Checkpoints lists those that are whole.
func Checkpoints(out string) []string {
	list, _ := filepath.Glob(filepath.Join(out, "checkpoints", "step-*"))
	return list
}

// Outcome is the content of every file of a run folder that must not depend on
// interruptions, by its name: metrics without their timing fields, all others as
// they are. Of files that hold times (reports, and what has their lengths or sums)
// only the name is there.
func Outcome(out string) (map[string]string, error) {
	all := map[string]string{}
	err := filepath.WalkDir(out, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(out, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		raw, err := os.ReadFile(path)
		switch {
		case strings.HasPrefix(name, "events.out.tfevents."):
			name, raw = "events.out.", nil // the rest of the name is a time
		case name == "report.html", strings.HasSuffix(name, "/state.json"), strings.HasSuffix(name, "/SHA256SUMS"):
			raw = nil
		case name == "run.json":
			raw = threads.ReplaceAll(raw, nil)
		case name == "metrics.jsonl":
			raw = number.ReplaceAllFunc(raw, func(field []byte) []byte {
				if train.IsTiming(string(number.FindSubmatch(field)[1])) {
					return nil
				}
				return field
			})
		}
		all[name] = string(raw)
		return err
	})
	return all, err
}

var (
	// number matches a field of JSON with a number.
	number = regexp.MustCompile(`,"([^"]+)":[-0-9.e+]+`)
	// threads matches what run.json says about the machine a run began on.
	threads = regexp.MustCompile(`"threads": [0-9]+`)
)
