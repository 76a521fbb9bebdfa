package delta

import (
	"context"
	"hash/maphash"
	"io"
	"path"
	"regexp"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// oldMember is a member of one of the olds.
type oldMember struct {
	member
	old int
	id  contentID
}

// contentID tells contents apart.
type contentID struct {
	sum  uint64
	size int64
}

// catalogue finds members of the olds, whichever of them they are in: images are squashed, layered
// anew and based on others between releases.
type catalogue struct {
	src       *source // of all olds
	members   []oldMember
	byPath    map[string][]int
	byAlias   map[string][]int
	byContent map[contentID][]int
	seed      maphash.Seed
	similar   func() (*similarity, error) // of all contents, made when it is asked for first
}

func newCatalogue(ctx context.Context, olds []Old, workers int) (*catalogue, error) {
	c := &catalogue{src: newSource(olds), byPath: map[string][]int{}, byAlias: map[string][]int{}, byContent: map[contentID][]int{}, seed: maphash.MakeSeed()}
	lists := make([][]member, len(olds))
	ids := make([][]contentID, len(olds))
	g, reading := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for i, o := range olds {
		g.Go(func() (err error) {
			if lists[i], err = tarMembers(reading, o, o.Size); err != nil {
				return err
			}
			ids[i], err = contentIDs(reading, o, lists[i], c.seed)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, list := range lists {
		for j, m := range list {
			c.add(oldMember{m, i, ids[i][j]})
		}
	}
	c.similar = sync.OnceValues(func() (*similarity, error) { return newSimilarity(ctx, c, workers) })
	return c, nil
}

func (c *catalogue) add(m oldMember) {
	n := len(c.members)
	c.members = append(c.members, m)
	c.byPath[m.name] = append(c.byPath[m.name], n)
	if m.size() > 0 {
		c.byAlias[alias(m.name)] = append(c.byAlias[alias(m.name)], n)
		c.byContent[m.id] = append(c.byContent[m.id], n)
	}
}

// first tells whether no old member before n has its content.
func (c *catalogue) first(n int) bool { return c.byContent[c.members[n].id][0] == n }

// address returns where an offset of m's blob is among all olds.
func (c *catalogue) address(m oldMember, offset int64) int64 { return c.src.starts[m.old] + offset }

// contentIDs identifies the members' contents.
func contentIDs(ctx context.Context, r io.ReaderAt, list []member, seed maphash.Seed) ([]contentID, error) {
	ids := make([]contentID, len(list))
	buf := make([]byte, 256<<10)
	var h maphash.Hash
	h.SetSeed(seed)
	for i, m := range list {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		h.Reset()
		if _, err := io.CopyBuffer(struct{ io.Writer }{&h}, struct{ io.Reader }{io.NewSectionReader(r, m.content, m.size())}, buf); err != nil {
			return nil, err
		}
		ids[i] = contentID{h.Sum64(), m.size()}
	}
	return ids, nil
}

var (
	versionish = regexp.MustCompile(`[0-9]+([._-][0-9]+)*`)
	hashish    = regexp.MustCompile(`[0-9a-f]{8,}`)
)

// alias is a path without what changes from version to version: lib/foo-1.2.3/x.so.4 and
// lib/foo-1.3/x.so.5 have one.
func alias(name string) string {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	return versionish.ReplaceAllString(hashish.ReplaceAllString(name, "#"), "#")
}
