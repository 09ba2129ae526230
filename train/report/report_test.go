package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/train"
)

var _ train.Reporter = Run{}

// folderOf is a run folder; files with empty text are absent.
func folderOf(run, metrics, samples string) fstest.MapFS {
	files := fstest.MapFS{}
	for name, text := range map[string]string{runName: run, metricsName: metrics, samplesName: samples} {
		if text != "" {
			files[name] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	return files
}

func render(t testing.TB, run, metrics, samples string) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, Run{}.write(&b, folderOf(run, metrics, samples), "run"))
	checkPage(t, b.String())
	return b.String()
}

// maxPage is the size that the package promises, in bytes.
const maxPage = 3_000_000

// checkPage holds for every page: it is well formed, it has one script and one
// style, which are ours, and it refers to nothing outside itself.
func checkPage(t testing.TB, page string) {
	t.Helper()
	assert.Less(t, len(page), maxPage)
	require.Equal(t, 1, strings.Count(page, scriptText))
	require.Equal(t, 1, strings.Count(page, styleText))
	// The template writes XML, so that any XML parser can check its structure.
	rest := strings.Replace(strings.Replace(page, scriptText, "", 1), styleText, "", 1)
	d := xml.NewDecoder(strings.NewReader(rest))
	counts := map[string]int{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		counts[start.Name.Local]++
		for _, a := range start.Attr {
			name := a.Name.Local
			assert.False(t, name == "src" || name == "style" || strings.HasPrefix(name, "on"), "attribute %s", name)
			assert.False(t, name == "href" && !strings.HasPrefix(a.Value, "#"), "link to %s", a.Value)
			assert.NotContains(t, a.Value, "ZgotmplZ")
		}
	}
	assert.Equal(t, []int{1, 1, 1, 0, 0, 0}, []int{counts["script"], counts["style"], counts["h1"], counts["link"], counts["img"], counts["iframe"]})
}

const runText = `{"format":1,"stage":"sft","machine":{"go":"go1.26.8","cpu":"Some CPU","isa":"avx2","threads":4},
"options":{"optimizer":{"name":"adamw","beta1":0.9},"max_steps":4,"watch":{"metric":"eval_loss"},"settings":{"model":"tiny","targets":["q","v"],"adapter":null}},
"finished":true,"result":{"best_step":4,"best_value":1.5}}`

const metricsText = `{"event":"eval","step":0,"eval_loss":3,"eval_hits":0.1,"eval_hits_low":0.05,"eval_hits_high":0.2,"eval_runtime":7.125}
{"event":"step","step":1,"loss":2.9,"learning_rate":0.001,"num_tokens":1234,"tokens_per_second":777.5}
{"event":"step","step":2,"loss":2.5,"learning_rate":0.0005,"num_tokens":2345,"tokens_per_second":778.5}
{"event":"step","step":3,"loss":null,"learning_rate":0.0005,"num_tokens":3456,"tokens_per_second":779.5}
{"event":"step","step":4,"loss":1.25,"learning_rate":0,"num_tokens":4567,"tokens_per_second":776.5}
{"event":"eval","step":4,"eval_loss":1.5,"eval_hits":0.6,"eval_hits_low":0.5,"eval_hits_high":0.7,"eval_runtime":8.125}
`

const samplesText = `{"event":"sample","step":0,"prompt":"Hello?","completion":"uh","reference":"Hi!","finish":"length","scores":{"good":0.25}}
{"event":"sample","step":2,"prompt":"Hello?","completion":"Hey","finish":"stop","scores":{"good":0.5}}
{"event":"sample","step":4,"prompt":"Hello?","completion":"Hi!","reference":"Hi!","finish":"stop","scores":{"good":1}}
{"event":"sample","step":4,"prompt":"Only at the end?","completion":""}
`

