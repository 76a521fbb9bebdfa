package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/sallyport-dev/sallyport/internal/oneline"
	"github.com/sallyport-dev/sallyport/internal/ownfile"
	"github.com/sallyport-dev/sallyport/internal/program"
)

// Hooks are programs of the site's own, each a name and arguments. The folder of the backup is in $SALLYPORT_BACKUP; that of
// Restore must not be changed. Where $SALLYPORT_STOPPED is 1, a reboot follows, and what works on the data is to be left stopped.
type Hooks struct {
	Backup  []string
	Restore []string
	// Version, if set, prints one line that is another one once the data have changed.
	Version []string
}

// maxVersion bounds what a program says of the version, in bytes.
const maxVersion = 200

type hooks struct {
	Hooks
	environ []string
}

func (*hooks) estimate(context.Context) (int64, error) { return 0, nil }

func (h *hooks) save(ctx context.Context, dir string) ([]byte, error) {
	return nil, h.run(ctx, "backup", h.Backup, dir, "0", nil)
}

func (h *hooks) restore(ctx context.Context, dir string, _ []byte, stopped bool) error {
	flag := "0"
	if stopped {
		flag = "1"
	}
	return h.run(ctx, "restore", h.Restore, dir, flag, nil)
}

func (h *hooks) version(ctx context.Context) (string, error) {
	if len(h.Version) == 0 {
		return "", nil
	}
	var out limited
	err := h.run(ctx, "version", h.Version, "", "0", &out)
	return oneline.Clean(strings.TrimSpace(out.String()), maxVersion), err
}

func (h *hooks) run(ctx context.Context, name string, args []string, dir, stopped string, out *limited) error {
	if filepath.IsAbs(args[0]) {
		if err := ownfile.Check(args[0]); err != nil {
			return notOurs(name, err)
		}
	}
	c := program.Command{Args: args, Env: append([]string{"SALLYPORT_BACKUP=" + dir, "SALLYPORT_STOPPED=" + stopped}, h.environ...)}
	if out != nil {
		c.Output = out
	}
	if err := program.Run(ctx, c); err != nil {
		return &fault{text: "the site's " + name + " command", advice: "", err: err}
	}
	return nil
}

// notOurs refuses a command that is missing, or that others could have changed.
func notOurs(name string, err error) error {
	f := &fault{text: "the site's " + name + " command", err: err, advice: "correct spec.data." + name + " in site.yaml"}
	var own *ownfile.Error
	if errors.As(err, &own) {
		f.advice = own.Hint()
	}
	return f
}

// run runs a tool and returns what it prints.
func run(ctx context.Context, env []string, args ...string) (string, error) {
	var out limited
	err := program.Run(ctx, program.Command{Args: args, Env: env, Output: &out})
	var p *program.Error
	if errors.As(err, &p) && p.Missing {
		return "", fmt.Errorf("%s is not installed", args[0])
	}
	return out.String(), err
}

// limited keeps the beginning of what is written to it.
type limited struct{ bytes.Buffer }

const maxOutput = 1 << 20

func (l *limited) Write(p []byte) (int, error) {
	if room := maxOutput - l.Len(); room > 0 {
		l.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
