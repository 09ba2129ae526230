package train

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// runOptions exercise everything that a run folder can hold; 12 steps.
func runOptions(t testing.TB, s *toy, out string) Options {
	return Options{
		Optimizer: AdamW{LR: 0.05, WeightDecay: 0.01}, Schedule: Cosine{Warmup: Warmup{Steps: 2}},
		MaxSteps: 12, EvalEvery: 4, SampleEvery: 6, SaveEvery: 3, Out: out,
		Evaluator: s, Sampler: s, Device: oneCore(t),
	}
}

func runToy(wide bool) *toy { return newToy(wide, []int{0, 1, 2}, []int{3, 4}) }

// finishRun trains to the end in out, resuming what is there.
func finishRun(t testing.TB, wide bool, out string, change func(*Options)) *Trainer {
	s := runToy(wide)
	o := runOptions(t, s, out)
	o.Resume = true
	if change != nil {
		change(&o)
	}
	tr, err := New(s, o)
	require.NoError(t, err)
	require.NoError(t, tr.Train(context.Background(), Hooks{}))
	require.True(t, tr.Finished())
	return tr
}

// outcome is everything of a run that must not depend on interruptions: logs
// without timing fields, weights, moments, state without lengths of logs.
func outcome(t testing.TB, out string) map[string]string {
	all := map[string]string{}
	read := func(name string) []byte {
		raw, err := os.ReadFile(filepath.Join(out, name))
		require.NoError(t, err)
		return raw
	}
	last := strings.TrimSpace(string(read("checkpoints/last")))
	for _, name := range []string{samplesName, "checkpoints/last", "checkpoints/best", "weights.json"} {
		all[name] = string(read(name))
	}
	for _, name := range []string{"weights.json", optimizerName} {
		all["last/"+name] = string(read(filepath.Join("checkpoints", last, name)))
	}
	// Event files hold times, but always the same number of bytes.
	all["events"] = strconv.Itoa(len(read(eventsName(t, out))))
	all[metricsName] = withoutTiming(t, read(metricsName))
	all["state"] = withoutFields(t, read(filepath.Join("checkpoints", last, stateName)), func(name string) bool { return name == "files" })
	all["run"] = withoutFields(t, read(runName), func(string) bool { return false })
	return all
}

func withoutTiming(t testing.TB, lines []byte) string {
	var all strings.Builder
	for line := range strings.Lines(string(lines)) {
		require.True(t, strings.HasSuffix(line, "}\n"), "half a line: %q", line)
		all.WriteString(withoutFields(t, []byte(line), IsTiming) + "\n")
	}
	return all.String()
}

// withoutFields drops fields of an object and sorts the rest by name.
func withoutFields(t testing.TB, raw []byte, drop func(string) bool) string {
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(raw, &fields), "%s", raw)
	for name := range fields {
		if drop(name) {
			delete(fields, name)
		}
	}
	out, err := json.Marshal(fields)
	require.NoError(t, err)
	return string(out)
}

