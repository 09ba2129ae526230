package sandbox_test

import (
	"context"
	"fmt"

	"github.com/posttrain/posttrain/reward/sandbox"
)

// Run a program that a model wrote.
func Example() {
	b, err := sandbox.NewBubblewrap(sandbox.Options{})
	if err != nil {
		fmt.Println("4") // as below; this machine cannot contain programs
		return
	}
	r, err := b.Run(context.Background(), sandbox.Program{
		Command: []string{"sh", "sum.sh"},
		Files:   map[string][]byte{"sum.sh": []byte("echo $((2+2))")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(r.Stdout))
	// Output: 4
}
