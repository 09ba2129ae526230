// Package report makes one HTML page of a training run: what was trained, the
// evaluations before and after, a chart of every metric, and what the model wrote
// at each stage. The page is a single file that needs no network: charts are
// inline SVG, style and script stand in the page, and a content security policy
// forbids everything else. It adapts to dark mode and to narrow screens, and is
// complete without its script, which only adds values under the pointer.
//
// [Run] is where to start; it satisfies train.Reporter, so it can be given to a
// trainer, or make the page again later from the files of a run folder.
//
// # What is read
//
// run.json, metrics.jsonl and samples.jsonl of DESIGN §8. Nothing depends on the
// names of metrics, except that
//
//   - lines of evaluations are drawn as points, over the chart of NAME when they
//     are called eval_NAME and the ranges fit together;
//   - NAME_low and NAME_high of an evaluation are the confidence bounds of NAME;
//   - names with a slash are put under a heading of their own, rewards/mean under
//     rewards;
//   - loss, perplexity, accuracy, reward and the like are known to be better low
//     or high; other differences are shown without a judgement.
//
// Series of more than about 1,500 points keep the smallest and the largest value
// of every stretch, so no spike is lost.
//
// # Limitations
//
// The same files give the same bytes: the page says neither when nor where it was
// made, and only charts of measured speed depend on the clock. Lines that are not
// JSON are left out and counted in a note on the page. A page stays below 3 MB:
// long texts lose their middle, and of many samples some are left out, which the
// page says. Charts cannot be zoomed; the numbers are in metrics.jsonl and in the
// event files of package tensorboard.
package report
