package apply

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/bundle"
)

// spare is what is left free on a disk beside what is needed, in bytes: journals and folders want some.
const spare = 16 << 20

// needs returns the bytes that the release takes in the mirror, and at most at one moment in the state folder.
func (p *plan) needs(workers int) (inMirror, inState int64) {
	d := p.descriptor
	inState = 2*d.Manifests.Size + p.restoring(workers) // the objects are spooled, then in the slot
	for _, o := range d.Overlays {
		inState += 3 * o.Size // spooled, and at most so much more in the slot
	}
	for _, img := range d.Images {
		inState += img.Size
		for _, x := range img.Indexes {
			inState += x.Size
		}
		for _, m := range img.Manifests {
			inState += m.Size
		}
		for _, a := range img.Attached {
			inState += a.Size
		}
	}
	return p.pushing, inState
}

// restoring returns what is there at most while patches are applied, by so many workers and in the bundle's order: the
// patches, their streams and what they say they need, and old blobs from the first patch that addresses them to the last.
func (p *plan) restoring(workers int) int64 {
	var patches []*blobPlan
	last := map[digest.Digest]int{}
	for _, b := range p.descriptor.Blobs {
		bp := p.blobs[b.Digest]
		if !bp.arrives() || b.Form == bundle.FormFull {
			continue
		}
		for _, base := range b.Bases {
			last[base.Digest] = len(patches)
		}
		patches = append(patches, bp)
	}
	var most, expanded int64
	open := map[digest.Digest]int64{}
	for i, b := range patches {
		for _, base := range b.Bases {
			if _, ok := open[base.Digest]; !ok {
				open[base.Digest] = base.PlainSize
				expanded += base.PlainSize
			}
		}
		need := expanded
		for _, ahead := range patches[i:min(i+workers+1, len(patches))] {
			need += ahead.Payload.Size + ahead.Payload.Scratch + ahead.Size
		}
		most = max(most, need)
		// What the patches of all workers need is still there; older ones are done.
		for d, n := range open {
			if last[d] <= i-workers {
				delete(open, d)
				expanded -= n
			}
		}
	}
	return most
}

// roomFor refuses a release that the disks have no room for, before anything is written.
func (r *run) roomFor(p *plan) error {
	inMirror, inState := p.needs(r.workers())
	inState += r.partsNeed()
	state, err := diskOf(r.cfg.Spec.State)
	if err != nil {
		return stateError(err)
	}
	if err := state.enoughFiles(r.cfg.Spec.State, fewFiles); err != nil {
		return err
	}
	if !r.cfg.Spec.Mirror.Embedded() {
		if err := enough(r.cfg.Spec.State, state.free, inState); err != nil {
			return err
		}
		r.say("fits", "needs %s to work in, %s free", size(inState), size(state.free))
		return nil
	}
	m, err := diskOf(r.cfg.Spec.Mirror.Dir)
	if err != nil {
		return stateError(err)
	}
	// The mirror has a file and a folder for each blob, and for each link to it.
	if err := m.enoughFiles(r.cfg.Spec.Mirror.Dir, fewFiles+4*int64(len(p.blobs))); err != nil {
		return err
	}
	if m.device == state.device {
		err = enough(r.cfg.Spec.Mirror.Dir, m.free, inMirror+inState)
	} else {
		err = errors.Join(enough(r.cfg.Spec.State, state.free, inState), enough(r.cfg.Spec.Mirror.Dir, m.free, inMirror))
	}
	if err != nil {
		return err
	}
	r.say("fits", "needs %s of disk, %s free", size(inMirror+inState), size(min(m.free, state.free)))
	return nil
}

// fewFiles are what is made beside blobs: slots, records, what is spooled.
const fewFiles = 64

// enoughFiles refuses a file system on which so many files cannot be made. One that does not count them has room.
func (d disk) enoughFiles(path string, need int64) error {
	if d.files < 0 || d.files >= need {
		return nil
	}
	return errorf("room", "delete files there and try again: sallyport mirror gc removes what neither slot needs",
		"%s has room for %d more files, and the release needs %d", path, d.files, need)
}

func enough(path string, free, need int64) error {
	if free >= need+spare {
		return nil
	}
	return errorf("room", "make room there and try again: sallyport mirror gc removes what neither slot needs",
		"%s has %s free, and the release needs %s", path, size(free), size(need+spare))
}

// disk is the file system that holds a path.
type disk struct {
	free   int64 // bytes that may still be written
	total  int64 // bytes of the file system
	files  int64 // that may still be made; -1 if the file system does not count them
	device uint64
}

// diskOf looks at the file system of path, or of the nearest folder above it that exists.
func diskOf(path string) (disk, error) {
	var st unix.Statfs_t
	var info unix.Stat_t
	for {
		err := unix.Statfs(path, &st)
		if err == nil {
			err = unix.Stat(path, &info)
		}
		if err == nil {
			d := disk{free: int64(st.Bavail) * int64(st.Bsize), total: int64(st.Blocks) * int64(st.Bsize), files: int64(st.Ffree), device: uint64(info.Dev)}
			if st.Files == 0 {
				d.files = -1
			}
			return d, nil
		}
		parent := filepath.Dir(path)
		if !errors.Is(err, fs.ErrNotExist) || parent == path {
			return disk{}, &fs.PathError{Op: "statfs", Path: path, Err: err}
		}
		path = parent
	}
}
