package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"
)

// Names in the logs of evaluations.
const (
	evalPrefix      = "eval_"
	perplexityName  = "perplexity"
	evalRuntimeName = "eval_runtime"
)

// duties does what is due after the steps so far and has not been done: it is
// the same after a step, after a resume and after a cancellation.
func (t *Trainer) duties(ctx context.Context) error {
	if err := t.interrupted(ctx); err != nil {
		return err
	}
	p, o := &t.progress, &t.options
	if o.Evaluator != nil && p.Evaluated != p.Step && t.due(o.EvalEvery) {
		if err := t.evaluate(ctx); err != nil {
			return err
		}
	}
	if o.Sampler != nil && p.Sampled != p.Step && t.due(o.SampleEvery) {
		if err := t.sample(ctx); err != nil {
			return err
		}
	}
	if p.Step > 0 && (p.Ended || p.Best == p.Step || o.SaveEvery > 0 && p.Step%o.SaveEvery == 0) {
		return t.save()
	}
	return nil
}

// due says whether something is to be done before the first step, every so many
// steps and at the end.
func (t *Trainer) due(every int) bool {
	p := &t.progress
	return p.Step == 0 || p.Ended || every > 0 && p.Step%every == 0
}

// interrupted is the error about a context that has ended.
func (t *Trainer) interrupted(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("train: stopped after step %d: %w", t.progress.Step, err)
	}
	return nil
}

// cut turns an error of something that leaves training as it was into a final
// one, unless it only says that ctx has ended.
func (t *Trainer) cut(ctx context.Context, what string, err error) error {
	err = fmt.Errorf("train: %s after step %d: %w", what, t.progress.Step, err)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return err
	}
	return t.fail(err)
}

// evaluate measures and logs.
func (t *Trainer) evaluate(ctx context.Context) error {
	began := time.Now()
	var raw Metrics
	if err := t.atEvalPoint(func() error { return t.options.Evaluator.Evaluate(ctx, &raw) }); err != nil {
		return t.cut(ctx, "evaluation", err)
	}
	p := &t.progress
	t.evaluation.Reset()
	for name, value := range raw.All() {
		if !strings.HasPrefix(name, perplexityName) { // DESIGN §8 spells it, and so its bounds, without the prefix
			name = evalPrefix + name
		}
		t.evaluation.Set(name, value)
	}
	p.Evaluated = p.Step
	t.latest = t.evaluation.clone()
	if p.Step == 0 {
		t.first = t.latest
	} else if err := t.watch(); err != nil {
		return t.fail(err)
	}
	var timing Metrics
	timing.Set(evalRuntimeName, time.Since(began).Seconds())
	t.options.Logger.Info("evaluated", attributes(p.Step, t.latest)...)
	return t.emit(Event{Kind: EventEval, Step: p.Step, Metrics: &t.evaluation, Timing: &timing})
}

// watch shows the watched metric to the schedule and keeps the best.
func (t *Trainer) watch() error {
	p, w := &t.progress, t.options.Watch
	value, ok := t.evaluation.Value(w.Metric)
	if !ok {
		if t.reaction == nil && w.Metric == defaultWatch {
			return nil // nobody asked for it
		}
		return fmt.Errorf("%w: train: Options.Watch.Metric: got %q, want a metric of the evaluation", ErrOptions, w.Metric)
	}
	if math.IsInf(value, 0) {
		value = math.NaN() // an observation that improves nothing
	}
	if t.reaction != nil {
		t.reaction.Observe(value)
	}
	better := value < p.BestValue
	if w.HigherIsBetter {
		better = value > p.BestValue
	}
	if better || p.Best == 0 && !math.IsNaN(value) {
		p.Best, p.BestValue = p.Step, value
	}
	return nil
}

// sample writes samples.
func (t *Trainer) sample(ctx context.Context) error {
	var samples []Sample
	err := t.atEvalPoint(func() (err error) {
		samples, err = t.options.Sampler.Sample(ctx)
		return err
	})
	if err != nil {
		return t.cut(ctx, "sampling", err)
	}
	t.progress.Sampled = t.progress.Step
	for i := range samples {
		if err := t.emit(Event{Kind: EventSample, Step: t.progress.Step, Sample: &samples[i]}); err != nil {
			return err
		}
	}
	return nil
}

