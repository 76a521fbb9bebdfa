// Demo shows sallyport's main job with real images, on one machine: two good releases, the second as a delta, then
// a bad one that is rolled back and a damaged one that is refused; a release that waits in the inbox for the window; and a site
// that is rebuilt from a stick. It fails if anything goes otherwise.
//
// Without -cluster it needs neither root nor a cluster: the site has its mirror on a folder and its manifests in a
// folder, and this program plays the node that runs what they name. With -cluster it is run inside
// internal/e2e/node.sh and talks to that node.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

func main() { os.Exit(start()) }

func start() int {
	program := flag.String("program", "bin/sallyport", "the sallyport to show")
	cluster := flag.Bool("cluster", false, "use the cluster of internal/e2e/node.sh")
	keep := flag.String("keep", "", "work in this folder and leave it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *program, *keep, *cluster); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		return 1
	}
	return 0
}

// demo is one run of the show.
type demo struct {
	program string
	dir     string
	site    site
	env     []string
}

// site is where the releases go: a folder that this program watches, or a real node.
type site interface {
	// config is site.yaml. More may be added to the end of it.
	config(dir string) string
	// start makes the site ready for its first release.
	start(ctx context.Context, d *demo) error
	// extra are images beside the server that the release must bring, and their names.
	extra(ctx context.Context, dir string) (map[string]string, error)
	// checks are what release.yaml checks beside the mirror and the server.
	checks() string
	// address is where the server answers.
	address() string
	// lose has all but site.yaml and the keys be gone, and restored is called when that is back. It tells whether this site can show that.
	lose(ctx context.Context, d *demo) (bool, error)
	restored(ctx context.Context, d *demo) error
	stop()
}

func run(ctx context.Context, program, dir string, cluster bool) error {
	began := time.Now()
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "sallyport-demo-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	d := &demo{program: program, dir: dir, env: append(os.Environ(), "COSIGN_PASSWORD=demo", "NO_COLOR=1",
		"SALLYPORT_SITE="+filepath.Join(dir, "site.yaml"))}
	if cluster {
		d.site = newNode()
	} else if d.site, err = newFolder(ctx, dir); err != nil {
		return err
	}
	defer d.site.stop()
	if err := d.show(ctx); err != nil {
		return err
	}
	fmt.Printf("\nAll as it should be, in %.0f s.\n", time.Since(began).Seconds())
	return nil
}

func (d *demo) show(ctx context.Context) error {
	say("The factory: five versions of a small server become images. 3.0.0 is sick: it answers /health with 500.")
	if err := d.factory(ctx); err != nil {
		return err
	}
	say("A key pair, in cosign's format. Only the public half travels to sites.")
	if err := d.sallyport(ctx, 0, "key", "generate", "--output-key-prefix", "release"); err != nil {
		return err
	}
	say("CI builds the first release in full, and each later one against the last good one before it.")
	base := ""
	for _, v := range versions {
		args := []string{"build", "-f", "release-" + v.version + ".yaml", "--key", "release.key", "-o", bundleFile(v.version)}
		if base != "" {
			args = append(args, "--base", base)
		}
		if err := d.sallyport(ctx, 0, args...); err != nil {
			return err
		}
		if v.version == "1.0.0" || v.version == "2.0.0" {
			base = bundleFile(v.version)
		}
	}
	say("For the day on which a site's disk dies, one in full, on a stick of its own.")
	if err := os.Mkdir(filepath.Join(d.dir, "stick"), 0o755); err != nil {
		return err
	}
	if err := d.sallyport(ctx, 0, "build", "-f", "release-5.0.0.yaml", "--key", "release.key", "-o", "stick/"+bundleFile("5.0.0")); err != nil {
		return err
	}
	return d.atSite(ctx)
}