func TestPageSaysWhatHappened(t *testing.T) {
	page := render(t, runText, metricsText, samplesText)
	for _, want := range []string{
		"<h1>Training run: sft <span class=\"status done\">finished</span></h1>",
		"<dt>Model</dt><dd>tiny</dd>",
		"<dt>Steps</dt><dd>4 <small>of 4</small></dd>",
		"<dt>Tokens</dt><dd>4,567</dd>",
		"<dt>Training loss</dt><dd>1.25 <small>from 2.9 at step 1</small></dd>",
		"<dt>Best eval_loss</dt><dd>1.5 <small>at step 4</small></dd>",
		"<th scope=\"row\">optimizer.name</th><td>adamw</td>",
		"<th scope=\"row\">targets</th><td>q, v</td>",
		"<th scope=\"row\">adapter</th><td>–</td>",
		"<th scope=\"row\">cpu</th><td>Some CPU</td>",
		`<th scope="row">eval_loss</th><td class="number">3</td><td class="number">1.5</td><td class="number better"><b>-1.5</b> <small>-50 %</small> <small>· better</small></td>`,
		`<th scope="row">eval_hits</th><td class="number">0.1<br/><small class="bounds">0.05 to 0.2</small></td><td class="number">0.6<br/><small class="bounds">0.5 to 0.7</small></td><td class="number "><b>&#43;0.5</b> <small>&#43;500 %</small><br/><small class="bounds">bounds apart</small></td>`,
		"<li>loss: not finite at step 3.</li>",
		`<li>good <b>0.25</b> → <b>1</b> <small>(&#43;0.75)</small></li>`,
		`<summary>Step 2 <small>1 sample, mean good 0.5</small></summary>`,
		`<p class="empty">(empty)</p>`,
		`<pre dir="auto" class="reference">Hi!</pre>`,
	} {
		assert.Contains(t, page, want)
	}
	for _, unwanted := range []string{"<b>eval_hits_low</b>", `<th scope="row">eval_hits_low`, `<th scope="row">eval_runtime`, "are in samples.jsonl."} {
		assert.NotContains(t, page, unwanted)
	}
	var titles []string
	for _, part := range strings.Split(page, "<figcaption><b>")[1:] {
		titles = append(titles, part[:strings.Index(part, "<")])
	}
	assert.Equal(t, []string{"loss", "learning_rate", "eval_hits", "num_tokens", "tokens_per_second", "eval_runtime"}, titles, "eval_loss stands over loss; speed comes last")
}

func TestChartIsDrawn(t *testing.T) {
	page := render(t, runText, metricsText, "")
	from := strings.Index(page, "<svg")
	got := page[from : strings.Index(page, "</svg>")+len("</svg>")]
	golden := filepath.Join("testdata", "loss.svg")
	if os.Getenv("POSTTRAIN_UPDATE") != "" {
		require.NoError(t, os.WriteFile(golden, []byte(got+"\n"), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, strings.TrimSpace(string(want)), got)
}

func TestSameFilesSameBytes(t *testing.T) {
	// Maps of scores and fields are where order could creep in.
	samples := `{"step":1,"prompt":"p","completion":"c","scores":{"a":1,"b":2,"c":3,"d":4,"e":5}}`
	run := strings.Replace(runText, `"finished"`, `"later":{"x":1,"y":2},"finished"`, 1)
	first := render(t, run, metricsText, samples)
	for range 5 {
		require.Equal(t, first, render(t, run, metricsText, samples))
	}
}

func TestOnlyChartsOfSpeedDependOnTheClock(t *testing.T) {
	slow := strings.NewReplacer("777.5", "1.5", "776.5", "99.5", "7.125", "0.5", "8.125", "0.25").Replace(metricsText)
	a, b := render(t, runText, metricsText, samplesText), render(t, runText, slow, samplesText)
	cut := func(page string) string {
		from, to := strings.Index(page, "<h3>"+speedTitle), strings.Index(page, `<section id="samples">`)
		return page[:from] + page[to:]
	}
	assert.NotEqual(t, a, b)
	assert.Equal(t, cut(a), cut(b))
}

func TestTimingNamesAreTrains(t *testing.T) {
	for _, name := range timingNames {
		assert.True(t, train.IsTiming(name), name)
	}
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "metrics.md"))
	require.NoError(t, err)
	documented := 0
	for line := range strings.Lines(string(raw)) {
		if name, _, ok := strings.Cut(strings.TrimPrefix(line, "| `"), "` |"); ok && strings.Contains(line, "*timing*") {
			assert.True(t, isTiming(name), name)
			documented++
		}
	}
	assert.Equal(t, len(timingNames), documented)
}

