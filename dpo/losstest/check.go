package losstest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/posttrain/posttrain/dpo"
)

// checker is what a law reports to: a test, or a report.
type checker interface {
	Errorf(format string, args ...any)
	FailNow()
	Helper()
	Skip(args ...any)
}

// ErrLaw is wrapped by what Check returns.
var ErrLaw = errors.New("losstest: the loss breaks a law")

// Check is Run outside of tests: it names the laws that l breaks, with what was
// found; nil where it keeps all.
func Check(l dpo.Loss) error {
	var faults []error
	for _, law := range laws {
		r := &report{}
		r.run(func() { law.keep(r, l) })
		if len(r.found) > 0 {
			faults = append(faults, fmt.Errorf("%w: %s: %s", ErrLaw, law.name, strings.Join(r.found, "; ")))
		}
	}
	return errors.Join(faults...)
}

// report collects what a law finds.
type report struct{ found []string }

// ended is what ends a law early.
type ended struct{}

// run calls a law and comes back however it ends.
func (r *report) run(law func()) {
	defer func() {
		if v := recover(); v != nil {
			if _, ok := v.(ended); !ok {
				r.found = append(r.found, fmt.Sprintf("panic: %v", v))
			}
		}
	}()
	law()
}

// Errorf implements checker.
func (r *report) Errorf(format string, args ...any) {
	r.found = append(r.found, strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " "))
}

// FailNow implements checker.
func (*report) FailNow() { panic(ended{}) }

// Skip implements checker.
func (*report) Skip(...any) { panic(ended{}) }

// Helper implements checker.
func (*report) Helper() {}
