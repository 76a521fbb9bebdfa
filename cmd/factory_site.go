//go:build site

package cmd

import "github.com/spf13/cobra"

// addFactoryVerbs adds none: a site neither builds nor signs.
func (p *program) addFactoryVerbs(*cobra.Command) {}
