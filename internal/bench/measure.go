package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// bench measures one pair in a folder of its own.
type bench struct {
	program string
	site    string // the site program
	dir     string
	pair    pair
}

// columns is a line of the table.
const columns = "%-17s %8s %8s %8s | %-12s %-12s | %-10s | %-24s %-24s %-24s %-6s\n"

// row is what the table shows of a pair.
type row struct {
	layers, full, delta                  int64 // bytes
	buildFull, buildDelta, verify        cost
	plain, loadFull, loadDelta, again    cost
	skopeoPlain, skopeoFull, skopeoDelta cost
	passage                              passage
}

func printLoads(pairs []pair, rows []row) {
	fmt.Printf("\n"+columns, "PAIR", "LAYERS", "FULL", "DELTA", "BUILD FULL", "BUILD DELTA", "VERIFY",
		"LOAD PLAIN : skopeo", "LOAD FULL : skopeo", "LOAD DELTA : skopeo", "AGAIN")
	for i, r := range rows {
		r.print(pairs[i].name)
	}
	fmt.Println(`
Sizes in kB. Times are wall seconds, with peak RSS in MiB; the site's half is done by the site program. Loading: apply into
Debian's docker-registry, beside skopeo copy of the same images from an OCI archive into another one in the same state.
PLAIN ships every blob in its original form, FULL and DELTA each in its smallest, which the site has to compress again.
Limits: plain 1.2 x skopeo, delta 1.0 x, again 2 s, RSS 128 MiB (build: 1024).`)
}

func (r row) print(name string) {
	fmt.Printf(columns, name, kB(r.layers), kB(r.full), kB(r.delta), r.buildFull, r.buildDelta, r.verify,
		beside(r.plain, r.skopeoPlain), beside(r.loadFull, r.skopeoFull), beside(r.loadDelta, r.skopeoDelta),
		fmt.Sprintf("%.2fs", r.again.Wall.Seconds()))
}

func beside(ours, theirs cost) string {
	return fmt.Sprintf("%s : %.1fs = %.2f", ours, theirs.Wall.Seconds(), ours.Wall.Seconds()/theirs.Wall.Seconds())
}

func kB(n int64) string { return fmt.Sprintf("%.1f", float64(n)/1000) }

// exec runs a command in the bench's folder and tells what it cost.
func (b *bench) exec(ctx context.Context, name string, args ...string) (cost, []byte, error) {
	return process(ctx, b.dir, []string{"COSIGN_PASSWORD=bench", "SALLYPORT_SITE=" + filepath.Join(b.dir, "site.yaml")}, name, args...)
}

func (b *bench) sallyport(ctx context.Context, args ...string) (cost, []byte, error) {
	return b.exec(ctx, b.program, args...)
}

// measure builds a pair's bundles and does with them what the sections want.
func (b *bench) measure(ctx context.Context, wanted sections) (row, error) {
	var r row
	var err error
	if _, _, err = b.sallyport(ctx, "key", "generate", "--output-key-prefix", "release"); err != nil {
		return r, err
	}
	platform, err := b.writeReleases()
	if err != nil {
		return r, err
	}
	build := func(side string, more ...string) (cost, error) {
		c, _, err := b.sallyport(ctx, append([]string{"build", "-f", side + ".yaml", "--key", "release.key", "--quiet"}, more...)...)
		return c, err
	}
	if _, err = build("old", "-o", "old.tar"); err != nil {
		return r, err
	}
	if r.buildFull, err = build("new", "-o", "full.tar"); err != nil {
		return r, err
	}
	if r.buildDelta, err = build("new", "--base", "old.tar", "-o", "delta.tar"); err != nil {
		return r, err
	}
	if wanted["program"] {
		if err := b.through(ctx, platform, &r); err != nil {
			return r, err
		}
	}
	if !wanted["load"] {
		return r, nil
	}
	if _, err = build("old", "--plain", "-o", "plain.tar"); err != nil {
		return r, err
	}
	if r.verify, _, err = b.exec(ctx, b.site, "verify", "full.tar", "--key", "release.pub", "--quiet"); err != nil {
		return r, err
	}
	if err := b.sizes(ctx, &r); err != nil {
		return r, err
	}
	return r, b.loads(ctx, platform, &r)
}

func (b *bench) sizes(ctx context.Context, r *row) error {
	_, out, err := b.sallyport(ctx, "inspect", "delta.tar", "--json")
	if err != nil {
		return err
	}
	var in struct {
		Bytes struct{ Bundle, Original int64 }
	}
	if err := json.Unmarshal(out, &in); err != nil {
		return err
	}
	r.layers, r.delta = in.Bytes.Original, in.Bytes.Bundle
	info, err := os.Stat(filepath.Join(b.dir, "full.tar"))
	if err != nil {
		return err
	}
	r.full = info.Size()
	return nil
}

