package apply

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"filippo.io/age"
	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/vault"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// A backup of the site is what a recovery wants beside the bundles and finds nowhere else: settings, trust, keys, the tokens without
// which a datastore stays locked, and what the journal remembers. The data themselves are another matter (spec.data).

// Backup is what a backup of the site says.
type Backup struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Site       string    `json:"site"`
	Made       time.Time `json:"made"`
	// Release is what ran; nil if nothing did.
	Release *Release `json:"release"`
	// What the journal remembers of all releases that were here.
	Transaction uint64          `json:"transaction"`
	Name        string          `json:"name,omitempty"`
	Names       map[string]line `json:"names,omitempty"`
	Bad         []digest.Digest `json:"bad"`
	Files       []KeptFile      `json:"files"`

	data map[string][]byte // of the files, by path
}

// KeptFile is a file of the machine in a backup.
type KeptFile struct {
	What   string        `json:"what"` // site, trust, checks, mirror, key, token, node, runtime
	Path   string        `json:"path"`
	Mode   fs.FileMode   `json:"mode"` // permissions only
	Digest digest.Digest `json:"digest"`
}

const (
	backupKind = "Backup"
	// maxKept bounds one file of a backup, in bytes.
	maxKept = 4 << 20
)

// keepsake is a file, or all files of a folder, that a backup takes if they are there.
type keepsake struct{ what, path string }

// keepsakes are what a backup holds, and what is put back from one: nothing else is ever written.
func (s *Site) keepsakes() []keepsake {
	spec := &s.cfg.Spec
	all := []keepsake{{"site", s.cfg.path}, {"trust", spec.Trust}, {"checks", spec.ChecksDir}, {"mirror", spec.Mirror.Credentials},
		{"mirror", spec.Mirror.CA}, {"key", s.path("site.key")}}
	for _, dir := range s.clusterDirs() {
		all = append(all, keepsake{"token", filepath.Join(dir, "server", "token")}, keepsake{"token", filepath.Join(dir, "server", "agent-token")})
	}
	all = append(all, keepsake{"node", s.rooted("/etc/rancher/node/password")})
	for _, kind := range []string{"k3s", "rke2"} {
		for _, name := range []string{"registries.yaml", "config.yaml"} {
			all = append(all, keepsake{"runtime", s.rooted(filepath.Join("/etc/rancher", kind, name))})
		}
	}
	return slices.DeleteFunc(all, func(k keepsake) bool { return k.path == "" })
}

// BackUp writes a backup of the site to w, encrypted to the recipients.
func (s *Site) BackUp(w io.Writer, to ...age.Recipient) (b *Backup, err error) {
	if len(to) == 0 {
		return nil, errorf("usage", "name who may read it: --recipient age1… or --passphrase-file FILE", "a backup holds keys and tokens, and is not written in the clear")
	}
	r, err := s.look("backup")
	if err != nil {
		return nil, err
	}
	defer func() { err = r.end(err) }()
	j := r.journal
	b = &Backup{APIVersion: bundle.APIVersion, Kind: backupKind, Site: s.cfg.Metadata.Name, Made: s.deps.Now().UTC(), Release: j.Current,
		Transaction: j.Transaction, Name: j.Name, Names: j.Names, Bad: j.Bad, Files: []KeptFile{}}
	files := []vault.File{{Name: vault.ContentsName}}
	for _, k := range s.keepsakes() {
		found, err := keep(k)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			files = append(files, vault.File{Name: fmt.Sprintf("files/%d", len(b.Files)), Data: f.data})
			b.Files = append(b.Files, f.KeptFile)
		}
	}
	if files[0].Data, err = json.MarshalIndent(b, "", " "); err != nil {
		return nil, err
	}
	var total int
	for _, f := range files {
		total += len(f.Data)
	}
	if total > vault.MaxSize/2 {
		return nil, errorf("unusable", "take out of checksDir what does not belong there", "the files of this site take %s, which is too much for a backup", size(int64(total)))
	}
	return b, vault.Seal(w, files, to...)
}

// keptData is a file with its content.
type keptData struct {
	KeptFile
	data []byte
}

// keep reads a file, or the files of a folder. What is not there is not kept.
func keep(k keepsake) (all []keptData, err error) {
	info, err := os.Stat(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		f, err := keepFile(k.what, k.path, info)
		return []keptData{f}, err
	}
	err = filepath.WalkDir(k.path, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		f, err := keepFile(k.what, path, info)
		all = append(all, f)
		return err
	})
	return all, err
}

func keepFile(what, path string, info fs.FileInfo) (keptData, error) {
	unusable := errorf("unusable", "move it away, or name another file in site.yaml", "%s is no file of at most %s", path, size(maxKept))
	if !info.Mode().IsRegular() || info.Size() > maxKept {
		return keptData{}, unusable
	}
	b, err := readKept(path)
	if len(b) > maxKept { // it has grown since
		return keptData{}, unusable
	}
	return keptData{KeptFile{What: what, Path: path, Mode: info.Mode().Perm(), Digest: digest.FromBytes(b)}, b}, err
}

// readKept reads no more than a byte above what may be kept: a longer file is other than any that was.
func readKept(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxKept+1))
}