func TestEverythingIsEscaped(t *testing.T) {
	evil := `</script></pre></title></style><script>alert(1)</script><img src=x onerror="alert(2)">{{.}} ' \" &lt; ` + "\x01\x7f\uffff\u2028`"
	raw, err := json.Marshal(evil)
	require.NoError(t, err)
	quoted := string(raw[1 : len(raw)-1])
	run := fmt.Sprintf(`{"stage":"%[1]s","machine":{"%[1]s":"%[1]s"},"options":{"watch":{"metric":"%[1]s"},"settings":{"model":"%[1]s","%[1]s":["%[1]s"]}},"result":{"best_value":1},"%[1]s":1}`, quoted)
	metrics := fmt.Sprintf(`{"event":"eval","step":0,"%[1]s":2,"eval_%[1]s":1}`+"\n"+`{"event":"step","step":1,"%[1]s":2,"x%[1]s":null}`+"\n", quoted)
	samples := fmt.Sprintf(`{"step":0,"prompt":"%[1]s","completion":"%[1]s","reference":"%[1]s","finish":"%[1]s","scores":{"%[1]s":1}}`+"\n"+`{"step":1,"prompt":"%[1]s","completion":{"%[1]s":2},"scores":{"%[1]s":1}}`+"\n", quoted)
	page := render(t, run, metrics, samples) // checkPage finds elements and attributes that are not ours
	for _, part := range []string{"<script>alert", "<img", `onerror="`, "</script></pre>"} {
		assert.NotContains(t, page, part)
	}
	assert.Contains(t, page, `<pre dir="auto">&lt;/script&gt;&lt;/pre&gt;`)
	assert.Contains(t, page, "<title>Training run: &lt;/script&gt;")
	assert.Contains(t, page, "&amp;lt;")

	var b bytes.Buffer
	require.NoError(t, Run{Title: evil}.write(&b, folderOf(runText, "", ""), ""))
	checkPage(t, b.String())
}

func TestControlCharactersAreShown(t *testing.T) {
	page := render(t, "", "", `{"step":0,"prompt":"a\u0000b\u001b[31mc\td\r\n","completion":"\u007f\u0085\ud800"}`)
	assert.Contains(t, page, "a␀b␛[31mc\td␍\n</pre>")
	assert.Contains(t, page, ">␡\ufffd\ufffd</pre>")
}

func TestEmptyRun(t *testing.T) {
	page := render(t, `{"format":1,"stage":"dpo","finished":false}`, "", "")
	for _, want := range []string{"Training run: dpo", `class="status open">not finished`, "metrics.jsonl is missing", "There is no evaluation", "There is no metric", "There is no sample", "There are no settings"} {
		assert.Contains(t, page, want)
	}
	assert.NotContains(t, page, "samples.jsonl is missing", "samples are optional")
	page = render(t, "", `{"event":"eval","step":0,"eval_loss":3}`, "")
	assert.Contains(t, page, "run.json is missing")
	assert.Contains(t, page, "There is one evaluation so far")
	assert.Contains(t, page, `<th scope="row">eval_loss</th><td class="number">3</td></tr>`)
	page = render(t, "", `{"event":"step","step":7,"loss":null}`, "")
	assert.Contains(t, page, "no finite value")
}

func TestFoldersThatAreNoRuns(t *testing.T) {
	dir := t.TempDir()
	var b bytes.Buffer
	err := Run{}.Report(&b, dir)
	require.ErrorIs(t, err, ErrNotARun)
	assert.Contains(t, err.Error(), dir)
	require.ErrorIs(t, Run{}.Report(&b, filepath.Join(dir, "absent")), ErrNotARun)
	require.NoError(t, os.Mkdir(filepath.Join(dir, metricsName), 0o755))
	err = Run{}.Report(&b, dir)
	require.Error(t, err, "a folder in place of a file")
	assert.Contains(t, err.Error(), metricsName)
	assert.Zero(t, b.Len(), "nothing is written before everything is read")
}

// failing fails to write.
type failing struct{}

var errFull = errors.New("disk is full")

