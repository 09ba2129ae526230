package cli

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/posttrain/posttrain/train"
)

// Progress prints what a run does: JSON lines, or one live line, evaluations and
// samples for people.
type Progress struct {
	out   io.Writer
	json  bool
	live  bool // a terminal: the line is overwritten
	total int
	shown time.Time
	width int
	buf   []byte
}

// lineEvery is the time between two lines where they cannot be overwritten.
const lineEvery = 5 * time.Second

// NewProgress prints to standard output, as JSON lines when asked to.
func NewProgress(asJSON bool) *Progress {
	p := &Progress{out: os.Stdout, json: asJSON}
	if info, err := os.Stdout.Stat(); err == nil {
		p.live = info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// Expect says how many steps the run has.
func (p *Progress) Expect(total int) { p.total = total }

// Say prints a line for people; with -json it prints nothing.
func (p *Progress) Say(format string, args ...any) {
	if p.json {
		return
	}
	p.clear()
	fmt.Fprintf(p.out, format+"\n", args...)
}

// Event is a train.Hooks.Event.
func (p *Progress) Event(e train.Event) error {
	if p.json {
		return p.line(e)
	}
	switch e.Kind {
	case train.EventStep:
		p.step(e)
	case train.EventEval:
		p.eval(e)
	case train.EventSample:
		p.sample(e.Sample)
	}
	return nil
}

// line prints an event as JSON.
func (p *Progress) line(e train.Event) error {
	p.buf = append(e.AppendJSON(p.buf[:0]), '\n')
	_, err := p.out.Write(p.buf)
	return err
}

// step shows the live line.
func (p *Progress) step(e train.Event) {
	now := time.Now()
	if !p.live && now.Sub(p.shown) < lineEvery && e.Step != p.total {
		return
	}
	p.shown = now
	var s strings.Builder
	fmt.Fprintf(&s, "step %d", e.Step)
	if p.total > 0 {
		fmt.Fprintf(&s, "/%d", p.total)
	}
	for _, f := range []struct{ name, format string }{{"loss", "  loss %.4f"}, {"grad_norm", "  norm %.3f"}, {"learning_rate", "  lr %.2e"}, {"epoch", "  epoch %.2f"}} {
		if v, ok := e.Metrics.Value(f.name); ok {
			fmt.Fprintf(&s, f.format, v)
		}
	}
	if v, ok := e.Timing.Value("tokens_per_second"); ok {
		fmt.Fprintf(&s, "  %.0f tokens/s", v)
	}
	if v, ok := e.Timing.Value("step_seconds"); ok && p.total > e.Step {
		fmt.Fprintf(&s, "  %v left", (time.Duration(v * float64(p.total-e.Step) * float64(time.Second))).Round(time.Second))
	}
	p.show(s.String())
}

func (p *Progress) show(text string) {
	if !p.live {
		fmt.Fprintln(p.out, text)
		return
	}
	pad := max(0, p.width-len(text))
	p.width = len(text)
	fmt.Fprint(p.out, "\r", text, strings.Repeat(" ", pad))
}

// clear ends the live line.
func (p *Progress) clear() {
	if p.live && p.width > 0 {
		fmt.Fprintln(p.out)
	}
	p.width = 0
}

func (p *Progress) eval(e train.Event) {
	var s strings.Builder
	for name, v := range e.Metrics.All() {
		if !strings.HasSuffix(name, "_low") && !strings.HasSuffix(name, "_high") {
			fmt.Fprintf(&s, "  %s %.4g", strings.TrimPrefix(name, "eval_"), v)
		}
	}
	p.Say("step %d, evaluation:%s", e.Step, s.String())
}

func (p *Progress) sample(s *train.Sample) {
	if s == nil {
		return
	}
	var scores strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.Scores)) {
		fmt.Fprintf(&scores, "  %s %.3g", name, s.Scores[name])
	}
	p.Say("  %q → %q%s", clip(s.Prompt), clip(s.Completion), scores.String())
}

// clip shortens a text for one line.
func clip(s string) string {
	const most = 120
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
