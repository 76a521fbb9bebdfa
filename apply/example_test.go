package apply_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/sallyport-dev/sallyport/apply"
)

// The order of calls of sallyport apply, with what a program has to tell apart at the end.
func Example() {
	ctx := context.Background()
	cfg, err := apply.LoadConfig("testdata/none/site.yaml")
	if err != nil {
		fmt.Println("error:", err)
		return
	}
	site := apply.Open(cfg, func(e apply.Event) { fmt.Println(e.Label, e.Text) })

	f, err := os.Open("store-platform-2.4.0.tar")
	if err != nil {
		fmt.Println("error:", err)
		return
	}
	defer f.Close()
	res, err := site.Apply(ctx, apply.Input{Name: f.Name(), Reader: f}, apply.Options{})

	var e interface{ Reason() string }
	switch {
	case err == nil:
		fmt.Println(res.Result, res.Release) // committed, or nothing: it runs already
	case errors.As(err, &e) && e.Reason() == "rolled-back":
		fmt.Println("the site runs what it ran before:", err)
	case errors.As(err, &e) && e.Reason() == "person":
		fmt.Println("somebody has to look:", err)
	default:
		fmt.Println("error:", err) // nothing that runs has changed, or the next verb goes on where this one stopped
	}
	// Output: error: there is no testdata/none/site.yaml
}
