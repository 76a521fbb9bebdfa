package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// FolderFile is the one file that a Folder writes.
const FolderFile = "sallyport.yaml"

// A cluster that finds no object in the file deletes those that were in it before; a cluster that finds no file may
// leave them.
const folderHeader = "# Written by sallyport, which replaces it as a whole. Do not edit.\n"

// Folder is a folder of manifests that a cluster watches, as a target: k3s and RKE2 deploy what appears in theirs, and
// delete what leaves the file. It has the methods of Cluster, but what the cluster makes of the file cannot be seen.
type Folder struct {
	dir  string
	disk durable.Disk
}

// NewFolder uses dir, which must exist when objects are applied: the cluster's own software makes it.
func NewFolder(dir string, disk durable.Disk) *Folder { return &Folder{dir, disk} }

// String names the folder.
func (f *Folder) String() string { return "the manifests folder " + f.dir }

func (f *Folder) path() string { return filepath.Join(f.dir, FolderFile) }

// Inventory lists the objects. It changes nothing.
func (f *Folder) Inventory(ctx context.Context, want Objects) (Inventory, error) {
	objs, err := f.parse(ctx, want)
	return inventoryOf(objs), err
}

func (f *Folder) parse(ctx context.Context, want Objects) ([]*unstructured.Unstructured, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	objs, err := want.parse()
	if err != nil {
		return nil, err
	}
	objs, _ = withoutHooks(objs)
	return objs, checkRepeated(objs)
}

// refusedHooks are the hooks that would have to run: nobody runs them here.
func (f *Folder) refusedHooks(want Objects) ([]Change, error) {
	objs, err := want.parse()
	if err != nil || want.Hooks == nil {
		return nil, err
	}
	p := &plan{run: want.Hooks}
	_, p.hooks = withoutHooks(objs)
	for _, r := range want.Hooks.Charts {
		if r.New {
			p.install = append(p.install, r.Hooks...)
		}
	}
	changes := p.hookChanges()
	for i := range changes {
		changes[i].Action, changes[i].Note = Conflict, changes[i].Note+", which a manifests folder cannot run: use target.kubernetes"
	}
	return changes, nil
}

// Undo does nothing: no hook has run.
func (f *Folder) Undo(context.Context, Objects, string) error { return nil }

func inventoryOf(objs []*unstructured.Unstructured) Inventory {
	ids := make([]ID, 0, len(objs))
	for _, u := range objs {
		ids = append(ids, idOf(u))
	}
	return NewInventory(ids...)
}

// DryRun compares the objects with those in the file, and lists those that left since prev. What no rollback can undo is told
// as far as the file shows it.
func (f *Folder) DryRun(ctx context.Context, want Objects, prev Inventory) ([]Change, error) {
	objs, err := f.parse(ctx, want)
	if err != nil {
		return nil, err
	}
	have, err := f.read()
	if err != nil {
		return nil, err
	}
	changes := compareSets(have, objs)
	for _, id := range prev.Union(inventoryOf(have)).Minus(inventoryOf(objs)).IDs() {
		changes = append(changes, Change{ID: id, Action: Pruned})
	}
	accept(changes, want.OneWay)
	refused, err := f.refusedHooks(want)
	return append(changes, refused...), err
}

func compareSets(have, want []*unstructured.Unstructured) []Change {
	before := map[ID]*unstructured.Unstructured{}
	for _, u := range have {
		before[idOf(u).key()] = u
	}
	var changes []Change
	for _, u := range want {
		c := Change{ID: idOf(u), Action: Created}
		if old := before[c.key()]; old != nil {
			c.Action, c.Fields, c.OneWay = Configured, differences(old, u), oneWay(old, u)
			if len(c.Fields) == 0 {
				c.Action = Unchanged
			}
		}
		changes = append(changes, c)
	}
	return changes
}

// MakeWay stops nothing: the cluster behind the folder deletes what leaves in its own time.
func (f *Folder) MakeWay(context.Context, Objects, Inventory) ([]Change, error) { return nil, nil }

// Apply replaces the file as a whole; what left the release stays in it until Prune. Nothing is written if it would stay the
// same.
func (f *Folder) Apply(ctx context.Context, want Objects, prev Inventory) (Inventory, []Change, error) {
	objs, err := f.parse(ctx, want)
	if err != nil {
		return Inventory{}, nil, err
	}
	have, err := f.read()
	if err != nil {
		return Inventory{}, nil, err
	}
	leaving := prev.Minus(inventoryOf(objs)).set()
	staying := slices.DeleteFunc(slices.Clone(have), func(u *unstructured.Unstructured) bool { return !leaving[idOf(u).key()] })
	slices.SortStableFunc(objs, order)
	all := slices.Concat(staying, objs)
	slices.SortStableFunc(all, order)
	if err := f.write(all); err != nil {
		return Inventory{}, nil, err
	}
	return inventoryOf(objs), compareSets(have, objs), nil
}

// Restore puts an earlier release's objects into the folder, all at once.
func (f *Folder) Restore(ctx context.Context, want Objects, prev Inventory, _ *Record) (*Restored, error) {
	inventory, changes, err := f.Apply(ctx, want, prev)
	return &Restored{Inventory: inventory, Changes: changes}, err
}

