package odin_test

import (
	"fmt"
	"log"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/reward/odin"
)

// A net with two labels is what reward.New trains with odin.Loss; afterwards quality
// alone is the reward model.
func Example() {
	m, err := auto.New([]byte(tiny), model.Random{Seed: 1}, model.LoadOptions{}) // auto.Open for a checkpoint
	if err != nil {
		log.Fatal(err)
	}
	net, err := odin.Train(m, 1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(net.Head.Labels, net.Mix)
	// trainer, err := reward.New(net, batches, reward.Options{Loss: odin.Loss{}}, …)
	quality, err := odin.Quality(net)
	fmt.Println(quality.Head.Labels, err)
	// Output:
	// [quality length] [1 1]
	// [quality] <nil>
}
