package jinja_test

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/data/chat/jinja"
)

func Example() {
	source := `{%- for m in messages %}
{{- m.role | upper }}: {% generation %}{{ m.content | trim }}{% endgeneration %}{{ "\n" }}
{%- endfor %}`
	template, err := jinja.Parse("greeting.jinja", source, jinja.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	messages, err := jinja.FromJSON([]byte(`[{"role": "user", "content": " Hi "}, {"role": "bot", "content": "Hello"}]`))
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := template.Render(map[string]jinja.Value{"messages": messages})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(out.Text)
	for _, s := range out.Spans {
		fmt.Printf("%d-%d %s\n", s[0], s[1], out.Text[s[0]:s[1]])
	}
	// Output:
	// USER: Hi
	// BOT: Hello
	// 6-8 Hi
	// 14-19 Hello
}

func ExampleError() {
	template, err := jinja.Parse("strict.jinja", "{% if not tools %}\n{{ raise_exception('tools, please') }}{% endif %}", jinja.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = template.Render(nil)
	fmt.Println(err)
	fmt.Println(errors.Is(err, jinja.ErrRaised))
	// Output:
	// jinja: template "strict.jinja", line 2 raised: tools, please
	// true
}
