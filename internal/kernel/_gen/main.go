// Command _gen writes the assembly of package kernel and its Go declarations:
//
//	cd internal/kernel/_gen && go run . -out ..
//
// The output is committed. CI runs the command and fails when a file changes.
package main

import (
	"flag"
	"log"
	"os"
	"path/filepath"
)

func main() {
	out := flag.String("out", "..", "folder of package kernel")
	flag.Parse()
	for name, text := range generate() {
		if err := os.WriteFile(filepath.Join(*out, name), []byte(text), 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

// generate returns the generated files by name.
func generate() map[string]string {
	files := map[string]string{}
	var decls []string
	add := func(name string, build func(*asm)) {
		a := &asm{}
		build(a)
		files[name] = a.file()
		decls = append(decls, a.decls...)
	}
	for _, v := range []isa{avx2, avx512} {
		add("zgemm_"+v.name+"_amd64.s", func(a *asm) { microKernels(a, v) })
		add("zpack_"+v.name+"_amd64.s", func(a *asm) { packKernels(a, v) })
		add("zthin_"+v.name+"_amd64.s", func(a *asm) { thinKernels(a, v) })
		add("zvector_"+v.name+"_amd64.s", func(a *asm) { vectorKernels(a, v) })
		add("zmath_"+v.name+"_amd64.s", func(a *asm) { mathKernels(a, v) })
	}
	add("zconst_amd64.s", constTable)
	files["zdecl_amd64.go"] = declFile(decls)
	return files
}
