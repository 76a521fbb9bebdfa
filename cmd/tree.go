package cmd

import (
	"io"

	"github.com/spf13/cobra"
)

// Tree is the verbs with their flags and help, for programs that describe them. Its verbs are not to be run: Main does.
func Tree() *cobra.Command {
	p := &program{out: io.Discard, err: io.Discard}
	return p.root()
}
