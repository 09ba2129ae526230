package jinja

import "strings"

// The tags below need a template loader. transformers has none: templates that
// hold them compile, and fail when they reach them.

func (p *parser) parseExtends(line int) stmt {
	p.expression()
	return &noLoader{line}
}

func (p *parser) parseInclude(line int) stmt {
	p.expression()
	if p.cur.is("ignore") && p.look().is("missing") {
		p.next()
		p.next()
	}
	p.importContext()
	return &noLoader{line}
}

func (p *parser) parseImport(line int) stmt {
	p.expression()
	p.expectName("as")
	p.nameTarget()
	p.importContext()
	return &noLoader{line}
}

func (p *parser) parseFrom(line int) stmt {
	p.expression()
	p.expectName("import")
	for n := 0; ; n++ {
		if n > 0 {
			p.expectOp(",")
		}
		if n > 0 && p.importContext() {
			break
		}
		if name := p.nameTarget(); strings.HasPrefix(name.name, "_") {
			p.fail("names starting with an underline can not be imported")
		}
		if p.skipName("as") {
			p.nameTarget()
		}
		if p.importContext() || !p.cur.op(",") {
			break
		}
	}
	return &noLoader{line}
}

// importContext takes "with context" or "without context".
func (p *parser) importContext() bool {
	if (p.cur.is("with") || p.cur.is("without")) && p.look().is("context") {
		p.next()
		p.next()
		return true
	}
	return false
}
