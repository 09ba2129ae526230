package stages_test

import (
	"fmt"

	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/examples/internal/stages"
)

func Example() {
	r := stages.Run{Flags: &cli.Flags{}, Title: "two stages"}
	fmt.Println(len(r.Results), r.Report(nil))
	// Output: 0 <nil>
}
