package tiny_test

import (
	"fmt"

	"github.com/posttrain/posttrain/examples/internal/tiny"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
)

func Example() {
	c, err := tiny.Open(auto.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	parameters, _ := model.ParamCount(c.Model)
	training, held := tiny.Rows()
	fmt.Println(c.Family.ModelType, parameters, len(training), len(held), training[0].Prompt, training[0].Completion)
	// Output: llama 887936 4000 200 34+36= 70
}