// loads applies the bundles to sites, and copies the same images with skopeo into a registry in the same state.
func (b *bench) loads(ctx context.Context, platform string, r *row) error {
	var err error
	if r.plain, r.skopeoPlain, err = b.loadEmpty(ctx, platform, "plain.tar", nil); err != nil {
		return err
	}
	r.loadFull, r.skopeoFull, err = b.loadEmpty(ctx, platform, "old.tar", func(peer string) error {
		if r.loadDelta, _, err = b.exec(ctx, b.site, "apply", "delta.tar", "--quiet"); err != nil {
			return err
		}
		if r.skopeoDelta, err = b.skopeo(ctx, "new", peer); err != nil {
			return err
		}
		r.again, _, err = b.exec(ctx, b.site, "apply", "delta.tar", "--quiet")
		return err
	})
	return err
}

// loadEmpty applies the old release to an empty site, and lets skopeo copy it; then it goes on with both.
func (b *bench) loadEmpty(ctx context.Context, platform, bundle string, then func(peer string) error) (ours, theirs cost, err error) {
	for _, name := range []string{"state", "site-manifests", "mirror", "peer"} {
		if err = os.RemoveAll(filepath.Join(b.dir, name)); err != nil {
			return
		}
	}
	mirror, stop, err := b.registry(ctx, "mirror")
	if err != nil {
		return
	}
	defer stop()
	peer, stopPeer, err := b.registry(ctx, "peer")
	if err != nil {
		return
	}
	defer stopPeer()
	if err = b.writeSite(fmt.Sprintf("{url: \"http://%s\"}", mirror), platform); err != nil {
		return
	}
	if ours, _, err = b.exec(ctx, b.site, "apply", bundle, "--quiet"); err != nil {
		return
	}
	if theirs, err = b.skopeo(ctx, "old", peer); err != nil || then == nil {
		return
	}
	return ours, theirs, then(peer)
}

// registry runs Debian's docker-registry on an empty folder.
func (b *bench) registry(ctx context.Context, name string) (address string, stop func(), err error) {
	if address, err = freeAddress(ctx); err != nil {
		return "", nil, err
	}
	config := filepath.Join(b.dir, name+"-registry.yaml")
	text := fmt.Sprintf("version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: %q}\n",
		filepath.Join(b.dir, name), address)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, "docker-registry", "serve", config)
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	for range 100 {
		if answers(ctx, "http://"+address+"/v2/") {
			return address, stop, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	return "", nil, errors.New("docker-registry does not answer")
}

// freeAddress is one that nobody listens on.
func freeAddress(ctx context.Context) (string, error) {
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}

// skopeo copies every image of one side from an OCI archive, and tells what all the copies cost.
func (b *bench) skopeo(ctx context.Context, side, registry string) (cost, error) {
	var sum cost
	archive := filepath.Join(b.dir, side+"-archive.tar")
	if _, _, err := b.exec(ctx, "tar", "-C", filepath.Join(b.pair.dir, side), "-cf", archive, "."); err != nil {
		return sum, err
	}
	names, _, err := b.images(side)
	if err != nil {
		return sum, err
	}
	for _, name := range names {
		_, path, _ := strings.Cut(name, "/")
		c, _, err := b.exec(ctx, "skopeo", "copy", "--quiet", "--all", "--preserve-digests", "--dest-tls-verify=false",
			"oci-archive:"+archive+":"+name, "docker://"+registry+"/"+path)
		if err != nil {
			return sum, err
		}
		sum.add(c)
	}
	return sum, nil
}

// startUp prints what --help takes and how large the programs are, and builds the site program.
func startUp(ctx context.Context, program, work string) (site string, err error) {
	b := &bench{program: program, dir: work}
	best := time.Hour
	for range 10 {
		c, _, err := b.sallyport(ctx, "--help")
		if err != nil {
			return "", err
		}
		best = min(best, c.Wall)
	}
	info, err := os.Stat(program)
	if err != nil {
		return "", err
	}
	site = filepath.Join(work, "sallyport-site")
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "site", "-trimpath", "-ldflags", "-s -w", "-o", site, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the site program: %w\n%s", err, out)
	}
	siteInfo, err := os.Stat(site)
	if err != nil {
		return "", err
	}
	fmt.Printf("sallyport --help  %d ms (limit 60)\nsallyport         %.1f MB\nsite program      %.1f MB (limit 50)\n",
		best.Milliseconds(), float64(info.Size())/1e6, float64(siteInfo.Size())/1e6)
	return site, nil
}
