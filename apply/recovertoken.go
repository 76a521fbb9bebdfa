package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// lookAtToken says first of all that a datastore was put back without the token that opens it: its server does not start, and
// whoever waits for the cluster waits in vain.
func (r *run) lookAtToken(v *survey, o RecoverOptions) {
	for _, dir := range r.lockedStores() {
		token := filepath.Join(dir, "server", "token")
		if o.Backup.holds(token) {
			continue
		}
		v.lost("token", "%s: the datastore in %s is locked without it, and its server does not start", token, filepath.Join(dir, "server", "db"))
		v.plan.Notes = append(v.plan.Notes, "put back "+token+" before all else: sallyport recover --backup FILE does, or copy it from another server, or from where it is kept")
	}
}

// lockedStores are the folders of k3s and RKE2 that have a datastore and no token for it.
func (s *Site) lockedStores() (all []string) {
	for _, dir := range s.clusterDirs() {
		_, none := os.Stat(filepath.Join(dir, "server", "token"))
		if _, err := os.Stat(filepath.Join(dir, "server", "db")); err == nil && errors.Is(none, fs.ErrNotExist) && !s.tokenSaid(dir) {
			all = append(all, dir)
		}
	}
	return all
}

// tokenSaid tells whether the settings of k3s or RKE2 name the token.
func (s *Site) tokenSaid(dir string) bool {
	text, err := readSmall(s.rooted(filepath.Join("/etc/rancher", filepath.Base(dir), "config.yaml")))
	for line := range strings.Lines(text) {
		if err == nil && (strings.HasPrefix(line, "token:") || strings.HasPrefix(line, "token-file:")) {
			return true
		}
	}
	return false
}

// clusterDirs are where k3s or RKE2 keeps its data on this machine, if it is there.
func (s *Site) clusterDirs() []string {
	all := []string{s.rooted("/var/lib/rancher/k3s"), s.rooted("/var/lib/rancher/rke2")}
	if d := s.cfg.Spec.Data; d != nil && d.K3s != nil && d.K3s.DataDir != "" {
		all = append(all, d.K3s.DataDir)
	}
	if m := s.cfg.Spec.Target.ManifestsDir; m != nil && filepath.Base(m.Path) == "manifests" && filepath.Base(filepath.Dir(m.Path)) == "server" {
		all = append(all, filepath.Dir(filepath.Dir(m.Path)))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// rooted is a path of the cluster's software.
func (s *Site) rooted(path string) string { return filepath.Join("/", s.deps.Root, path) }

// recoveryDue names what is lost as a whole, and the recovery that brings it back.
func (s *Site) recoveryDue() Finding {
	var lost []string
	mend := "sallyport recover BUNDLE"
	for _, dir := range s.lockedStores() {
		lost = append(lost, fmt.Sprintf("token: %s is missing, and the datastore beside it is locked without it", filepath.Join(dir, "server", "token")))
		mend = "sallyport recover --backup FILE BUNDLE"
	}
	j, err := s.readJournal()
	switch {
	case s.unmounted() != nil || err != nil:
		// said of the state folder and of the journal
	case s.deleted() && j.Transaction == 0:
		lost = append(lost, "state: all of "+s.cfg.Spec.State)
	case j.lost != nil:
		lost = append(lost, "state: the journal")
	case j.Current != nil:
		lost = append(lost, s.lostOf(*j.Current)...)
		mend += ", with a full bundle of " + j.Current.String()
	}
	if len(lost) == 0 {
		return Finding{Name: "recovery", OK: true, Message: "none is due"}
	}
	return Finding{Name: "recovery", Message: oneLine(strings.Join(lost, "; ")), Mend: mend}
}

// lostOf tells what is gone of the release that runs.
func (s *Site) lostOf(c Release) (lost []string) {
	if m := s.cfg.Spec.Mirror; m.Embedded() && !s.mirrorMade() {
		lost = append(lost, "mirror: all of "+m.Dir)
	}
	if _, err := s.slotRelease(c); err != nil && !errors.Is(err, fs.ErrPermission) {
		lost = append(lost, fmt.Sprintf("slots: %s in slot %s", c, c.Slot))
	}
	if m := s.cfg.Spec.Target.ManifestsDir; m != nil && !s.folderWritten() {
		lost = append(lost, "objects: all in "+m.Path)
	}
	return lost
}
