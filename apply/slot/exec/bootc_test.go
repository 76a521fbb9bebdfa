package exec_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/exec"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// standIn does what docs/boot/exec/bootc.sh asks of bootc and ostree, with one line of JSON as the machine.
const standIn = `#!/bin/sh
set -eu
m=%s/status
edit() { jq -c "$@" <"$m" >"$m.new"; mv "$m.new" "$m"; }
case "$(basename "$0") $1" in
  "bootc status") cat "$m" ;;
  "bootc switch") edit --arg i "$4" '.status.staged = {image: {image: {image: $i}}} | .status.rollbackQueued = false' ;;
  "bootc rollback") edit '.status.staged = null | .status.rollbackQueued |= not' ;;
  "ostree admin") edit '.status.staged = null' ;;
  *) exit 2 ;;
esac
`

// bootc is a machine with the stand-in.
type bootc struct{ dir, images string }

type deployment map[string]any

func deployed(image string) deployment {
	return deployment{"image": deployment{"image": deployment{"image": image}}}
}

func newBootc(t *testing.T) *bootc {
	t.Helper()
	testtools.Tool(t, "jq", "jq")
	b := &bootc{dir: t.TempDir(), images: t.TempDir()}
	for _, name := range []string{"bootc", "ostree"} {
		b.write(t, filepath.Join(b.dir, name), 0o755, fmt.Sprintf(standIn, b.dir))
	}
	b.write(t, filepath.Join(b.images, "A.oci"), 0o600, "the archive of A")
	b.write(t, filepath.Join(b.images, "B.oci"), 0o600, "the archive of B")
	b.set(t, map[string]any{"booted": deployed(filepath.Join(b.images, "A.oci")), "staged": nil, "rollback": nil, "rollbackQueued": false})
	return b
}

func (b *bootc) write(t *testing.T, path string, mode os.FileMode, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func (b *bootc) set(t *testing.T, status map[string]any) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"kind": "BootcHost", "status": status})
	if err != nil {
		t.Fatal(err)
	}
	b.write(t, filepath.Join(b.dir, "status"), 0o600, string(text)+"\n")
}

// boot starts the machine.
func (b *bootc) boot(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, "status"))
	if err != nil {
		t.Fatal(err)
	}
	var host struct{ Status map[string]any }
	if err := json.Unmarshal(text, &host); err != nil {
		t.Fatal(err)
	}
	s := host.Status
	switch {
	case s["staged"] != nil:
		s["rollback"], s["booted"], s["staged"] = s["booted"], s["staged"], nil
	case s["rollbackQueued"] == true:
		s["rollback"], s["booted"], s["rollbackQueued"] = s["booted"], s["rollback"], false
	}
	b.set(t, s)
}

// TestBootc tries the script that docs/bootloaders.md shows, against a stand-in: there is no bootc here.
func TestBootc(t *testing.T) {
	b := newBootc(t)
	wrapper := filepath.Join(b.dir, "slots")
	script, err := filepath.Abs("../../../docs/boot/exec/bootc.sh")
	if err != nil {
		t.Fatal(err)
	}
	b.write(t, wrapper, 0o755, "#!/bin/sh\nPATH="+b.dir+":$PATH SALLYPORT_BOOTC_IMAGES="+b.images+" exec "+script+` "$@"`+"\n")
	l, err := exec.New(exec.Config{Command: []string{wrapper}, Names: slot.BootNames{A: "A", B: "B"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	is := func(running, first slot.Name) {
		t.Helper()
		if n, err := l.Running(ctx); err != nil || n != running {
			t.Errorf("slot %s runs, %v; want %s", n, err, running)
		}
		if s, err := l.State(ctx, first); err != nil || !s.First || s.Verdict != slot.Good {
			t.Errorf("slot %s is %+v, %v", first, s, err)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	arm := func(n slot.Name) {
		t.Helper()
		_, err := l.Arm(ctx, n)
		must(err)
	}
	must(l.Ready(ctx))
	must(l.Disarm(ctx, slot.B))
	is(slot.A, slot.A)
	arm(slot.B)
	is(slot.A, slot.B)
	must(l.Disarm(ctx, slot.B)) // a second update before the reboot
	is(slot.A, slot.A)
	arm(slot.B)
	b.boot(t)
	is(slot.B, slot.B)
	must(l.Commit(ctx, slot.B))
	b.boot(t)
	is(slot.B, slot.B)
	must(l.Disarm(ctx, slot.A))
	arm(slot.A)
	b.boot(t)
	is(slot.A, slot.A)
	must(l.Disarm(ctx, slot.A)) // its checks have failed
	is(slot.A, slot.B)
	b.boot(t)
	is(slot.B, slot.B)
}