func TestRunFolder(t *testing.T) {
	out := filepath.Join(t.TempDir(), "new", "run")
	var log strings.Builder
	var lines []string
	s := runToy(true)
	o := runOptions(t, s, out)
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	o.Reporter = reportFunc(func(w io.Writer, dir string) error {
		raw, err := os.ReadFile(filepath.Join(dir, metricsName))
		fmt.Fprintf(w, "<p>%d lines</p>", strings.Count(string(raw), "\n"))
		return err
	})
	tr, err := New(s, o)
	require.NoError(t, err)
	require.NoError(t, tr.Train(context.Background(), Hooks{Event: func(e Event) error {
		lines = append(lines, string(e.AppendJSON(nil)))
		return nil
	}}))

	assert.ElementsMatch(t, []string{"metrics.jsonl", "samples.jsonl", "run.json", "report.html", "checkpoints", "weights.json", eventsName(t, out)}, names(t, out))
	assert.ElementsMatch(t, []string{"step-000009", "step-000012", "last", "best"}, names(t, filepath.Join(out, checkpointsDir)))
	assert.ElementsMatch(t, []string{"weights.json", optimizerName, stateName, sumsName}, names(t, filepath.Join(out, checkpointsDir, "step-000012")))
	require.NoError(t, verify(filepath.Join(out, checkpointsDir, "step-000012")))
	assert.Equal(t, "<p>16 lines</p>", read(t, out, reportName), "12 steps and evaluations at 0, 4, 8, 12")
	assert.Contains(t, read(t, out, runName), `"finished": true`)

	kinds := map[string]int{}
	for _, line := range lines {
		var e struct{ Event string }
		require.NoError(t, json.Unmarshal([]byte(line), &e), line)
		kinds[e.Event]++
	}
	assert.Equal(t, map[string]int{"start": 1, "step": 12, "eval": 4, "sample": 6, "checkpoint": 6, "result": 1}, kinds, "checkpoints: 3, 6, 9, 12 and the bests 4 and 8")
	assert.Contains(t, lines[0], `{"event":"start","step":0,"path":`)
	assert.Regexp(t, `^{"event":"eval","step":0,"eval_loss":[0-9.]+,"perplexity":[0-9.e+]+,"eval_runtime":[0-9.e-]+}$`, lines[1])
	assert.Regexp(t, `^{"event":"sample","step":0,"prompt":"w\?","completion":`, lines[2])
	step := lines[slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, `"step":2,`) })]
	assert.Regexp(t, `^{"event":"step","step":2,"loss":[0-9.]+,"toy/weight":[0-9]+,"grad_norm":[0-9.]+,"learning_rate":0.025,"epoch":0.25,"num_tokens":[0-9]+,"tokens_per_second":[0-9.e+]+,"step_seconds":[0-9.e-]+}$`, step)
	assert.Contains(t, lines[len(lines)-1], `{"event":"result","step":12,"path":`)
	assert.Contains(t, log.String(), "msg=step step=12 loss=")
	first, latest := tr.Evaluations()
	before, _ := first.Value("eval_loss")
	after, _ := latest.Value("eval_loss")
	assert.Less(t, after, before)
	assert.Equal(t, tr.progress.Best, 12)
}

type reportFunc func(w io.Writer, dir string) error

func (f reportFunc) Report(w io.Writer, dir string) error { return f(w, dir) }

func names(t testing.TB, dir string) []string {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func eventsName(t testing.TB, dir string) string {
	all := names(t, dir)
	i := slices.IndexFunc(all, func(n string) bool { return strings.HasPrefix(n, eventsPattern) })
	require.GreaterOrEqual(t, i, 0)
	return all[i]
}

func read(t testing.TB, path ...string) string {
	raw, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return string(raw)
}

func TestFolderIsRefusedOrResumed(t *testing.T) {
	out := t.TempDir()
	done := finishRun(t, true, out, nil) // empty: a fresh start
	want := outcome(t, out)

	s := runToy(true)
	o := runOptions(t, s, out)
	_, err := New(s, o)
	assert.ErrorIs(t, err, ErrNotEmpty)
	assert.ErrorContains(t, err, out)

	o.Resume = true
	tr, err := New(s, o)
	require.NoError(t, err)
	assert.True(t, tr.Finished(), "finished runs report so")
	assert.Equal(t, done.Step(), tr.Step())
	assert.Equal(t, done.stage.(*toy).w(), s.w(), "with the weights loaded")
	calls := 0
	require.NoError(t, tr.Train(context.Background(), Hooks{Event: func(Event) error { calls++; return nil }}))
	assert.Zero(t, calls)
	assert.Equal(t, want, outcome(t, out))

	foreign := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(foreign, "thesis.txt"), nil, 0o600))
	o.Out = foreign
	_, err = New(s, o)
	assert.ErrorIs(t, err, ErrNotARun)
	require.NoError(t, os.WriteFile(filepath.Join(foreign, runName), []byte(`{"format":99}`), 0o600))
	_, err = New(s, o)
	assert.ErrorIs(t, err, ErrNotARun)
	assert.ErrorContains(t, err, "format: got 99, want 1")
}