// OpenBackup reads a backup. name is for messages.
func OpenBackup(name string, r io.Reader, ids ...age.Identity) (*Backup, error) {
	files, err := vault.Unseal(name, r, ids...)
	if err != nil {
		return nil, err
	}
	b := &Backup{data: map[string][]byte{}}
	dec := json.NewDecoder(bytes.NewReader(files[0].Data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(b); err != nil {
		return nil, badBackup(name, err)
	}
	if b.APIVersion != bundle.APIVersion || b.Kind != backupKind {
		return nil, badBackup(name, fmt.Errorf("it says %q %q", b.APIVersion, b.Kind))
	}
	if len(b.Files) != len(files)-1 {
		return nil, badBackup(name, fmt.Errorf("it names %d files and holds %d", len(b.Files), len(files)-1))
	}
	for i, f := range b.Files {
		data := files[i+1].Data
		switch {
		case files[i+1].Name != fmt.Sprintf("files/%d", i), digest.FromBytes(data) != f.Digest, !filepath.IsAbs(f.Path), filepath.Clean(f.Path) != f.Path:
			return nil, badBackup(name, fmt.Errorf("%.200q is not what was kept", f.Path))
		}
		b.data[f.Path] = data
	}
	j := newJournal()
	b.into(j)
	if err := j.checkNames(); err != nil {
		return nil, badBackup(name, err)
	}
	return b, nil
}

func badBackup(name string, err error) error {
	return &Error{Word: "sealed", Text: name + " is not a backup of a site", Err: err, Advice: "give another copy of it, or an older backup"}
}

// into has a journal remember at least what the backup remembers.
func (b *Backup) into(j *journal) {
	j.Transaction = max(j.Transaction, b.Transaction)
	if j.Name == "" {
		j.Name = b.Name
	}
	names := map[string]line{}
	for name, l := range j.Names {
		names[name] = l
	}
	for name, l := range b.Names {
		if l.RollbackIndex > names[name].RollbackIndex {
			names[name] = l
		}
	}
	if len(names) > 0 {
		j.Names = names
	}
	for _, d := range b.Bad {
		if !slices.Contains(j.Bad, d) && len(j.Bad) < maxBad && checkDigest(d) == nil {
			j.Bad = append(slices.Clone(j.Bad), d)
		}
	}
}

// holds tells whether a file is in the backup; in none is nothing.
func (b *Backup) holds(path string) bool {
	if b == nil {
		return false
	}
	_, ok := b.data[path]
	return ok
}

// remembered has the run's journal remember what a backup does.
func (r *run) remembered(b *Backup) {
	if b == nil {
		return
	}
	next := *r.journal
	b.into(&next)
	r.journal = &next
}

// PutBackConfig writes the site.yaml of a backup to path, where none is.
func (b *Backup) PutBackConfig(path string) error {
	for _, f := range b.Files {
		if f.What != "site" {
			continue
		}
		if err := durable.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return durable.WriteFile(path, b.data[f.Path], f.Mode)
	}
	return errorf("usage", "sallyport site init writes one", "there is no %s, and none in the backup", path)
}

// PutBack writes the files of a backup that are missing, and returns the paths of those. What is there stays: differs names what is
// other than the backup has it. A backup of another site is refused.
func (s *Site) PutBack(b *Backup) (back, differs []string, err error) {
	if b.Site != s.cfg.Metadata.Name {
		return nil, nil, errorf("name", "give the backup of this site", "the backup is that of %.80q, and this site is %s", b.Site, s.cfg.Metadata.Name)
	}
	for _, f := range b.Files {
		if !s.mayPutBack(f.Path) {
			return back, differs, errorf("sealed", "give a backup that sallyport has written for this site.yaml", "the backup holds %s, which is no file of this site", f.Path)
		}
		have, err := readKept(f.Path)
		switch {
		case err == nil && !bytes.Equal(have, b.data[f.Path]):
			differs = append(differs, f.Path)
		case errors.Is(err, fs.ErrNotExist):
			if err := s.putBackFile(f, b.data[f.Path]); err != nil {
				return back, differs, err
			}
			back = append(back, f.Path)
		case err != nil:
			return back, differs, err
		}
	}
	return back, differs, nil
}

func (s *Site) putBackFile(f KeptFile, data []byte) error {
	mode := fs.FileMode(0o755)
	if f.What == "token" || f.What == "node" {
		mode = 0o700
	}
	if err := s.deps.Disk.MkdirAll(filepath.Dir(f.Path), mode); err != nil {
		return err
	}
	return s.deps.Disk.WriteFile(f.Path, data, f.Mode.Perm()&^0o022)
}

// mayPutBack tells whether a path is one that a backup of this site holds.
func (s *Site) mayPutBack(path string) bool {
	for _, k := range s.keepsakes() {
		if path == k.path || k.what == "checks" && within(path, k.path) {
			return true
		}
	}
	return false
}

func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// TrustOlder says in what way the trust that a backup brings back may be older than what this site had; empty if nothing speaks for that.
func (s *Site) TrustOlder(b *Backup) string {
	attempts, _, err := readHistory(s.historyPath())
	if err != nil || len(attempts) == 0 {
		return fmt.Sprintf("the trust is that of %s: what was changed since, a key that was taken back for instance, is not known here any more", b.Made.Format("2006-01-02 15:04 MST"))
	}
	trust, err := s.deps.LoadTrust()
	if err != nil {
		return ""
	}
	known := map[string]bool{}
	for _, k := range trust.Signers() {
		known[k.String()] = true
	}
	for _, a := range attempts {
		if a.Ended.After(b.Made) && a.ran() && len(a.Signers) > 0 && !slices.ContainsFunc(a.Signers, func(n string) bool { return known[n] }) {
			return fmt.Sprintf("the trust is older than it was: %s ran here after the backup of %s, signed by %s, which it does not know", a.Release, b.Made.Format("2006-01-02"), a.Signers[0])
		}
	}
	if last := attempts[len(attempts)-1].Ended; last.After(b.Made) {
		return fmt.Sprintf("the trust is that of %s, and this site was at work until %s", b.Made.Format("2006-01-02 15:04 MST"), last.Format("2006-01-02 15:04 MST"))
	}
	return ""
}
