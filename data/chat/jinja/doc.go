// Package jinja renders the Jinja2 templates that checkpoints carry as chat
// templates, with the text Python would produce.
//
// [Parse] compiles a template once; [Template.Render] may then be called from
// any number of goroutines. Values come from JSON ([FromJSON] keeps the order of
// keys and the difference between 1 and 1.0) or from [String], [Bool] and [List].
//
// The dialect is the one transformers sets up: trim_blocks and lstrip_blocks, an
// immutable sandbox, break and continue, raise_exception, strftime_now, a tojson
// that writes like json.dumps without ASCII escapes, and {% generation %} blocks,
// whose places in the text come back as byte ranges ([Output].Spans).
//
// A generation block needs a place in the text: in a macro it works where the
// macro's call is all of a {{ … }}; inside text that is captured first, by
// {% set %}…{% endset %} or a macro call in a larger expression, it is an error.
//
// Templates are untrusted: [Limits] bounds source, nesting, work, text and ranges,
// and no template can make Render panic, hang or run out of memory.
//
// Left out on purpose: template inheritance, include and import (there is no
// loader, as in transformers: using them is an error), and what is not
// deterministic or of no use here: the filters random, urlize and pprint, the
// global lipsum, and the string methods encode, translate and maketrans.
package jinja
