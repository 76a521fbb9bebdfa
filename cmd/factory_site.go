//go:build site

package cmd

import (
	"context"

	"github.com/spf13/cobra"
)

// addFactoryVerbs adds none: a site neither builds nor signs.
func (p *program) addFactoryVerbs(*cobra.Command) {}

// reportShowVerbs adds none: a site has its own receipts only.
func (p *program) reportShowVerbs() []*cobra.Command { return nil }

// noticeOptions has nothing: a site writes no notices.
type noticeOptions struct{}

func (*noticeOptions) asked() bool                                                   { return false }
func (p *program) noticeFlags(*cobra.Command, *noticeOptions)                        {}
func (p *program) writeNotice(context.Context, *noticeOptions, string, string) error { return nil }

// renderingOf renders no release.yaml: the program for sites links nothing that could.
func renderingOf(context.Context, string) (*rendering, error) {
	return nil, &usageError{"this program is the one for sites, which renders no release.yaml", "name a bundle, or use the program of the factory"}
}