// emit logs an event and tells the hooks.
func (t *Trainer) emit(e Event) error {
	if t.logs != nil {
		if err := t.logs.write(e); err != nil {
			return t.fail(err)
		}
	}
	if t.hooks.Event != nil {
		if err := t.hooks.Event(e); err != nil {
			return t.fail(fmt.Errorf("train: step %d: Event hook for %s: %w", e.Step, e.Kind, err))
		}
	}
	return nil
}

// save writes a checkpoint unless the newest one is of this very state.
func (t *Trainer) save() error {
	f, p := t.folder, &t.progress
	if f == nil || t.saved == *p {
		return nil
	}
	if err := t.saveChanges(); err != nil {
		return t.fail(fmt.Errorf("train: checkpoint after step %d: %w", p.Step, err))
	}
	t.saved = *p
	t.options.Logger.Info("saved", "step", p.Step, "best", p.Best == p.Step)
	return t.emit(Event{Kind: EventCheckpoint, Step: p.Step, Path: f.checkpoint(checkpointName(p.Step))})
}

func (t *Trainer) saveChanges() error {
	if err := t.logs.sync(); err != nil {
		return err
	}
	if err := t.atEvalPoint(t.writeCheckpoint); err != nil {
		return err
	}
	if err := t.tidy(); err != nil {
		return err
	}
	return t.report()
}

// tidy makes last and best name the right checkpoints, and removes old ones.
func (t *Trainer) tidy() error {
	f, p := t.folder, &t.progress
	if err := f.point(lastName, p.Step); err != nil {
		return err
	}
	if p.Best > 0 {
		if err := f.point(bestName, p.Best); err != nil {
			return err
		}
	}
	return f.retain(t.options.Keep, p.Best)
}

// report writes report.html from what is in the folder.
func (t *Trainer) report() error {
	if t.options.Reporter == nil {
		return nil
	}
	var page bytes.Buffer
	if err := t.options.Reporter.Report(&page, t.folder.dir); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return replaceFile(t.folder.disk, t.folder.path(reportName), page.Bytes())
}

// finish writes the result of the run into the folder and marks it finished.
func (t *Trainer) finish() error {
	t.rest()
	result := Event{Kind: EventResult, Step: t.progress.Step, Metrics: t.result()}
	stopped := ""
	if c, ok := t.stage.(Concluder); ok {
		stopped = c.Conclusion()
	}
	if stopped != "" {
		result.Fields = appendObject(nil, map[string]string{"stopped": stopped})
	}
	if f := t.folder; f != nil {
		result.Path = f.dir
		if err := t.publish(); err != nil {
			return t.fail(fmt.Errorf("train: result: %w", err))
		}
		f.run.Finished, f.run.Stopped, f.run.Result = true, stopped, appendObject(nil, result.Metrics)
		if err := f.writeRun(); err != nil {
			return t.fail(fmt.Errorf("train: result: %w", err))
		}
		if err := t.report(); err != nil {
			return t.fail(fmt.Errorf("train: result: %w", err))
		}
	}
	t.finished = true
	t.options.Logger.Info("finished", attributes(t.progress.Step, result.Metrics)...)
	return t.emit(result)
}

// result sums the run up.
func (t *Trainer) result() *Metrics {
	m := &Metrics{}
	if t.latest != nil {
		m = t.latest.clone()
	}
	m.Set(epochName, t.progress.Epoch)
	m.Set(numTokensName, float64(t.progress.Tokens))
	if t.progress.Best > 0 {
		m.Set("best_step", float64(t.progress.Best))
		m.Set("best_value", t.progress.BestValue)
	}
	return m
}

// publish moves the stage's result into the run folder file by file.
func (t *Trainer) publish() error {
	f := t.folder
	scratch := f.path(scratchPrefix + "result")
	if err := f.disk.RemoveAll(scratch); err != nil {
		return err
	}
	if err := f.disk.MkdirAll(scratch); err != nil {
		return err
	}
	export := t.stage.SaveWeights
	if e, ok := t.stage.(Exporter); ok {
		export = e.Export
	}
	if err := export(scratch); err != nil {
		return fmt.Errorf("stage %s: %w", t.stage.Name(), err)
	}
	names, err := listFiles(scratch)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := f.disk.Sync(f.path(scratchPrefix+"result", name)); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(scratch)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := f.place(e); err != nil {
			return err
		}
	}
	return f.disk.RemoveAll(scratch)
}
