package delta

import (
	"crypto/md5"
	"encoding/hex"
	"io"
	"slices"
)

// listing is a new listing that has digests of entries before it.
type listing struct {
	now     []byte
	then    []byte // the old one, with those digests
	address int64  // of the old one
}

// listings finds new listings and what of their digests the same tar tells.
type listings struct {
	*planner
	entries []entry
	byName  map[[md5.Size]byte]int
	sums    map[int][md5.Size]byte // of entries
	wanted  map[int]bool
	list    map[int64]*listing
}

// findListings finds the listings among the contents that no old has.
func (p *planner) findListings(matches []int) error {
	l := &listings{planner: p, sums: map[int][md5.Size]byte{}, wanted: map[int]bool{}, list: map[int64]*listing{}}
	for i, m := range p.members {
		if matches[i] < 0 || len(p.c.byContent[p.ids[i]]) > 0 || !mayList(m) || !mayList(p.c.members[matches[i]].member) ||
			p.c.members[matches[i]].size()/maxInflation > m.size() {
			continue
		}
		if err := l.find(m, p.c.members[matches[i]]); err != nil {
			return err
		}
	}
	l.finish()
	return nil
}

func mayList(m member) bool { return m.size() > listedPath && m.size() <= maxListing }

// find notes which entries' digests the listing m has, where its old version has others.
func (l *listings) find(m member, old oldMember) error {
	start := make([]byte, listedPath)
	if err := readAt(l.plain, start, m.content); err != nil {
		return err
	}
	if !isHex(start[:listedDigest]) || string(start[listedDigest:]) != "  " {
		return nil
	}
	x := &listing{now: make([]byte, m.size()), then: make([]byte, old.size()), address: l.c.address(old, old.content)}
	if err := l.readBoth(x.now, m.content, x.then, x.address); err != nil {
		return err
	}
	before := map[string]string{}
	eachListed(x.then, func(digest, path []byte) { before[string(path)] = string(digest) })
	found := false
	var failed error
	eachListed(x.now, func(digest, path []byte) {
		if was, ok := before[string(path)]; !ok || was == string(digest) || failed != nil {
			return
		}
		var n int
		if n, failed = l.entryOf(path, digest, m.content); n >= 0 && failed == nil {
			l.wanted[n], found = true, true
		}
	})
	if found {
		l.list[m.content] = x
	}
	return failed
}

// entryOf returns the entry before an offset that a line of a listing tells the digest of, or -1.
func (l *listings) entryOf(path, digest []byte, before int64) (int, error) {
	if l.entries == nil {
		if err := l.index(); err != nil {
			return -1, err
		}
	}
	n, ok := l.byName[listed(string(path))]
	if !ok || l.entries[n].at+l.entries[n].size > before || len(l.wanted) == maxDigests && !l.wanted[n] {
		return -1, nil
	}
	sum, ok := l.sums[n]
	if !ok {
		h := md5.New()
		if _, err := io.Copy(h, io.NewSectionReader(l.plain, l.entries[n].at, l.entries[n].size)); err != nil {
			return -1, err
		}
		sum = [md5.Size]byte(h.Sum(nil))
		l.sums[n] = sum
	}
	if hex.EncodeToString(sum[:]) != string(digest) {
		return -1, nil
	}
	return n, l.ctx.Err()
}

func (l *listings) index() (err error) {
	last := l.members[len(l.members)-1]
	if l.entries, err = listEntries(l.ctx, l.plain, last.next); err != nil {
		return err
	}
	l.byName = make(map[[md5.Size]byte]int, len(l.entries))
	for i, e := range l.entries {
		if _, ok := l.byName[e.name]; !ok {
			l.byName[e.name] = i
		}
	}
	return nil
}

// finish tells the planner which digests are wanted, and puts into each listing those that a site knows
// when it comes there.
func (l *listings) finish() {
	var wanted []int
	for n := range l.wanted {
		wanted = append(wanted, n)
	}
	slices.Sort(wanted)
	next := 0
	for _, n := range wanted {
		l.digested = append(l.digested, int64(n-next))
		next = n + 1
	}
	for at, x := range l.list {
		known := digests{}
		for _, n := range wanted {
			if e := l.entries[n]; e.at+e.size <= at {
				known[e.name] = l.sums[n]
			}
		}
		known.update(x.then)
	}
	l.listings = l.list
}

// listed plans a listing.
func (w *worker) listed(l *listing) []piece {
	then := &neighbours{}
	then.add(l.then, w.c.src.size, false)
	size := int64(len(l.now))
	n := &nestedPiece{listing: l.then, olds: []expansion{{address: l.address, size: int64(len(l.then))}},
		pieces: then.pieces(diffContent(l.now, l.then, opText, &w.index), opText)}
	return []piece{{length: size, from: literal, nested: n}}
}
