package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/sallyport-dev/sallyport/delta"
)

// The engine is measured as processes of its own: this program runs itself with "work" and one of these words.
var works = map[string]func(context.Context, workFlags) (any, error){
	"expand": workExpand,
	"diff":   workDiff,
	"apply":  workApply,
	"slot":   workSlot,
}

type workFlags struct {
	in, out string
	olds    []string
	effort  delta.Effort
	size    int64
	temp    string
}

var efforts = map[string]delta.Effort{"fast": delta.EffortFast, "default": delta.EffortDefault, "best": delta.EffortBest}

// engine runs a work in a process of its own and reads its answer.
func engine(ctx context.Context, into any, args ...string) (cost, error) {
	self, err := os.Executable()
	if err != nil {
		return cost{}, err
	}
	c, out, err := process(ctx, "", nil, self, append([]string{"work"}, args...)...)
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(out, into)
}

// work is such a process.
func work(ctx context.Context, args []string) error {
	var f workFlags
	flags := flag.NewFlagSet("work", flag.ExitOnError)
	flags.StringVar(&f.in, "in", "", "the blob or patch to read")
	flags.StringVar(&f.temp, "temp", "", "a folder for temporary files")
	flags.StringVar(&f.out, "out", os.DevNull, "the file to write")
	flags.Int64Var(&f.size, "size", 0, "bytes of the blob to make")
	olds := flags.String("olds", "", "old blobs or plain files, with colons between them")
	effort := flags.String("effort", "default", "fast, default or best")
	run := works[args[0]]
	if run == nil {
		return fmt.Errorf("no work %q", args[0])
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if *olds != "" {
		f.olds = strings.Split(*olds, ":")
	}
	f.effort = efforts[*effort]
	answer, err := run(ctx, f)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(answer)
}

func workExpand(ctx context.Context, f workFlags) (any, error) {
	in, err := os.Open(f.in)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var n int64
	err = create(f.out, func(w io.Writer) (err error) {
		n, err = delta.Expand(ctx, w, in, 1<<40)
		return err
	})
	return n, err
}

// made is what the engine tells of a patch.
type made struct {
	Size     int64
	Recipe   string
	Used     []int
	NoRecipe bool
}

func workDiff(ctx context.Context, f workFlags) (any, error) {
	debug.SetMemoryLimit(900 << 20) // as sallyport build does
	in, err := os.Open(f.in)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	olds, err := openOlds(ctx, f)
	if err != nil {
		return nil, err
	}
	defer olds.close()
	var res delta.Result
	err = create(f.out, func(w io.Writer) (err error) {
		res, err = delta.Diff(ctx, w, in, info.Size(), olds.list, delta.Options{Effort: f.effort, TempDir: f.temp})
		return err
	})
	if errors.Is(err, delta.ErrNoRecipe) {
		return made{Size: info.Size(), NoRecipe: true}, nil
	}
	return made{Size: res.Size, Recipe: res.Recipe, Used: res.Used}, err
}

func workApply(ctx context.Context, f workFlags) (any, error) {
	debug.SetMemoryLimit(64 << 20) // as a site does
	in, err := os.Open(f.in)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	olds, err := openOlds(ctx, f)
	if err != nil {
		return nil, err
	}
	defer olds.close()
	return true, create(f.out, func(w io.Writer) error {
		return delta.Apply(ctx, w, in, olds.list, delta.Limits{Size: f.size, TempDir: f.temp})
	})
}

// olds are the old layers that a work has opened.
type olds struct {
	list    []delta.Old
	closers []io.Closer
}

// openOlds expands the old blobs, and keeps how they were compressed, as build and a site do; what is plain already is used
// as it is.
func openOlds(ctx context.Context, f workFlags) (*olds, error) {
	o := &olds{}
	for _, path := range f.olds {
		old, err := o.open(ctx, path, f.temp)
		if err != nil {
			return nil, errors.Join(err, o.close())
		}
		o.list = append(o.list, old)
	}
	return o, nil
}

func (o *olds) open(ctx context.Context, path, dir string) (delta.Old, error) {
	in, err := os.Open(path)
	if err != nil {
		return delta.Old{}, err
	}
	o.closers = append(o.closers, in)
	info, err := in.Stat()
	if err != nil {
		return delta.Old{}, err
	}
	if strings.HasPrefix(filepath.Base(path), "old-") || strings.HasSuffix(path, ".old") {
		return delta.Old{ReaderAt: in, Size: info.Size()}, nil
	}
	old, err := delta.ExpandOld(ctx, in, 1<<40, dir, 2*info.Size())
	if err != nil {
		return delta.Old{}, err
	}
	o.closers = append(o.closers, old)
	return old.Old, nil
}

func (o *olds) close() error {
	var errs []error
	for _, c := range o.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

func create(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 256<<10)
	err = write(w)
	return errors.Join(err, w.Flush(), f.Close())
}
