package build

import (
	"archive/tar"
	"context"
	"hash/fnv"
	"io"
	"path"
)

// listing is the regular files of a layer with content: a rough picture by which layers are compared.
type listing struct {
	files []listed
	paths map[uint64]bool
	bases map[uint64]bool
}

type listed struct {
	path, base uint64
	size       int64
}

// maxListed bounds the files that are looked at in one layer.
const maxListed = 1 << 20

// listTar lists the files of a tar. What is no tar, or is one only at first, gives what was found till then.
func listTar(ctx context.Context, r io.Reader) (listing, error) {
	l := listing{paths: make(map[uint64]bool), bases: make(map[uint64]bool)}
	if s, ok := r.(io.Seeker); ok {
		if _, err := s.Seek(0, io.SeekStart); err != nil {
			return l, err
		}
	}
	t := tar.NewReader(r)
	for len(l.files) < maxListed {
		if err := ctx.Err(); err != nil {
			return l, err
		}
		h, err := t.Next()
		if err != nil {
			return l, nil // also no tar at all
		}
		if h.Typeflag != tar.TypeReg || h.Size == 0 {
			continue
		}
		f := listed{path: hashName(path.Clean("/" + h.Name)), base: hashName(path.Base(h.Name)), size: h.Size}
		l.files = append(l.files, f)
		l.paths[f.path], l.bases[f.base] = true, true
	}
	return l, nil
}

func hashName(s string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, s) // never fails
	return h.Sum64()
}

// covers tells how much of a file to expect in a layer with this listing: a file of the same path is most likely an
// earlier version of it, one with the same name perhaps.
func (l *listing) covers(f listed) float64 {
	switch {
	case l.paths[f.path]:
		return 1
	case l.bases[f.base]:
		return 0.5
	}
	return 0
}

const (
	// maxOlds is how many olds a patch is made against: what a squashed image was made from, as a rule.
	maxOlds = 16
	// worthwhile is the part of a layer's bytes that an old must add to be one of them.
	worthwhile = 0.02
	// enough is the part of a layer's bytes for which no further olds are looked at.
	enough = 0.1
)

// choose picks from the candidates those that promise the most for a layer, the best first, and tells how many of its bytes
// they promise nothing for.
func choose(target listing, candidates []*old) (chosen []*old, lacking float64) {
	total := target.size()
	covered := make([]float64, len(target.files))
	taken := make([]bool, len(candidates))
	for len(chosen) < maxOlds {
		best, bestGain := -1, worthwhile*total
		for i, c := range candidates {
			if taken[i] {
				continue
			}
			if gain := gain(target, covered, &c.list); gain > bestGain {
				best, bestGain = i, gain
			}
		}
		if best < 0 {
			break
		}
		taken[best] = true
		chosen = append(chosen, candidates[best])
		for i, f := range target.files {
			covered[i] = max(covered[i], candidates[best].list.covers(f))
		}
	}
	for i, f := range target.files {
		lacking += float64(f.size) * (1 - covered[i])
	}
	return chosen, lacking
}

// size is the bytes of all files.
func (l *listing) size() float64 {
	var sum float64
	for _, f := range l.files {
		sum += float64(f.size)
	}
	return sum
}

// gain is how many bytes more a further listing covers.
func gain(target listing, covered []float64, l *listing) float64 {
	var sum float64
	for i, f := range target.files {
		sum += float64(f.size) * max(0, l.covers(f)-covered[i])
	}
	return sum
}