// Drift compares the file with the objects. What others did to the objects in the cluster cannot be seen.
func (f *Folder) Drift(ctx context.Context, want Objects) ([]Difference, error) {
	changes, err := f.DryRun(ctx, want, Inventory{})
	var out []Difference
	for _, c := range changes {
		switch c.Action {
		case Created:
			out = append(out, Difference{ID: c.ID, Missing: true})
		case Configured:
			out = append(out, Difference{ID: c.ID, Note: "somebody has edited it in " + FolderFile})
		case Pruned:
			out = append(out, Difference{ID: c.ID, Note: "somebody has added it to " + FolderFile})
		}
	}
	return out, err
}

// Repair writes the file anew.
func (f *Folder) Repair(ctx context.Context, want Objects) (*Repaired, error) {
	_, changes, err := f.Apply(ctx, want, Inventory{})
	return &Repaired{Changes: slices.DeleteFunc(changes, func(c Change) bool { return c.Action == Unchanged })}, err
}

// Record writes down that nothing was there: what a cluster has because of the folder's other files is not this target's.
func (f *Folder) Record(_ context.Context, _ Objects, _ Inventory, w io.Writer) error {
	r, err := newRecorder(w)
	if err != nil {
		return err
	}
	return r.close()
}

// Prune takes what prev lists and keep does not out of the file. What Apply has left out already is reported too: the
// cluster deletes it now.
func (f *Folder) Prune(ctx context.Context, prev, keep Inventory) ([]Change, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	have, err := f.read()
	if err != nil {
		return nil, err
	}
	leaving := prev.Minus(keep)
	gone := leaving.set()
	stay := slices.DeleteFunc(slices.Clone(have), func(u *unstructured.Unstructured) bool { return gone[idOf(u).key()] })
	if keep.Len() == 0 {
		stay = nil // also when somebody has made the file unreadable
	}
	if len(stay) != len(have) || keep.Len() == 0 {
		if err := f.write(stay); err != nil && !f.untouched() {
			return nil, err
		}
	}
	var changes []Change
	for _, id := range leaving.IDs() {
		changes = append(changes, Change{ID: id, Action: Pruned, Note: "the cluster deletes it in its own time"})
	}
	return changes, nil
}

// Health knows of no object: a folder does not tell what became of its manifests.
func (f *Folder) Health(ctx context.Context, want Objects) ([]ObjectStatus, error) {
	objs, err := f.parse(ctx, want)
	if err != nil {
		return nil, err
	}
	var out []ObjectStatus
	for _, u := range objs {
		out = append(out, ObjectStatus{ID: idOf(u), Status: Unknown, Message: "a manifests folder does not tell its health; " +
			"use http, tcp or exec checks, or target.kubernetes"})
	}
	return out, nil
}

// read returns the objects of the file; none if there is no file.
func (f *Folder) read() ([]*unstructured.Unstructured, error) {
	st, err := os.Stat(f.path())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
	case !st.Mode().IsRegular():
		err = errNoFile
	case st.Size() > kubeyaml.MaxFile:
		err = fmt.Errorf("%s is larger than %d bytes", FolderFile, kubeyaml.MaxFile)
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(f.path())
	}
	if err != nil {
		return nil, f.failed("be read", err)
	}
	objs, err := parseYAML(b)
	if err != nil {
		// Somebody has edited it; it is replaced as a whole anyway.
		return nil, nil //nolint:nilerr
	}
	return objs, nil
}

// untouched tells of a folder that is there and without the file: what has not been written need not be taken out.
func (f *Folder) untouched() bool {
	_, err := os.Lstat(f.path())
	return errors.Is(err, fs.ErrNotExist) && isDir(f.dir)
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

func (f *Folder) write(objs []*unstructured.Unstructured) error {
	var b bytes.Buffer
	b.WriteString(folderHeader)
	if len(objs) == 0 {
		b.WriteString("# No release is installed: there are no objects.\n")
	}
	for _, u := range objs {
		y, err := kubeyaml.Marshal(u.Object)
		if err != nil {
			return fmt.Errorf("%s: %w", idOf(u), err)
		}
		b.WriteString("---\n")
		b.Write(y)
	}
	old, err := os.ReadFile(f.path())
	if err == nil && bytes.Equal(old, b.Bytes()) {
		return nil
	}
	if err := f.disk.WriteFile(f.path(), b.Bytes(), 0o600); err != nil {
		return f.failed("be written", err)
	}
	return nil
}

func (f *Folder) failed(doing string, err error) error {
	e := &TargetError{Target: f.String(), Doing: doing, Err: err, Word: unusable,
		Advice: "check target.manifestsDir.path in site.yaml and the disk behind it"}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Advice = "start the cluster's software, which makes the folder, or correct target.manifestsDir.path in site.yaml"
	case errors.Is(err, errImmutable):
		e.Advice = "take the flag away: chattr -i -a"
	case errors.Is(err, errUnmounted):
		e.Advice = "mount the disk that belongs there; if there is none, and the folder was emptied: touch " + f.path()
	case errors.Is(err, errNoFile):
		e.Advice = "move " + f.path() + " away: sallyport writes a file of that name"
	case errors.Is(err, fs.ErrPermission):
		e.Advice = "run sallyport as a user who may write there, usually root"
	case errors.Is(err, syscall.EROFS):
		e.Advice = "mount that disk for writing; if it was mounted so before, its log says why it is not: dmesg"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		e.Word, e.Advice = "room", "free some space on that disk, then try again"
	case errors.Is(err, context.DeadlineExceeded):
		e.Word, e.Advice = "", "check the disk or the server behind that folder, then try again"
	case errors.Is(err, syscall.EIO):
		e.Word = ""
	}
	return e
}