func TestChangedOptionsAreRefusedByName(t *testing.T) {
	out := t.TempDir()
	finishRun(t, true, out, func(o *Options) { o.Settings = json.RawMessage(`{"data":"a.jsonl","lora":{"rank":8}}`) })
	for want, change := range map[string]func(*Options){
		"optimizer.lr: got 0.5, want 0.05":                func(o *Options) { o.Optimizer = AdamW{LR: 0.5, WeightDecay: 0.01} },
		"schedule.name: got \"linear\"":                   func(o *Options) { o.Schedule = Linear{Warmup{Steps: 2}} },
		"max_steps: got 13, want 12":                      func(o *Options) { o.MaxSteps = 13 },
		"max_grad_norm: got 0, want 1":                    func(o *Options) { o.MaxGradNorm = new(0.0) },
		"groups[0].match[0]: got \"*\", want none":        func(o *Options) { o.Groups = []Group{{Match: []string{"*"}}} },
		"lora.rank: got 16, want 8":                       func(o *Options) { o.Settings = json.RawMessage(`{"data":"a.jsonl","lora":{"rank":16}}`) },
		"denominator: got \"per_micro_batch\", want none": func(o *Options) { o.Denominator = PerMicroBatch },
	} {
		s := runToy(true)
		o := runOptions(t, s, out)
		o.Resume, o.Settings = true, json.RawMessage(`{"lora": {"rank": 8}, "data": "a.jsonl"}`)
		change(&o)
		_, err := New(s, o)
		assert.ErrorIs(t, err, ErrOptionsChanged)
		assert.ErrorContains(t, err, want)
	}
	finishRun(t, true, out, func(o *Options) {
		o.Settings = json.RawMessage(`{"data":"a.jsonl","lora":{"rank":8}}`)
		o.SaveEvery, o.Keep = 100, 7
		o.Optimizer = AdamW{LR: 0.05, WeightDecay: 0.01, Eps: 1e-8} // a default, spelt out
	})
}

func TestRetentionKeepsTheBest(t *testing.T) {
	out := t.TempDir()
	s := runToy(true)
	o := runOptions(t, s, out)
	o.EvalEvery, o.SaveEvery, o.Keep, o.Watch = 1, 1, 2, Watch{Metric: "eval_distance"}
	// Best at step 5, worse after it.
	o.Evaluator = evaluatorFunc(func(_ context.Context, m *Metrics) error {
		d := float64(s.cursor - 5)
		m.Set("distance", d*d)
		return nil
	})
	tr, err := New(s, o)
	require.NoError(t, err)
	require.NoError(t, tr.Train(context.Background(), Hooks{}))
	assert.ElementsMatch(t, []string{"step-000005", "step-000011", "step-000012", "last", "best"}, names(t, filepath.Join(out, checkpointsDir)))
	assert.Equal(t, "step-000005\n", read(t, out, checkpointsDir, bestName))
	assert.Equal(t, "step-000012\n", read(t, out, checkpointsDir, lastName))

	out = t.TempDir()
	o.Out, o.SaveEvery, o.Watch.HigherIsBetter, o.Keep = out, -1, true, -1
	s.cursor = 0
	tr, err = New(s, o)
	require.NoError(t, err)
	require.NoError(t, tr.Train(context.Background(), Hooks{}))
	assert.ElementsMatch(t, []string{"step-000001", "step-000010", "step-000011", "step-000012", "last", "best"}, names(t, filepath.Join(out, checkpointsDir)),
		"the first is the farthest until step 10 is; only bests and the end are saved")

	o.Out, o.Watch.Metric = t.TempDir(), "eval_typo"
	tr, err = New(s, o)
	require.NoError(t, err)
	s.cursor = 0
	assert.ErrorContains(t, tr.Train(context.Background(), Hooks{}), `got "eval_typo", want a metric of the evaluation`)
}

type evaluatorFunc func(context.Context, *Metrics) error

func (f evaluatorFunc) Evaluate(ctx context.Context, m *Metrics) error { return f(ctx, m) }

func TestDamagedCheckpointsFallBack(t *testing.T) {
	damages := map[string]func(t *testing.T, dir string){
		"bit flip": func(t *testing.T, dir string) {
			raw := []byte(read(t, dir, optimizerName))
			raw[len(raw)-3] ^= 4
			require.NoError(t, os.WriteFile(filepath.Join(dir, optimizerName), raw, 0o600))
		},
		"truncated": func(t *testing.T, dir string) { require.NoError(t, os.Truncate(filepath.Join(dir, stateName), 50)) },
		"missing":   func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, "weights.json"))) },
		"no sums":   func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, sumsName))) },
		"half sums": func(t *testing.T, dir string) { require.NoError(t, os.Truncate(filepath.Join(dir, sumsName), 100)) },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			out := t.TempDir()
			finishRun(t, true, out, nil)
			want := outcome(t, out)
			damage(t, filepath.Join(out, checkpointsDir, "step-000012"))
			var log strings.Builder
			tr := finishRun(t, true, out, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			assert.Equal(t, 12, tr.Step())
			assert.Contains(t, log.String(), "checkpoint is damaged, trying the one before")
			assert.Contains(t, log.String(), "msg=resumed stage=toy step=9")
			assert.Equal(t, want, outcome(t, out), "the lost steps are taken again")
			assert.Contains(t, names(t, filepath.Join(out, checkpointsDir)), "bad-step-000012")

			damage(t, filepath.Join(out, checkpointsDir, "step-000009"))
			damage(t, filepath.Join(out, checkpointsDir, "step-000012"))
			s := runToy(true)
			o := runOptions(t, s, out)
			o.Resume = true
			_, err := New(s, o)
			assert.ErrorIs(t, err, ErrCorrupt)
			assert.ErrorContains(t, err, "step-000009")
			assert.Equal(t, []float64{0, 0, 0}, s.w(), "nothing was loaded")
		})
	}
}

