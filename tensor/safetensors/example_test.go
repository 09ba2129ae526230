package safetensors_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/posttrain/posttrain/tensor/safetensors"
)

// A model is written tensor by tensor and read back.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := write(filepath.Join(dir, "adapter_model.safetensors")); err != nil {
		log.Fatal(err)
	}

	f, err := safetensors.Open(filepath.Join(dir, "adapter_model.safetensors"))
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	for name, t := range f.Tensors() {
		values, err := t.Float32()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(name, t.Dtype(), t.Shape(), values)
	}
	// Output:
	// lora_B BF16 [1 2] [0.5 -2]
	// scale BF16 [] [16]
}

func write(path string) error {
	w, err := safetensors.Create(path, []safetensors.Info{
		{Name: "scale", Dtype: safetensors.BF16},
		{Name: "lora_B", Dtype: safetensors.BF16, Shape: []int{1, 2}},
	}, map[string]string{"format": "pt"})
	if err != nil {
		return err
	}
	defer w.Abort() // does nothing after Close
	if err := w.WriteFloat32("scale", []float32{16}); err != nil {
		return err
	}
	if err := w.WriteFloat32("lora_B", []float32{0.5, -2}); err != nil {
		return err
	}
	return w.Close()
}

// A folder is written and opened the same way whether it has one file or many.
func ExampleCreateFolder() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	tensors := []safetensors.Info{
		{Name: "a", Dtype: safetensors.F32, Shape: []int{4}},
		{Name: "b", Dtype: safetensors.F32, Shape: []int{4}},
	}
	w, err := safetensors.CreateFolder(dir, tensors, safetensors.FolderOptions{MaxShardBytes: 16})
	if err != nil {
		log.Fatal(err)
	}
	defer w.Abort() // does nothing after Close
	for _, t := range tensors {
		if err := w.WriteFloat32(t.Name, []float32{1, 2, 3, 4}); err != nil {
			log.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}

	f, err := safetensors.OpenFolder(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	fmt.Println(f.Shards(), "shards,", f.Len(), "tensors")
	// Output: 2 shards, 2 tensors
}
