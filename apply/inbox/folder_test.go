package inbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// names lists what a folder holds, in order.
func names(t *testing.T, f Folder) (all []string, byName map[string]Candidate) {
	t.Helper()
	byName = map[string]Candidate{}
	err := f.List(context.Background(), func(c Candidate) error {
		name := filepath.Base(c.Name)
		all = append(all, name)
		byName[name] = c
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all, byName
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFolderListsFilesAndFirstParts(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"r1.tar": "one", ".r2.tar.x": "hidden", "r3.tar.001": "a", "r3.tar.002": "bc", "r3.tar.004": "d", "r3.tar.parts.json": "{}", "r4.tar.002": "alone", "-": "dash",
	} {
		write(t, filepath.Join(dir, name), text)
	}
	for name, to := range map[string]string{"link.tar": "r1.tar", "dangling.tar": "nowhere", "loop.tar": "loop.tar", "folder.tar": "."} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	all, byName := names(t, Folder(dir))
	if want := []string{"-", "link.tar", "r1.tar", "r3.tar.001", "r3.tar.parts.json", "r4.tar.002"}; !slices.Equal(all, want) {
		t.Fatalf("listed are %v, want %v", all, want)
	}
	if byName["link.tar"].ID != byName["r1.tar"].ID {
		t.Error("a link is another file than what it leads to")
	}
	if got := byName["r3.tar.001"].Size; got != 3 {
		t.Errorf("the parts have %d bytes, want 3", got)
	}
	before := byName["r3.tar.001"].ID
	write(t, filepath.Join(dir, "r3.tar.003"), "x")
	if _, byName = names(t, Folder(dir)); byName["r3.tar.001"].ID == before {
		t.Error("another part has come, and nothing tells")
	}
}

func TestFolderTellsThatAFileHasChanged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "r1.tar")
	write(t, path, "one")
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, long, long); err != nil {
		t.Fatal(err)
	}
	_, byName := names(t, Folder(dir))
	first := byName["r1.tar"]
	if time.Since(first.Changed) > time.Minute {
		t.Errorf("it was changed %s: the time of the original counts", first.Changed)
	}
	write(t, path, "two")
	if err := os.Chtimes(path, long, long); err != nil {
		t.Fatal(err)
	}
	if _, byName = names(t, Folder(dir)); byName["r1.tar"].ID == first.ID {
		t.Error("other bytes with the same times and size have the same ID")
	}
}

func TestFolderThatIsNotThere(t *testing.T) {
	if all, _ := names(t, Folder(filepath.Join(t.TempDir(), "nowhere"))); len(all) != 0 {
		t.Errorf("it lists %v", all)
	}
}

func TestFolderListEnds(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		write(t, filepath.Join(dir, fmt.Sprintf("r%d.tar", i)), "x")
	}
	enough := errors.New("enough")
	calls := 0
	err := Folder(dir).List(context.Background(), func(Candidate) error { calls++; return enough })
	if !errors.Is(err, enough) || calls != 1 {
		t.Errorf("%d calls, error %v", calls, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Folder(dir).List(ctx, func(Candidate) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
