package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/receipt"
	"github.com/sallyport-dev/sallyport/bundle"
)

// fleet adds everything up.
func (c *collector) fleet() *Fleet {
	f := &Fleet{APIVersion: bundle.APIVersion, Kind: "FleetReport", Made: c.o.Now, Files: c.files, States: map[string]int{},
		Versions: []Version{}, Sites: []Site{}}
	missing := map[string]uint64{}
	for _, key := range slices.Sorted(maps.Keys(c.chains)) {
		c.chain(key, missing)
	}
	c.shared()
	c.recovered()
	marks := map[string][]string{}
	for _, a := range c.apart {
		if a.Reason != ApartUnknown && a.Reason != ApartSignature && !slices.Contains(marks[a.Site], a.Reason) {
			marks[a.Site] = append(marks[a.Site], a.Reason)
		}
	}
	versions := map[[2]string]int{}
	for _, name := range slices.Sorted(maps.Keys(c.sites)) {
		s := c.sites[name].site(c.o)
		s.Missing, s.Apart = missing[name], append(s.Apart, marks[name]...)
		f.States[s.State]++
		f.Receipts += s.Receipts
		f.Bytes = add(f.Bytes, s.Bytes)
		if s.Runs != nil {
			versions[[2]string{s.Runs.Name, s.Runs.Version}]++
		}
		f.Sites = append(f.Sites, s)
	}
	for v, n := range versions {
		f.Versions = append(f.Versions, Version{v[0], v[1], n})
	}
	slices.SortFunc(f.Versions, func(a, b Version) int {
		return cmp.Or(b.Sites-a.Sites, strings.Compare(a.Name, b.Name), strings.Compare(a.Version, b.Version))
	})
	slices.SortFunc(f.Sites, func(a, b Site) int {
		return cmp.Or(strings.Compare(a.Region, b.Region), strings.Compare(a.Ring, b.Ring), strings.Compare(a.Name, b.Name))
	})
	slices.SortFunc(c.apart, func(a, b Apart) int {
		return cmp.Or(strings.Compare(a.Reason, b.Reason), strings.Compare(a.Site, b.Site), strings.Compare(a.File, b.File), strings.Compare(a.Text, b.Text))
	})
	f.Apart, f.More = append([]Apart{}, c.apart...), c.more
	return f
}

func add(a, b receipt.Bytes) receipt.Bytes {
	return receipt.Bytes{Read: a.Read + b.Read, Restored: a.Restored + b.Restored, Reused: a.Reused + b.Reused, Written: a.Written + b.Written}
}

// chain holds the receipts of one key to each other. Two with one number, or two that follow the same one, are of two machines that
// have the key: a disk was copied, or a state was put back that was older.
func (c *collector) chain(key string, missing map[string]uint64) {
	all := c.chains[key]
	slices.SortFunc(all, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.number, b.number), strings.Compare(string(a.digest), string(b.digest)))
	})
	for i, e := range all[1:] {
		before := all[i]
		switch {
		case e.number == before.number:
			c.setApart(Apart{Reason: ApartCloned, Site: e.site, Key: key, File: e.file,
				Text: fmt.Sprintf("two machines have this key, or an older state was put back: two receipts have the number %d", e.number)})
		case e.number > before.number+1:
			missing[e.site] += e.number - before.number - 1
		case !follows(e, all[:i+1]):
			c.setApart(Apart{Reason: ApartChain, Site: e.site, Key: key, File: e.file,
				Text: fmt.Sprintf("receipt %d does not follow receipt %d as that one is", e.number, before.number)})
		}
	}
	// Those that the site has merged are not on their way any more.
	site := all[len(all)-1].site
	missing[site] += all[0].number - 1
	missing[site] -= min(missing[site], c.sites[site].voices[key].now.count())
}

// follows tells whether a receipt names one of those with the number before its own.
func follows(e *entry, earlier []*entry) bool {
	for i := len(earlier) - 1; i >= 0 && earlier[i].number == e.number-1; i-- {
		if earlier[i].digest == e.previous {
			return true
		}
	}
	return false
}

// shared finds keys that tell of several sites.
func (c *collector) shared() {
	for _, key := range slices.Sorted(maps.Keys(c.owners)) {
		names := slices.Sorted(maps.Keys(c.owners[key]))
		if len(names) < 2 {
			continue
		}
		for _, name := range names {
			c.setApart(Apart{Reason: ApartNames, Site: name, Key: key,
				Text: fmt.Sprintf("one key tells of %d sites (%s): a cloned disk, or a site that got another name", len(names), some(names))})
		}
	}
}

// recovered finds sites that have several keys.
func (c *collector) recovered() {
	for _, name := range slices.Sorted(maps.Keys(c.sites)) {
		keys := c.sites[name].keys()
		if len(keys) < 2 {
			continue
		}
		c.setApart(Apart{Reason: ApartRecovered, Site: name, Key: keys[len(keys)-1],
			Text: fmt.Sprintf("it has a new key; before, it had %s: the site was recovered, or another machine goes by its name", some(keys[:len(keys)-1]))})
	}
}

// some names a few of many.
func some(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
