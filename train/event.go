package train

import (
	"encoding/json"
	"strconv"
)

// EventKind says what an [Event] reports.
type EventKind string

// The kinds of events, in the order in which a run gives them.
const (
	EventStart      EventKind = "start"      // the run begins or goes on
	EventEval       EventKind = "eval"       // an evaluation is done
	EventSample     EventKind = "sample"     // a sample was written, one event each
	EventStep       EventKind = "step"       // an optimizer step is done
	EventCheckpoint EventKind = "checkpoint" // a checkpoint is on disk
	EventResult     EventKind = "result"     // the run is finished
)

// Event is something that happened, as metrics.jsonl, samples.jsonl and programs
// that print JSON lines show it.
type Event struct {
	Kind EventKind
	// Step is the number of optimizer steps done.
	Step int
	// Metrics and Timing are the numbers of steps, evaluations and results.
	Metrics, Timing *Metrics
	// Sample is the text of a sample.
	Sample *Sample
	// Path is the folder of a checkpoint or a result.
	Path string
	// Fields is a further JSON object, merged into the line: the settings of a
	// start.
	Fields json.RawMessage
}

// AppendJSON appends the event as one JSON object without a line break:
// {"event":"step","step":1,"loss":…}. Numbers that are not finite become null.
// Events of steps and evaluations allocate nothing but what dst grows by.
func (e Event) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"event":"`...)
	dst = append(dst, e.Kind...)
	dst = append(dst, `","step":`...)
	dst = strconv.AppendInt(dst, int64(e.Step), 10)
	if e.Path != "" {
		dst = append(dst, jsonKey("path")...)
		dst = appendObject(dst, e.Path)
	}
	if e.Metrics != nil {
		dst = e.Metrics.appendFields(dst)
	}
	if e.Timing != nil {
		dst = e.Timing.appendFields(dst)
	}
	if e.Sample != nil {
		dst = mergeObject(dst, appendObject(nil, e.Sample))
	}
	return append(mergeObject(dst, e.Fields), '}')
}

// appendObject appends v as JSON; v must be of a type that always encodes, but
// for numbers that are not finite.
func appendObject(dst []byte, v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		return append(dst, "null"...)
	}
	return append(dst, raw...)
}

// mergeObject appends the fields of the JSON object raw to an object begun in
// dst.
func mergeObject(dst []byte, raw json.RawMessage) []byte {
	if len(raw) <= len("{}") || raw[0] != '{' {
		return dst
	}
	dst = append(dst, ',')
	return append(dst, raw[1:len(raw)-1]...)
}
