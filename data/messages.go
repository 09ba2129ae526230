package data

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// roles maps the speakers of ShareGPT-like files to the roles templates know.
var roles = map[string]string{
	"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant", "chatgpt": "assistant",
	"observation": "tool", "function_response": "tool",
	"user": "user", "assistant": "assistant", "system": "system", "tool": "tool",
}

// messages returns a column that must be a list of messages.
func (r *rowReader) messages(column string) []Message {
	raw, _ := r.cols.get(column)
	items, err := parseList(raw, r.opts.MaxMessages)
	if err != nil {
		r.fail(column, err.Error(), "a list of messages")
		return nil
	}
	if len(items) == 0 {
		r.fail(column, "an empty list", "at least one message")
	}
	out := make([]Message, 0, len(items))
	for i, item := range items {
		out = append(out, r.message(fmt.Sprintf("%s[%d]", column, i), item))
		if r.err != nil {
			return nil
		}
	}
	return out
}

// message reads {role, content, …} or ShareGPT's {from, value}.
func (r *rowReader) message(column string, raw json.RawMessage) Message {
	o, err := parseObject(raw, r.opts.MaxColumns)
	if err != nil {
		r.fail(column, err.Error(), "an object with role and content")
		return Message{}
	}
	if o.has("from", "value") && !o.has("role") {
		return r.shareGPT(column, o)
	}
	role := r.member(column, o, "role")
	if !o.has("content") && !o.has("tool_calls") {
		r.fail(column+".content", "nothing", "a string")
	}
	return Message{Role: role, Content: r.content(column, o), JSON: compact(raw)}
}

// shareGPT reads {from, value}. A function_call becomes an assistant turn with
// tool_calls.
func (r *rowReader) shareGPT(column string, o object) Message {
	from, value := r.member(column, o, "from"), r.member(column, o, "value")
	if from == "function_call" {
		return r.functionCall(column, value)
	}
	role, ok := roles[from]
	if !ok {
		r.fail(column+".from", fmt.Sprintf("%q", clip(from)), "human, gpt, system, function_call, observation or tool")
	}
	return NewMessage(role, value)
}

func (r *rowReader) functionCall(column, value string) Message {
	call, err := parseObject([]byte(value), r.opts.MaxColumns)
	if err != nil || !call.has("name") {
		r.fail(column+".value", clip(value), `a JSON object with "name" and "arguments"`)
		return Message{}
	}
	var raw bytes.Buffer
	raw.WriteString(`{"role":"assistant","content":"","tool_calls":[{"type":"function","function":`)
	raw.Write(compact([]byte(value)))
	raw.WriteString(`}]}`)
	return Message{Role: "assistant", JSON: raw.Bytes()}
}

// member returns a string member of a message.
func (r *rowReader) member(column string, o object, key string) string {
	raw, _ := o.get(key)
	var s string
	if kindOf(raw) != "a string" || json.Unmarshal(raw, &s) != nil {
		r.fail(column+"."+key, kindOf(raw), "a string")
	}
	return s
}

// content returns a message's text: a string, null, or a list of text parts.
func (r *rowReader) content(column string, o object) string {
	raw, ok := o.get("content")
	if !ok {
		return ""
	}
	if kindOf(raw) != "a list" {
		return r.member(column, o, "content")
	}
	parts, err := parseList(raw, r.opts.MaxMessages)
	if err != nil {
		r.fail(column+".content", err.Error(), "a list of parts")
	}
	var text strings.Builder
	for i, part := range parts {
		at := fmt.Sprintf("%s.content[%d]", column, i)
		p, err := parseObject(part, r.opts.MaxColumns)
		if err != nil {
			r.fail(at, err.Error(), "an object with type and text")
			return ""
		}
		if kind := r.member(at, p, "type"); kind != "text" {
			r.fail(at+".type", fmt.Sprintf("%q", clip(kind)), `"text" (images and audio are not supported)`)
			return ""
		}
		text.WriteString(r.member(at, p, "text"))
	}
	return text.String()
}

// tools returns the list of tool descriptions: a list, or a string that holds
// one (TRL and LLaMA-Factory know both). A bare {"name": …} is wrapped as
// {"type":"function","function":…}. An empty list is no tools.
func (r *rowReader) tools() json.RawMessage {
	raw, ok := r.cols.get("tools")
	if !ok {
		return nil
	}
	if kindOf(raw) == "a string" {
		raw = json.RawMessage(r.text("tools"))
		if len(bytes.TrimSpace(raw)) == 0 {
			return nil
		}
	}
	items, err := parseList(raw, r.opts.MaxMessages)
	if err != nil {
		r.fail("tools", err.Error(), "a list of tool descriptions or a string that holds one")
		return nil
	}
	if len(items) == 0 {
		return nil
	}
	out := []byte{'['}
	for i, item := range items {
		o, err := parseObject(item, r.opts.MaxColumns)
		if err != nil {
			r.fail(fmt.Sprintf("tools[%d]", i), err.Error(), "an object")
			return nil
		}
		if i > 0 {
			out = append(out, ',')
		}
		if o.has("name") && !o.has("function") && !o.has("type") {
			out = append(append(append(out, `{"type":"function","function":`...), compact(item)...), '}')
		} else {
			out = append(out, compact(item)...)
		}
	}
	return append(out, ']')
}

// compact drops white space between tokens of valid JSON.
func compact(raw []byte) json.RawMessage {
	var out bytes.Buffer
	if json.Compact(&out, raw) != nil {
		return raw
	}
	return out.Bytes()
}
