// Package chat renders conversations with the chat templates of checkpoints.
//
// [Parse] compiles a template; [Builtin] returns one of the templates that this
// package brings along for models without one. [Template.Render] turns an
// [Input] (messages, tools, extra variables) into text, and says which bytes of
// the text the assistant wrote: the spans of {% generation %} blocks, from which
// the masks of assistant-only loss are made.
//
// Messages are raw JSON objects, so that whatever a template knows (tool calls,
// content parts, reasoning) reaches it unchanged: keys keep their order and
// numbers print as Python prints them.
//
// [Template.CheckPrefixes] tells whether a conversation renders the same however
// far it went, which training on whole conversations relies on.
//
// Spans are exact only for templates that have markers ([Template.Marked]).
package chat