func (d *demo) atSite(ctx context.Context) error {
	say("The site: a mirror, a place for manifests, and the factory's public key.")
	if err := os.WriteFile(filepath.Join(d.dir, "site.yaml"), []byte(d.site.config(d.dir)), 0o644); err != nil {
		return err
	}
	if err := d.site.start(ctx, d); err != nil {
		return err
	}
	acts := []struct {
		text, version string
		exit          int
		runs          string
		tamper        bool
	}{
		{"The stick arrives with 1.0.0: the first release on an empty site.", "1.0.0", 0, "1.0.0", false},
		{"2.0.0 travels as a delta; the mirror gets the original layers back, bit for bit.", "2.0.0", 0, "2.0.0", false},
		{"3.0.0 is sick. Its check fails, and 2.0.0 is put back.", "3.0.0", 5, "2.0.0", false},
		{"4.0.0 was changed on its way by one bit. Nothing of it runs.", "4.0.0", 3, "2.0.0", true},
	}
	for _, a := range acts {
		say(a.text)
		if a.tamper {
			if err := flipBit(filepath.Join(d.dir, bundleFile(a.version))); err != nil {
				return err
			}
		}
		if err := d.sallyport(ctx, a.exit, "apply", bundleFile(a.version)); err != nil {
			return err
		}
		if err := d.answers(ctx, a.runs); err != nil {
			return err
		}
	}
	if err := d.unattended(ctx); err != nil {
		return err
	}
	if err := d.recovery(ctx); err != nil {
		return err
	}
	say("What the site says of itself.")
	if err := d.sallyport(ctx, 0, "status"); err != nil {
		return err
	}
	if err := d.sallyport(ctx, 0, "history"); err != nil {
		return err
	}
	return d.sallyport(ctx, 0, "mirror", "fsck")
}

// unattended has a release wait in the inbox for the window.
func (d *demo) unattended(ctx context.Context) error {
	inbox := filepath.Join(d.dir, "inbox")
	if err := os.Mkdir(inbox, 0o755); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(d.dir, bundleFile("5.0.0")), filepath.Join(inbox, bundleFile("5.0.0"))); err != nil {
		return err
	}
	for _, pass := range []struct {
		text     string
		from, to time.Duration // of the daily window, from now
		runs     string
	}{
		{"5.0.0 was copied into the inbox by day. cron's pass stages it, and switches to nothing: no window is open.", 2 * time.Hour, 4 * time.Hour, "2.0.0"},
		{"It is night, and the window is open: the next pass switches.", -10 * time.Hour, 2 * time.Hour, "5.0.0"},
		{"The passes after that have nothing to do, and say nothing.", -10 * time.Hour, 2 * time.Hour, "5.0.0"},
	} {
		say(pass.text)
		now := time.Now().UTC()
		window := fmt.Sprintf("daily %s-%s UTC", now.Add(pass.from).Format("15:04"), now.Add(pass.to).Format("15:04"))
		config := d.site.config(d.dir) + fmt.Sprintf("  inbox: [%s]\n  windows: [%q]\n", inbox, window)
		if err := os.WriteFile(filepath.Join(d.dir, "site.yaml"), []byte(config), 0o644); err != nil {
			return err
		}
		fmt.Printf("(the window in site.yaml: %s; now it is %s)\n", window, now.Format("15:04"))
		if err := d.sallyport(ctx, 0, "run"); err != nil {
			return err
		}
		if err := d.answers(ctx, pass.runs); err != nil {
			return err
		}
	}
	return nil
}

// recovery rebuilds a site that has lost all but site.yaml and the keys.
func (d *demo) recovery(ctx context.Context) error {
	shows, err := d.site.lose(ctx, d)
	if err != nil || !shows {
		return err
	}
	say("The disk dies: state, mirror and manifests are gone. Somebody comes with the stick.")
	if err := d.sallyport(ctx, 0, "recover", "stick"); err != nil {
		return err
	}
	if err := d.site.restored(ctx, d); err != nil {
		return err
	}
	return d.answers(ctx, "5.0.0")
}

// sallyport runs the program as a person would, shows its words, and wants the exit status want.
func (d *demo) sallyport(ctx context.Context, want int, args ...string) error {
	fmt.Printf("$ sallyport %s\n", strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, d.program, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = d.dir, d.env, os.Stdout, os.Stdout
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	if got := cmd.ProcessState.ExitCode(); got != want {
		return fmt.Errorf("sallyport %s: exit status %d, want %d", args[0], got, want)
	}
	if want != 0 {
		fmt.Printf("(exit status %d, as it should be)\n", want)
	}
	return nil
}

// answers asks the server itself for its version, until it is want: a server that starts needs a moment.
func (d *demo) answers(ctx context.Context, want string) error {
	url := "http://" + d.site.address() + "/version"
	var got string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if got = ask(ctx, url); got == want {
			fmt.Printf("$ curl %s\n%s\n", url, got)
			return nil
		}
	}
	return fmt.Errorf("%s answers %q, want %q", url, got, want)
}

func ask(ctx context.Context, url string) string {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 100))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b))
}

// flipBit damages the file behind its middle, where payload is.
func flipBit(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var b [1]byte
	at := info.Size() * 3 / 4
	if _, err := f.ReadAt(b[:], at); err != nil {
		return err
	}
	b[0] ^= 1
	_, err = f.WriteAt(b[:], at)
	return err
}

func say(text string) { fmt.Printf("\n== %s\n", text) }
