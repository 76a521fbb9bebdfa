// Build makes the stock tools that tests use and Debian does not have, ahead of the tests, and prints where they are.
//
//	go run ./internal/testtools/build cosign
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/sallyport-dev/sallyport/internal/testtools"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := build(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

func build(ctx context.Context, tools []string) error {
	for _, tool := range tools {
		if tool != "cosign" {
			return fmt.Errorf("there is no tool %q to build: name cosign", tool)
		}
		path, err := testtools.BuildCosign(ctx)
		if err != nil {
			return err
		}
		fmt.Println(path)
	}
	return nil
}