func TestCheckpointOfAnotherModelIsRefused(t *testing.T) {
	out := t.TempDir()
	finishRun(t, true, out, nil)
	s := runToy(false) // float32
	o := runOptions(t, s, out)
	o.Resume = true
	_, err := New(s, o)
	assert.ErrorContains(t, err, "tensor line.bias.exp_avg: got F64 [1], want F32 [1]")
	assert.NotErrorIs(t, err, ErrCorrupt)
}

func TestLogsThatShrankAreRefused(t *testing.T) {
	out := t.TempDir()
	stopAfter(t, out, 7)
	require.NoError(t, os.Truncate(filepath.Join(out, metricsName), 10))
	s := runToy(true)
	o := runOptions(t, s, out)
	o.Resume = true
	tr, err := New(s, o)
	require.NoError(t, err)
	assert.ErrorContains(t, tr.Train(context.Background(), Hooks{}), "metrics.jsonl: got 10 bytes, want at least the")
}

// stopAfter runs n steps in out and abandons the run, as a kill would.
func stopAfter(t testing.TB, out string, n int) *Trainer {
	s := runToy(true)
	o := runOptions(t, s, out)
	o.Resume = true
	tr, err := New(s, o)
	require.NoError(t, err)
	for step, err := range tr.Steps(context.Background()) {
		require.NoError(t, err)
		if step.N == n {
			break
		}
	}
	return tr
}

// TestReactiveSchedulesResume cuts the rate by evaluations; its state must
// survive.
func TestReactiveSchedulesResume(t *testing.T) {
	for _, rule := range []Schedule{ReduceOnPlateau{Patience: new(0), Factor: 0.5, Threshold: new(0.5)}, Greedy{Patience: new(1), Factor: 0.5, MinLR: new(1e-4)}} {
		change := func(o *Options) {
			o.Schedule, o.EvalEvery, o.Optimizer = rule, 1, AdamW{LR: 0.05, AMSGrad: true}
		}
		calm := fastDir(t)
		tr := finishRun(t, false, calm, change)
		assert.NotEqual(t, 0.05, tr.rate(), "the rate has moved")
		want := outcome(t, calm)
		for n := 1; n < 12; n += 3 {
			out := fastDir(t)
			s := runToy(false)
			o := runOptions(t, s, out)
			change(&o)
			tr := newTrainer(t, s, o)
			for step, err := range tr.Steps(context.Background()) {
				require.NoError(t, err)
				if step.N == n {
					break
				}
			}
			require.NoError(t, tr.Save())
			finishRun(t, false, out, change)
			require.Equal(t, want, outcome(t, out))
		}
	}
}

// TestStateOfAnotherKindIsRefused edits state.json and its checksum.
func TestStateOfAnotherKindIsRefused(t *testing.T) {
	out := t.TempDir()
	finishRun(t, true, out, nil)
	dir := filepath.Join(out, checkpointsDir, checkpointName(12))
	original := read(t, dir, stateName)
	for want, edit := range map[string][2]string{
		"format: got 2, want 1":                    {`"format": 1`, `"format": 2`},
		`stage: got "dpo", want "toy"`:             {`"stage": "toy"`, `"stage": "dpo"`},
		"got step -12":                             {`"step": 12`, `"step": -12`},
		"max_steps: got 12, want 99":               {`"max_steps": 12`, `"max_steps": 99`},
		"reaction: got \"{}\" for schedule cosine": {`"stage_state"`, `"reaction": {}, "stage_state"`},
		"unexpected end":                           {`{`, `[{`},
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, stateName), []byte(strings.Replace(original, edit[0], edit[1], 1)), 0o600))
		sums, err := sumFiles(dir, []string{optimizerName, stateName, "weights.json"})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, sumsName), sums, 0o600))
		s := runToy(true)
		o := runOptions(t, s, out)
		o.Resume = true
		_, err = New(s, o)
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, stateName)
	}
}
