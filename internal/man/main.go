// Command man writes a manual page for each verb into a folder.
//
//	go run ./internal/man FOLDER
//
// The pages say what --help says. Their date is $SOURCE_DATE_EPOCH, or now.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/sallyport-dev/sallyport/cmd"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: man FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "man:", err)
		os.Exit(1)
	}
}

// write makes the folder and the pages in it.
func write(dir string) error {
	// Else a site of whoever makes the pages would be their default of --site.
	if err := os.Unsetenv("SALLYPORT_SITE"); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root := cmd.Tree()
	each(root, func(c *cobra.Command) { c.DisableAutoGenTag = true })
	return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "sallyport", Manual: "Sallyport"}, dir)
}

func each(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, sub := range c.Commands() {
		each(sub, do)
	}
}
