package build

import (
	"cmp"
	"os"
	"slices"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/delta"
	"github.com/sallyport-dev/sallyport/internal/oneline"
)

// fileCosts makes what the engine tells of a patch fit for a release. What is no file of the layer is left out.
func fileCosts(members []delta.MemberCost) []bundle.FileCost {
	var files []bundle.FileCost
	for _, m := range members {
		if m.Name != "" && m.Bytes > 0 {
			files = append(files, bundle.FileCost{Name: oneline.Clean(m.Name, 1024), Bytes: m.Bytes, Why: m.Why})
		}
	}
	return files
}

const (
	// leastShare is the part of a patch that a file must cost to be named in a bundle: one in so many bytes.
	leastShare = 100
	// listShare is the part of a patch's bytes that the list of its files may add to the bundle: one in so many.
	listShare = 32
	// listedFile is how many bytes a file takes in the list, beside its name and why.
	listedFile = 35
	// allLists bounds the lists of all blobs together, in bytes: a release has room for other things, too.
	allLists = 1 << 20
)

// fitCosts leaves the lists of those patches out that cost the least, where all together would take too much.
func fitCosts(blobs []bundle.Blob) {
	var list []*bundle.Blob
	for i := range blobs {
		if len(blobs[i].Files) > 0 {
			list = append(list, &blobs[i])
		}
	}
	slices.SortStableFunc(list, func(a, b *bundle.Blob) int { return cmp.Compare(b.Payload.Size, a.Payload.Size) })
	room := allLists
	for _, b := range list {
		for _, f := range b.Files {
			room -= len(f.Name) + len(f.Why) + listedFile
		}
		if room < 0 {
			b.Files = nil
		}
	}
}

// dearest picks the files that a bundle names itself, such that the list costs next to nothing. The lock file names more.
func dearest(files []bundle.FileCost, patch int64) []bundle.FileCost {
	room := patch / listShare
	for i, f := range files {
		room -= int64(len(f.Name) + len(f.Why) + listedFile)
		if room < 0 || f.Bytes < patch/leastShare || i == bundle.MaxFileCosts {
			return files[:i:i]
		}
	}
	return files
}

// readNeeds reads what applying a patch takes.
func readNeeds(path string) (delta.Needs, error) {
	f, err := os.Open(path)
	if err != nil {
		return delta.Needs{}, err
	}
	defer f.Close()
	return delta.ReadNeeds(f)
}