func (failing) Write([]byte) (int, error) { return 0, errFull }

func TestWriteErrorsAreReported(t *testing.T) {
	require.ErrorIs(t, Run{}.write(failing{}, folderOf(runText, "", ""), ""), errFull)
}

func TestMalformedLinesAreCounted(t *testing.T) {
	metrics := "not json\n" + `{"event":"step","step":1,"loss":1}` + "\n\n[1]\n" + `{"event":"step","loss":1}` + "\n" +
		`{"event":"step","step":-1,"loss":1}` + "\n" + `{"event":"step","step":1.5,"loss":1}` + "\n" + `{"event":"step","step":3,"loss":NaN}` + "\n" +
		`{"event":"step","step":5,"loss":0.5}` + "\n" + `{"event":"step","step":4,"loss":9}` + "\n" + `{"event":"step","step":6,"lo`
	samples := `{"step":0,"prompt":"x"}` + "\n" + `{"step":0,"prompt":"x","scores":[1]}` + "\n" + `{"step":0}` + "\n" + `{"prompt":"no step"}` + "\n"
	page := render(t, `{"stage":`, metrics, samples)
	assert.Contains(t, page, "metrics.jsonl: 7 malformed lines were skipped: not an object with a step, as JSON (first at line 1). The last line is not complete")
	assert.Contains(t, page, "metrics.jsonl: 1 line was skipped: of an earlier step than the line before.")
	assert.Contains(t, page, "samples.jsonl: 3 malformed lines were skipped: not an object with a step, as JSON (first at line 2).</li>")
	assert.Contains(t, page, "<li>run.json: unexpected end of JSON input</li>")
	assert.Contains(t, page, "<b>loss</b> 1 → 0.5</p>")
}

func TestLongLinesAreSkipped(t *testing.T) {
	long := `{"step":1,"prompt":"` + strings.Repeat("x", maxLine) + `","completion":""}`
	page := render(t, "", "", `{"step":0,"prompt":"before","completion":""}`+"\n"+long+"\n"+`{"step":2,"prompt":"behind","completion":""}`+"\n")
	assert.Contains(t, page, "samples.jsonl: 1 line was skipped: longer than 8 MiB.")
	assert.Contains(t, page, ">before</pre>")
	assert.Contains(t, page, ">behind</pre>")
}

// maxTime is what the report of 100,000 steps may take. It is compared with the
// time that the process computes, which other processes do not lengthen much.
const maxTime = 2 * time.Second

func TestHugeRunsStaySmallAndQuick(t *testing.T) {
	steps := 100_000
	if testing.Short() {
		steps = 10_000
	}
	var m, s bytes.Buffer
	for i := range steps {
		x := float64(i)
		fmt.Fprintf(&m, `{"event":"step","step":%d,"loss":%g,"entropy":%g,"grad_norm":%g,"learning_rate":%g,"epoch":%g,"num_tokens":%d,"mean_token_accuracy":%g,"rewards/a":%g,"tokens_per_second":%g,"step_seconds":%g}`+"\n",
			i+1, math.Exp(-x/1e4)+.1*math.Sin(x*x), math.Cos(x*x), 1+math.Sin(x*1.7), 1e-4*(1-x/float64(steps)), x/1e3, i*4096, math.Sin(x), math.Sin(3*x), 1e3+math.Sin(5*x), 2+math.Cos(x*7))
		if i%20 == 0 {
			fmt.Fprintf(&m, `{"event":"eval","step":%d,"eval_loss":%g}`+"\n", i+1, math.Sin(x*x))
			fmt.Fprintf(&s, `{"event":"sample","step":%d,"prompt":"%d","completion":%q}`+"\n", i, i%7, strings.Repeat("<b>", 2000))
		}
	}
	files := folderOf(runText, m.String(), s.String())
	var page bytes.Buffer
	began := cpuTime()
	require.NoError(t, Run{}.write(&page, files, ""))
	took := cpuTime() - began
	assert.Less(t, took, maxTime)
	checkPage(t, page.String())
	assert.Contains(t, page.String(), "To keep the page small it leaves out")
	t.Logf("%d steps: %v, %d bytes", steps, took, page.Len())
}
