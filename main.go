// Sallyport carries software releases into places with no network.
package main

import (
	"os"

	"github.com/sallyport-dev/sallyport/cmd"
)

func main() {
	os.Exit(cmd.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
