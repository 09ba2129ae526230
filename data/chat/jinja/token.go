package jinja

// kind says what a token is. Operators have the kind tokOp and are told apart by
// their text.
type kind uint8

const (
	tokEOF kind = iota
	tokData
	tokVarBegin
	tokVarEnd
	tokBlockBegin
	tokBlockEnd
	tokName
	tokString
	tokInt
	tokFloat
	tokOp
)

// token is a lexical unit with the line it starts on. text is the decoded value
// of strings and the digits of numbers without underscores.
type token struct {
	kind kind
	line int
	text string
}

// is reports whether the token is this name.
func (t token) is(name string) bool { return t.kind == tokName && t.text == name }

// op reports whether the token is this operator.
func (t token) op(text string) bool { return t.kind == tokOp && t.text == text }

// describe names the token for error texts, with Jinja's words.
func (t token) describe() string {
	switch t.kind {
	case tokEOF:
		return "end of template"
	case tokData:
		return "template data / text"
	case tokVarBegin:
		return "begin of print statement"
	case tokVarEnd:
		return "end of print statement"
	case tokBlockBegin:
		return "begin of statement block"
	case tokBlockEnd:
		return "end of statement block"
	case tokString:
		return "string"
	case tokInt:
		return "integer"
	case tokFloat:
		return "float"
	}
	return t.text
}
