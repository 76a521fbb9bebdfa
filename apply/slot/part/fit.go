package part

import (
	"maps"
	"slices"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// Target is a slot's places that parts fit into, as they were when they were looked at.
type Target struct {
	host   host.Host
	places map[string]*place
}

// Fit looks whether parts of these sizes in bytes can be written to the places of a slot while the other one runs from its own
// places. It changes nothing. What speaks against it is an *UnfitError.
func Fit(h host.Host, target, running Places, sizes map[string]int64) (*Target, error) {
	f := &fitter{host: h, sizes: sizes, target: map[string]*place{}, running: map[string]*place{}}
	if err := f.findAll(target, running); err != nil {
		return nil, err
	}
	if err := f.apart(); err != nil {
		return nil, err
	}
	var err error
	if f.mounts, f.swaps, err = inUse(h); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		p := f.target[name]
		if p.device {
			err = f.device(p)
		} else {
			err = f.file(p)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := f.rooms(); err != nil {
		return nil, err
	}
	return &Target{host: h, places: f.target}, nil
}

// fitter is Fit at work.
type fitter struct {
	host            host.Host
	sizes           map[string]int64
	target, running map[string]*place
	mounts          []host.Mount
	swaps           []string
}

// findAll looks at the places. Those that get nothing need not be there.
func (f *fitter) findAll(target, running Places) error {
	for _, name := range slices.Sorted(maps.Keys(f.sizes)) {
		if target[name] == "" {
			return &UnfitError{Part: name, Text: "has no place at this site",
				Advice: "name its place in both slots of site.yaml: spec.slots.a.parts." + name + " and spec.slots.b.parts." + name}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(target)) {
		p, err := find(f.host, name, target[name])
		switch {
		case err == nil:
			f.target[name] = p
		case f.sizes[name] > 0:
			return err
		}
	}
	for name, path := range running {
		if p, err := find(f.host, name, path); err == nil {
			f.running[name] = p
		}
	}
	return nil
}

// apart wants no place of the target to share a block or a name with another place of either slot.
func (f *fitter) apart() error {
	for _, name := range slices.Sorted(maps.Keys(f.sizes)) {
		p := f.target[name]
		for _, other := range sortedPlaces(f.target) {
			if other != name && f.shared(p, f.target[other]) {
				return p.unfit("give each part a place of its own in site.yaml", "it is (or shares blocks with) %s, the place of part %s", f.target[other].path, other)
			}
		}
		for _, other := range sortedPlaces(f.running) {
			if f.shared(p, f.running[other]) {
				return p.unfit("give each slot places of its own in site.yaml; ls -l tells what the names point to",
					"it is (or shares blocks with) %s, part %s of the slot that runs", f.running[other].path, other)
			}
		}
	}
	return nil
}

// shared tells whether two places have blocks or a name in common.
func (f *fitter) shared(a, b *place) bool {
	if a.device != b.device {
		return false
	}
	if a.device {
		return overlap(f.host, a.dev, b.dev)
	}
	return a.sameFile(b)
}

func sortedPlaces(m map[string]*place) []string { return slices.Sorted(maps.Keys(m)) }
