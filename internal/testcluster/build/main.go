// Build makes the Kubernetes programs that the tests run, unless they are in the cache folder already:
//
//	go run ./internal/testcluster/build [kube-apiserver] [kube-controller-manager] [kube-scheduler] [kubelet] [kubectl]
//
// It needs Go and a module proxy, no root and no C compiler. The first program takes some minutes of two processors,
// each further one less; all of them together 360 MB of disk. It prints the folder that holds them. Any number may run
// at once: one builds, the others wait.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/sallyport-dev/sallyport/internal/testcluster"
)

func main() {
	flag.Usage = func() {
		fmt.Fprintf(os.Stderr, "usage: go run ./internal/testcluster/build PROGRAM...\nprograms: %v\n", programs())
	}
	flag.Parse()
	os.Exit(run(flag.Args()))
}

func run(names []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(names) == 0 {
		flag.Usage()
		return 2
	}
	dir, err := testcluster.BinDir()
	if err == nil {
		err = build(ctx, dir, names)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		return 1
	}
	fmt.Println(dir)
	return 0
}
