package lora_test

import (
	"fmt"
	"log"
	"os"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
)

// A fresh adapter is attached, saved as a PEFT folder, loaded under another name
// and merged. The model is a tiny random one.
func Example() {
	config, family, err := auto.ParseConfig([]byte(llamaConfig))
	if err != nil {
		log.Fatal(err)
	}
	m, err := family.New(config, model.NewLoader(config, model.Random{Seed: 1}, model.LoadOptions{}))
	if err != nil {
		log.Fatal(err)
	}
	a, err := lora.Attach(m, "default", lora.Config{Rank: 4, Targets: []string{"q_proj", "v_proj"}})
	if err != nil {
		log.Fatal(err)
	}
	for name, p := range a.Params() {
		fmt.Println(name, p.Shape())
	}
	fmt.Println("still the base:", a.Zero())

	// Training would change the parameters here.
	for _, p := range a.Params() {
		for i := range p.Data() {
			p.Data()[i] += 0.01
		}
		p.Changed()
	}
	dir, err := os.MkdirTemp("", "adapter")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := a.Save(dir, "my/base-model"); err != nil {
		log.Fatal(err)
	}
	b, err := lora.Load(m, "copy", dir)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("belongs to", b.Config().BaseModel, "with rank", b.Config().Rank)
	report, err := b.Merge()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("merged into %d weights\n", len(report.Changed))
	// Output:
	// model.layers.0.self_attn.q_proj.lora_A.default [4 16]
	// model.layers.0.self_attn.q_proj.lora_B.default [16 4]
	// model.layers.0.self_attn.v_proj.lora_A.default [4 16]
	// model.layers.0.self_attn.v_proj.lora_B.default [8 4]
	// model.layers.1.self_attn.q_proj.lora_A.default [4 16]
	// model.layers.1.self_attn.q_proj.lora_B.default [16 4]
	// model.layers.1.self_attn.v_proj.lora_A.default [4 16]
	// model.layers.1.self_attn.v_proj.lora_B.default [8 4]
	// still the base: true
	// belongs to my/base-model with rank 4
	// merged into 4 weights
}

// Kinds of adapters differ in what they train. The last layer's MLP of a tiny random
// model is adapted in several ways.
func ExampleConfig() {
	config, family, err := auto.ParseConfig([]byte(llamaConfig))
	if err != nil {
		log.Fatal(err)
	}
	m, err := family.New(config, model.NewLoader(config, model.Random{Seed: 1}, model.LoadOptions{}))
	if err != nil {
		log.Fatal(err)
	}
	target := []string{"layers.1.mlp.down_proj"}
	for _, kind := range []struct {
		name   string
		config lora.Config
	}{
		{"LoRA", lora.Config{Rank: 4, Targets: target}},
		{"DoRA", lora.Config{Rank: 4, Targets: target, DoRA: true}},
		{"PiSSA", lora.Config{Rank: 4, Targets: target, Init: lora.PiSSA}},
		{"IA3", lora.Config{Method: lora.IA3, Targets: target, Feedforward: target}},
		{"CURLoRA", lora.Config{Method: lora.CURLoRA, Rank: 4, Targets: target}},
	} {
		a, err := lora.Attach(m, "default", kind.config)
		if err != nil {
			log.Fatal(err)
		}
		n := 0
		for _, p := range a.Params() {
			n += p.Len()
		}
		fmt.Printf("%s trains %d numbers; the model without it is what it was: %t\n", kind.name, n, a.Zero())
		a.Remove()
	}
	// Output:
	// LoRA trains 160 numbers; the model without it is what it was: true
	// DoRA trains 176 numbers; the model without it is what it was: true
	// PiSSA trains 160 numbers; the model without it is what it was: false
	// IA3 trains 24 numbers; the model without it is what it was: true
	// CURLoRA trains 16 numbers; the model without it is what it was: true
}
