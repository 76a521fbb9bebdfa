package delta

import (
	"cmp"
	"context"
	"math/bits"
	"slices"

	"golang.org/x/sync/errgroup"
)

// similarity finds old contents that share stretches with a new one, whatever they are called: files
// that were renamed, joined or split. It knows fingerprints of old contents at places that the bytes
// themselves choose, so that they are found wherever they have moved to.
type similarity struct {
	prints []print // by hash
	blocks []block
}

// print says that a block holds bytes with a hash.
type print struct {
	hash  uint32
	block int32
}

// block is a stretch of an old member.
type block struct {
	member int
	offset int64 // in its content
	size   int64
	rare   uint8 // one of 2^rare places has a fingerprint
}

// Bounds of the fingerprints.
const (
	maxPrints     = 8 << 20 // 64 MiB, and as much again while they are sorted
	blockSize     = 1 << 20
	leastSimilar  = 256 // bytes of a content
	leastRare     = 3
	usualRare     = 10  // of large contents: a fingerprint for each KiB
	manyPrints    = 6   // a small content has about 2^manyPrints of them
	maxNeighbours = 256 // blocks for one content
	commonPrint   = 16  // blocks with one fingerprint: what more have says nothing
)

// gear holds numbers that are as good as random (Steele, Lea and Flood's SplitMix64).
var gear = func() (t [256]uint64) {
	x := uint64(0)
	for i := range t {
		x += 0x9e3779b97f4a7c15
		z := x
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		t[i] = z ^ z>>31
	}
	return t
}()

// fingerprints calls found with the hash of 32 bytes, wherever the first rare bits of theirs are zeros.
func fingerprints(b []byte, rare uint8, found func(hash uint32)) {
	const window = 32 // older bytes have been shifted out
	var h uint64
	least := uint64(1) << (64 - rare)
	for i, c := range b {
		h = h<<2 + gear[c]
		if h < least && i >= window-1 {
			found(uint32(h * 0x9e3779b97f4a7c15 >> 32))
		}
	}
}

// rareFor says how many fingerprints a content of a size gets. Where usual is more than usualRare all
// contents get fewer, small ones too: there may be any number of those.
func rareFor(size int64, usual uint8) uint8 {
	fewer := int(usual) - usualRare
	return uint8(min(max(bits.Len64(uint64(size))-manyPrints+fewer, leastRare), int(usual)))
}

// newSimilarity reads all contents of the olds, each once.
func newSimilarity(ctx context.Context, c *catalogue, workers int) (*similarity, error) {
	s := &similarity{}
	s.cutAll(c)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	const batch = 64
	found := make([][]print, (len(s.blocks)+batch-1)/batch)
	for n := range found {
		g.Go(func() (err error) {
			last := min((n+1)*batch, len(s.blocks))
			found[n], err = s.read(ctx, c, n*batch, last)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	s.prints = slices.Concat(found...)
	slices.SortFunc(s.prints, func(a, b print) int {
		if d := cmp.Compare(a.hash, b.hash); d != 0 {
			return d
		}
		return cmp.Compare(a.block, b.block)
	})
	s.prints = slices.Compact(s.prints)
	return s, nil
}

// cutAll cuts the olds' contents so that they have at most about maxPrints fingerprints.
func (s *similarity) cutAll(c *catalogue) {
	usual := uint8(usualRare)
	for s.cut(c, usual) > maxPrints {
		usual++
		s.blocks = nil
	}
}

// cut cuts the olds' contents into blocks and returns about how many fingerprints those have.
func (s *similarity) cut(c *catalogue, usual uint8) (prints int64) {
	for i, m := range c.members {
		if m.size() < leastSimilar || !c.first(i) {
			continue
		}
		rare := rareFor(m.size(), usual)
		for at := int64(0); at < m.size(); at += blockSize {
			s.blocks = append(s.blocks, block{i, at, min(blockSize, m.size()-at), rare})
		}
		prints += m.size() >> rare
	}
	return prints
}

func (s *similarity) read(ctx context.Context, c *catalogue, from, to int) (list []print, err error) {
	buf := make([]byte, blockSize)
	src := newSource(c.src.olds)
	for i := from; i < to; i++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b := s.blocks[i]
		content := buf[:b.size]
		m := c.members[b.member]
		if err := src.read(content, c.address(m, m.content+b.offset)); err != nil {
			return nil, err
		}
		fingerprints(content, b.rare, func(hash uint32) { list = append(list, print{hash, int32(i)}) })
	}
	return list, nil
}

// shared are the fingerprints of a new content that olds have.
type shared struct {
	s      *similarity
	hits   [][]print // of one hash each
	rare   uint8
	scores map[int32]int64
}

// sharedWith looks a content's fingerprints up.
func (s *similarity) sharedWith(b []byte) *shared {
	n := &shared{s: s, rare: rareFor(int64(len(b))>>4, usualRare), scores: map[int32]int64{}}
	var hashes []uint32
	fingerprints(b, n.rare, func(hash uint32) { hashes = append(hashes, hash) })
	slices.Sort(hashes)
	for _, hash := range slices.Compact(hashes) {
		at, ok := slices.BinarySearchFunc(s.prints, hash, func(p print, hash uint32) int { return cmp.Compare(p.hash, hash) })
		if !ok {
			continue
		}
		end := at
		for end < len(s.prints) && s.prints[end].hash == hash && end-at <= commonPrint {
			end++
		}
		if end-at <= commonPrint {
			n.hits = append(n.hits, s.prints[at:end])
			n.score(s.prints[at:end], 1)
		}
	}
	return n
}

// score counts a fingerprint for its blocks, or no more, as the bytes that it stands for.
func (n *shared) score(hit []print, times int64) {
	for _, p := range hit {
		n.scores[p.block] += times << max(n.s.blocks[p.block].rare, n.rare)
	}
}

// best returns the block that shares the most bytes, and how many about.
func (n *shared) best() (best int32, bytes int64) {
	for b, v := range n.scores {
		if v > bytes || v == bytes && b < best {
			best, bytes = b, v
		}
	}
	return best, bytes
}

// cover forgets the fingerprints that a chosen block has, and returns how many they were.
func (n *shared) cover(chosen func(block int32) bool) (covered int) {
	n.hits = slices.DeleteFunc(n.hits, func(hit []print) bool {
		if !slices.ContainsFunc(hit, func(p print) bool { return chosen(p.block) }) {
			return false
		}
		n.score(hit, -1)
		covered++
		return true
	})
	return covered
}

// blocks returns blocks that share at least so many bytes each with the content, in the order of the olds,
// and no more than room bytes of them.
func (n *shared) blocks(least, room int64) (list []block) {
	for len(list) < maxNeighbours {
		b, bytes := n.best()
		if bytes < least || n.s.blocks[b].size > room {
			break
		}
		if n.cover(func(other int32) bool { return other == b }) > 1 {
			list = append(list, n.s.blocks[b])
			room -= n.s.blocks[b].size
		}
	}
	slices.SortFunc(list, func(a, b block) int {
		return cmp.Or(cmp.Compare(a.member, b.member), cmp.Compare(a.offset, b.offset))
	})
	return list
}
