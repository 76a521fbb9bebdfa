package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// keeper keeps peers' results from run to run: they take most of an hour. A result is known by the inputs' digests, the
// tool's own digest and its arguments. The folder may be removed at any time.
type keeper struct {
	dir    string
	sums   map[string]string // digests of files of this run
	read   int
	run    int
	oldest time.Time
}

func newKeeper() (*keeper, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	k := &keeper{dir: filepath.Join(cache, "sallyport-bench"), sums: map[string]string{}}
	return k, os.MkdirAll(k.dir, 0o755)
}

// kept is a result in its file.
type kept struct {
	outcome
	Tool string
	Args []string
	Date time.Time
}

func (k *keeper) get(ctx context.Context, p peer, c change, measure func() (outcome, error)) (outcome, error) {
	file, err := k.file(p, c)
	if err != nil {
		return outcome{}, err
	}
	raw, err := os.ReadFile(file)
	var known kept
	if err == nil && json.Unmarshal(raw, &known) == nil && known.Tool == p.tool {
		k.read++
		if k.oldest.IsZero() || known.Date.Before(k.oldest) {
			k.oldest = known.Date
		}
		return known.outcome, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return outcome{}, err
	}
	o, err := measure()
	if err != nil {
		return o, errors.Join(err, ctx.Err())
	}
	k.run++
	if raw, err = json.Marshal(kept{o, p.tool, p.args, time.Now().UTC()}); err != nil {
		return o, err
	}
	if err := os.WriteFile(file+".new", raw, 0o644); err != nil {
		return o, err
	}
	return o, os.Rename(file+".new", file)
}

// file is where the result of a peer for a change stands.
func (k *keeper) file(p peer, c change) (string, error) {
	tool, err := exec.LookPath(p.tool)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintln(h, p.name, strings.Join(p.args, " "))
	for _, f := range []string{tool, c.was.plain, c.now.plain} {
		sum, err := k.digest(f)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, sum)
	}
	return filepath.Join(k.dir, p.name+"-"+hex.EncodeToString(h.Sum(nil))[:32]+".json"), nil
}

func (k *keeper) digest(file string) (string, error) {
	if s := k.sums[file]; s != "" {
		return s, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	k.sums[file] = hex.EncodeToString(h.Sum(nil))
	return k.sums[file], nil
}

// note says how many of the peers' figures were read and not measured.
func (k *keeper) note() string {
	if k.read == 0 {
		return fmt.Sprintf("Peers ran %d times.", k.run)
	}
	return fmt.Sprintf("Peers ran %d times; %d results were read from %s, the oldest of %s.",
		k.run, k.read, k.dir, k.oldest.Format("2006-01-02 15:04"))
}
