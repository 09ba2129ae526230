package data

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// decoder turns the JSON text of one row into a Row.
type decoder struct {
	opts  ReadOptions
	shape Shape // of the file: of its first row when 0
	first Place // of the row that fixed the shape, none = the options did
}

// rowReader looks into one row; the first fault sticks.
type rowReader struct {
	at   Place
	opts ReadOptions
	raw  []byte // the whole object
	cols object
	err  *Error
}

func (r *rowReader) fail(column, got, want string) {
	if r.err == nil {
		r.err = &Error{At: r.at, Column: column, Got: got, Want: want}
	}
}

// newRowReader parses the JSON text of one row.
func newRowReader(raw []byte, at Place, opts ReadOptions) (*rowReader, error) {
	if err := checkText(raw); err != nil {
		return nil, &Error{At: at, Got: err.Error(), Want: "a row in valid UTF-8"}
	}
	cols, err := parseObject(raw, opts.MaxColumns)
	if err != nil {
		return nil, &Error{At: at, Got: err.Error(), Want: "one JSON object a row"}
	}
	return &rowReader{at: at, opts: opts, raw: raw, cols: cols}, nil
}

// row decodes one object.
func (d *decoder) row(raw []byte, at Place) (Row, error) {
	r, err := newRowReader(raw, at, d.opts)
	if err != nil {
		return Row{}, err
	}
	shape, err := d.resolve(r.cols, at)
	if err != nil {
		return Row{}, err
	}
	row := r.read(shape)
	if r.err != nil {
		return Row{}, r.err
	}
	return row, nil
}

// resolve finds the row's shape and holds it against the file's.
func (d *decoder) resolve(cols object, at Place) (Shape, error) {
	fits := shapesOf(cols)
	got := "columns " + clip(strings.Join(cols.keys, ", "))
	if d.shape == 0 {
		if judged(cols) && len(fits) > 0 {
			return 0, &Error{
				At: at, Got: got + ", which are preferences",
				Want: "examples to imitate (set ReadOptions.Shape to take all of them as such)",
			}
		}
		switch len(fits) {
		case 0:
			return 0, &Error{At: at, Got: got, Want: "text; messages; prompt and completion; instruction and output; conversations; or question and answer"}
		case 1:
			d.shape, d.first = fits[0], at
		default:
			return 0, &Error{At: at, Got: fmt.Sprintf("%s, which fit %v", got, fits), Want: "one shape (set ReadOptions.Shape)"}
		}
		return d.shape, nil
	}
	for _, s := range fits {
		if s == d.shape {
			return s, nil
		}
	}
	want := d.shape.String()
	switch {
	case d.first == Place{}:
	case d.first.File == at.File && d.first.Line > 0:
		want += fmt.Sprintf(" as in line %d", d.first.Line)
	default:
		want += " as in " + d.first.String()
	}
	if len(fits) == 1 {
		got = fits[0].String()
	}
	return 0, &Error{At: at, Got: got, Want: want}
}

// media are the columns of rows that are more than text.
var media = [...]string{"image", "images", "audio", "audios", "video", "videos"}

// shapesOf lists the shapes whose required columns are there.
func shapesOf(o object) []Shape {
	var fits []Shape
	add := func(s Shape, ok bool) {
		if ok {
			fits = append(fits, s)
		}
	}
	prompt, _ := o.get("prompt")
	completion, _ := o.get("completion")
	lists := kindOf(prompt) == "a list" || kindOf(completion) == "a list"
	add(ShapeText, o.has("text"))
	add(ShapeMessages, o.has("messages"))
	add(ShapePromptCompletion, o.has("prompt", "completion") && !lists)
	add(ShapeChatCompletion, o.has("prompt", "completion") && lists)
	add(ShapeAlpaca, o.has("instruction", "output"))
	add(ShapeShareGPT, o.has("conversations"))
	add(ShapeGSM8K, o.has("question", "answer"))
	return fits
}

// judged reports whether a row looks like preference data, good answers and bad
// ones: learning to imitate all of them is hardly what is meant.
func judged(o object) bool {
	label, _ := o.get("label")
	return o.has("chosen") || o.has("rejected") || kindOf(label) == "a boolean" && (o.has("messages") || o.has("prompt", "completion"))
}

// read fills a Row of the given shape.
func (r *rowReader) read(shape Shape) Row {
	row := Row{Shape: shape, At: r.at}
	switch shape {
	case ShapeText:
		row.Text = r.text("text")
	case ShapePromptCompletion:
		row.Prompt, row.Completion = r.text("prompt"), r.text("completion")
	case ShapeGSM8K:
		row.Prompt, row.Completion = gsm8k(r.text("question"), r.text("answer"))
	case ShapeAlpaca:
		r.empty("history", "no earlier turns (use the messages shape for conversations)")
		row.Prompt = alpaca(r.optional("system"), r.text("instruction"), r.optional("input"))
		row.Completion = r.text("output")
	case ShapeMessages:
		row.Messages = r.messages("messages")
	case ShapeChatCompletion:
		row.PromptMessages, row.CompletionMessages = r.messages("prompt"), r.messages("completion")
	case ShapeShareGPT:
		row.Messages = r.withSystem(r.messages("conversations"))
	}
	r.refuseMedia()
	if shape.Conversational() {
		row.Tools = r.tools()
		row.TemplateArgs = r.object("chat_template_kwargs")
	}
	return row
}

// columns fails for want of columns.
func (r *rowReader) columns(want string) {
	r.fail("", "columns "+clip(strings.Join(r.cols.keys, ", ")), want)
}

// refuseMedia fails for rows that are more than text.
func (r *rowReader) refuseMedia() {
	for _, column := range media {
		r.empty(column, "text only: images, audio and video are not supported")
	}
}

// extras returns what stands beside prompts and answers: tools and the
// variables of the template.
func (r *rowReader) extras() (tools, args json.RawMessage) {
	r.refuseMedia()
	return r.tools(), r.object("chat_template_kwargs")
}

// withSystem puts the column system, if there is one, before the messages.
func (r *rowReader) withSystem(messages []Message) []Message {
	if system := r.optional("system"); system != "" {
		return append([]Message{NewMessage("system", system)}, messages...)
	}
	return messages
}

// text returns a column that must be a string.
func (r *rowReader) text(column string) string {
	raw, _ := r.cols.get(column)
	var s string
	if kindOf(raw) != "a string" || json.Unmarshal(raw, &s) != nil {
		r.fail(column, kindOf(raw), "a string")
	}
	return s
}

// optional returns a column that is a string, null or absent.
func (r *rowReader) optional(column string) string {
	if !r.cols.has(column) {
		return ""
	}
	return r.text(column)
}

// empty refuses a column whose content would otherwise be dropped in silence.
func (r *rowReader) empty(column, want string) {
	raw, ok := r.cols.get(column)
	if ok && !slices.Contains([]string{`""`, "[]", "{}"}, string(compact(raw))) {
		r.fail(column, kindOf(raw), want)
	}
}

// number returns a column that is a finite number, or 0 for null or absent.
func (r *rowReader) number(column string) float64 {
	raw, ok := r.cols.get(column)
	if !ok {
		return 0
	}
	var x float64
	if json.Unmarshal(raw, &x) != nil {
		r.fail(column, kindOf(raw), "a number")
	}
	return x
}

// object returns a column that is an object, null or absent.
func (r *rowReader) object(column string) json.RawMessage {
	raw, ok := r.cols.get(column)
	if ok && kindOf(raw) != "an object" {
		r.fail(column, kindOf(raw), "an object")
	}
	return raw
}
