//go:build !site

package cmd

import "github.com/spf13/cobra"

// addFactoryVerbs adds what the program for sites does not have.
func (p *program) addFactoryVerbs(root *cobra.Command) {
	add(root, "factory", p.buildVerb(), p.signVerb(), p.keyVerb())
	// html/template has the linker keep every method there is, 11 MB of them: too much for the program that travels on the stick.
	add(root, "site", p.webVerb())
}
