package overlap_test

import (
	"fmt"
	"log"

	"github.com/posttrain/posttrain/data/overlap"
)

// Rows that repeat earlier ones are told apart from new ones.
func ExampleDuplicates() {
	d, err := overlap.NewDuplicates(overlap.DuplicateOptions{Words: 2, Threshold: 0.6})
	if err != nil {
		log.Fatal(err)
	}
	for _, text := range []string{"The cat sat on the mat.", "A dog barked.", "The cat sat on the mat.", "the cat sat on the mat, purring"} {
		m := d.Add(text)
		fmt.Println(m.Of, m.Exact)
	}
	// Output:
	// -1 false
	// -1 false
	// 0 true
	// 0 false
}

// A test that training gives away.
func ExampleContamination() {
	c, err := overlap.NewContamination(overlap.ContaminationOptions{Words: 6, MinWords: 4})
	if err != nil {
		log.Fatal(err)
	}
	c.AddTest("How many legs do three spiders and two cats have together?")
	c.AddTest("What is the capital of Peru?")
	c.AddTrain("Quiz: how many legs do three spiders and two cats have together? 32.")
	for _, hit := range c.Hits() {
		fmt.Printf("test %d is in training text %d: %.0f%%\n", hit.Test, hit.Train, 100*hit.Share)
	}
	// Output: test 0 is in training text 0: 100%
}
