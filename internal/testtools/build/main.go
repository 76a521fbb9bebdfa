// Build makes the stock tools that tests use and Debian does not have, ahead of the tests, and prints where they are.
//
//	go run ./internal/testtools/build cosign helm
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

// tools are those that can be built.
func tools() map[string]func(context.Context) (string, error) {
	return map[string]func(context.Context) (string, error){"cosign": testtools.BuildCosign, "helm": testtools.BuildHelm, "kernel": testtools.Kernel}
}

func build(ctx context.Context, names []string) error {
	for _, tool := range names {
		build, ok := tools()[tool]
		if !ok {
			return fmt.Errorf("there is no tool %q to build: name cosign, helm or kernel", tool)
		}
		path, err := build(ctx)
		if err != nil {
			return err
		}
		fmt.Println(path)
	}
	return nil
}
