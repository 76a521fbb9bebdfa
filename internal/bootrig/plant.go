package bootrig

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Bug is a mistake that is planted in the program for sites, to see that it is found.
type Bug struct {
	Name  string
	Edits []Edit
}

// Edit is a place of the source, which is there once, and what stands there instead.
type Edit struct{ File, Right, Wrong string }

// Bugs are those that power cuts must find. That nothing is flushed takes three places: each flush is one of the whole disk, so one
// that is left makes up for the others.
//
// That the environment block is not flushed takes two. Its fsync alone may be left out here, and no cut finds it: the block is then
// read back past the page cache, for which the kernel begins to write it, and the journal, which is written next and flushed, lies
// on the same disk. It is needed where the state and the block are on two disks, or where the write takes longer than that.
func Bugs() []Bug {
	const noFlush = "func() error { return nil })"
	return []Bug{
		{"no flush", []Edit{
			{"internal/durable/file.go", "f.Sync)", noFlush},
			{"internal/durable/dir.go", "f.Sync)", noFlush},
			{"apply/slot/part/device.go", "w.f.Sync)", noFlush},
		}},
		{"no flush of the block", []Edit{
			{"internal/durable/overwrite.go", "	return d.sync(f)\n", "	return nil\n"},
			{"apply/slot/host/access.go", "err := dropCache(f)", "err := error(nil)"},
		}},
		{"rename", []Edit{{"internal/durable/overwrite.go", "	err = d.do(Op{Kind: OpWrite, Path: path}, func() error {\n", `	if info.Size() == 1024 {
		old, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		copy(old[off:], data)
		return d.WriteFile(path, old, info.Mode().Perm())
	}
	err = d.do(Op{Kind: OpWrite, Path: path}, func() error {
`}}},
	}
}

// Plant builds the program for sites with the bug in it.
func (w *Workshop) Plant(ctx context.Context, out string, b Bug) error {
	replace := map[string]string{}
	for i, e := range b.Edits {
		source := filepath.Join(w.Source, e.File)
		text, err := os.ReadFile(source)
		if err != nil {
			return err
		}
		if strings.Count(string(text), e.Right) != 1 {
			return fmt.Errorf("%s has no place for the bug %q: look for %q", e.File, b.Name, e.Right)
		}
		replace[source] = fmt.Sprintf("%s-%d.go", out, i)
		if err := writeFile(replace[source], strings.Replace(string(text), e.Right, e.Wrong, 1)); err != nil {
			return err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	list := out + ".json"
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return err
	}
	return w.build(ctx, out, ".", "-tags", "site", "-overlay", list)
}
