//go:build !site

package cmd

import "github.com/spf13/cobra"

func (p *program) addFactoryVerbs(root *cobra.Command) {
	add(root, "factory", p.buildVerb(), p.signVerb(), p.keyVerb())
}
