package build

import (
	"context"
	"fmt"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/sallyport-dev/sallyport/bundle"
)

// soon is how long before its expiry a release is said to expire soon: it still has to travel.
const soon = 7 * 24 * time.Hour

// head judges what the release says of itself against its bases and the clock. It comes before the work, since no site would
// take what is wrong here.
func (b *builder) head(context.Context) error {
	if _, err := b.sequence(); err != nil {
		return err
	}
	if b.spec.Sequence == 0 && len(b.bases.list) == 0 {
		b.warn("sequence 1, since neither --base nor spec.sequence is given: a site that has run any release of %s refuses this bundle", b.spec.Name)
	}
	for _, k := range b.bases.list {
		if older(b.spec.Version, k.desc.Version) {
			b.warn("version %s is older than that of the base, %s", b.spec.Version, k.desc.Version)
		}
	}
	return b.expiry()
}

// expiry refuses a release whose time is over. One that is built as of a day gone by may have been good then.
func (b *builder) expiry() error {
	if b.spec.Expires == nil {
		return nil
	}
	expires, now := *b.spec.Expires, b.started
	if b.Created != nil {
		now = *b.Created
	}
	text := expires.Format(time.RFC3339)
	switch {
	case !expires.After(now):
		return b.spec.fail("spec.expires", "write a later time, or leave it out",
			fmt.Sprintf("%s is in the past: no site would take the release", text))
	case !expires.After(b.started):
		b.warn("the release expired %s: no site takes it", text)
	case expires.Before(b.started.Add(soon)):
		b.warn("the release expires %s, %s from now: no site takes it then", text, lasting(expires.Sub(b.started)))
	}
	return nil
}

// lasting tells a time of less than a week in days or hours.
func lasting(d time.Duration) string {
	if d >= 48*time.Hour {
		return count(int(d.Hours()/24), "day")
	}
	return count(int(d.Hours()), "hour")
}

func older(version, than string) bool {
	v, err := semver.StrictNewVersion(version)
	if err != nil {
		return false // it was refused before
	}
	t, err := semver.StrictNewVersion(than)
	return err == nil && v.LessThan(t)
}

// sequence is the release's rollback index: that of the spec, or one more than the bases'.
func (b *builder) sequence() (uint64, error) {
	var highest *known
	for _, k := range b.bases.list {
		if highest == nil || k.desc.Sequence > highest.desc.Sequence {
			highest = k
		}
	}
	switch {
	case highest == nil:
		return max(b.spec.Sequence, 1), nil
	case b.spec.Sequence == 0 && highest.desc.Sequence < bundle.MaxSequence:
		return max(highest.desc.Sequence+1, b.atLeast), nil
	case b.spec.Sequence == 0:
		return 0, &Error{reason: "usage", text: fmt.Sprintf("the base %s has the highest sequence there is, %d: nothing can follow it",
			highest.desc.Version, highest.desc.Sequence), hint: "give the release another metadata.name, and that name to the sites as spec.release"}
	case b.spec.Sequence <= highest.desc.Sequence:
		return 0, b.spec.fail("spec.sequence", "leave it out to count up from the base",
			fmt.Sprintf("%d is not above that of the base %s, which is %d", b.spec.Sequence, highest.desc.Version, highest.desc.Sequence))
	}
	return b.spec.Sequence, nil
}
