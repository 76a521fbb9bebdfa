package verify

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

// Policy is what a bundle must satisfy.
type Policy struct {
	// Trust is who may sign.
	Trust *Trust
	// Now is the time against which expiry is measured; zero stands for the machine's clock.
	Now time.Time
	// MinSequence is the smallest sequence that is accepted: that of the newest release the site has committed. 0 accepts all.
	MinSequence uint64
	// AllowExpired lets a release pass whose time is over, as a warning.
	AllowExpired bool
}

// Bundle is a bundle whose signatures, sequence and expiry were found good. Only Open makes one. Its blobs are compared
// with the signed digests as they are read.
type Bundle struct {
	r      *bundle.Reader
	report Report
}

// Open judges a bundle of which the reader has read the front, and nothing beyond. What it refuses is *Error.
func Open(r *bundle.Reader, p Policy) (*Bundle, error) {
	if p.Trust == nil || len(p.Trust.keys) == 0 {
		return nil, refuse(ReasonUsage, hintTrust, "there is no key to verify the bundle with")
	}
	d := r.Descriptor()
	release := r.ReleaseDigest()
	var findings []finding
	for _, s := range r.Signatures() {
		findings = append(findings, p.Trust.judge(release, s))
	}
	signers, err := p.Trust.signers(findings)
	if err != nil {
		return nil, err
	}
	b := &Bundle{r: r, report: Report{
		Release: Release{Name: d.Name, Version: d.Version, Sequence: d.Sequence, Digest: release, Identity: d.Identity(), Expires: d.Expires},
		Signers: signers,
	}}
	b.report.add(CheckSignature, Pass, "signed by %s", join(signers))
	b.report.addStatements(findings)
	b.report.addImages(d)
	if err := b.checkSequence(p); err != nil {
		return nil, err
	}
	if err := b.checkExpiry(p); err != nil {
		return nil, err
	}
	return b, nil
}

func join(signers []Signer) string {
	var names []string
	for _, s := range signers {
		names = append(names, s.String())
	}
	return strings.Join(names, ", ")
}

func (b *Bundle) checkSequence(p Policy) error {
	r := b.report.Release
	switch {
	case p.MinSequence == 0:
		b.report.add(CheckSequence, Skip, "sequence %d; no least sequence was given", r.Sequence)
	case r.Sequence < p.MinSequence:
		return refuse(ReasonSequence, "to go back to the previous release: sallyport rollback; otherwise ask the factory for a newer bundle",
			"%s %s has sequence %d, which is older than sequence %d that was committed here", r.Name, r.Version, r.Sequence, p.MinSequence)
	default:
		b.report.add(CheckSequence, Pass, "sequence %d is not below %d", r.Sequence, p.MinSequence)
	}
	return nil
}

func (b *Bundle) checkExpiry(p Policy) error {
	r := b.report.Release
	if r.Expires == nil {
		b.report.add(CheckExpiry, Skip, "the release does not expire")
		return nil
	}
	now := p.Now
	if now.IsZero() {
		now = time.Now()
	}
	expires := r.Expires.UTC().Format(time.RFC3339)
	switch {
	case now.Before(*r.Expires):
		b.report.add(CheckExpiry, Pass, "expires %s", expires)
	case p.AllowExpired:
		b.report.add(CheckExpiry, Warn, "expired %s, which was allowed", expires)
	default:
		return refuse(ReasonExpired, "ask the factory for a bundle that is still good, or set this machine's clock if it is wrong",
			"%s %s expired %s; this machine's clock says %s", r.Name, r.Version, expires, now.UTC().Format(time.RFC3339))
	}
	return nil
}

// errNotOpened is for a Bundle that did not come from Open.
var errNotOpened = errors.New("verify: a Bundle that Open did not make")

// Descriptor is the release. The caller must not change it.
func (b *Bundle) Descriptor() *bundle.Descriptor { return b.r.Descriptor() }

// DescriptorBytes is the descriptor in its one byte form. The caller must not change it.
func (b *Bundle) DescriptorBytes() []byte { return b.r.DescriptorBytes() }

// ReleaseDigest is the digest of the release manifest: what was signed.
func (b *Bundle) ReleaseDigest() digest.Digest { return b.r.ReleaseDigest() }

// ManifestBytes is the release manifest. The caller must not change it.
func (b *Bundle) ManifestBytes() []byte { return b.r.ManifestBytes() }

// Signatures are those that the bundle carries, by accepted keys or not; Report tells whose were accepted.
func (b *Bundle) Signatures() []bundle.Signature { return b.r.Signatures() }

// Report tells what was checked so far.
func (b *Bundle) Report() Report {
	r := b.report
	r.Signers, r.Checks = slices.Clone(r.Signers), slices.Clone(r.Checks)
	return r
}

// Next gives the next blob, as bundle.Reader does.
func (b *Bundle) Next() (*bundle.Entry, error) {
	if b.r == nil {
		return nil, errNotOpened
	}
	return b.r.Next()
}

// Drain reads what is left of the bundle to its very end, so that every byte has been compared with what was signed, and
// adds that to the report.
func (b *Bundle) Drain(ctx context.Context) error {
	var blobs, size int64
	buf := make([]byte, 256<<10)
	for {
		entry, err := b.Next()
		if err == io.EOF { //nolint:errorlint // only the bare io.EOF is the end; one that is wrapped may be a bundle cut short
			b.report.add(CheckBytes, Pass, "%d blobs, %d bytes, all as signed", blobs, size)
			return nil
		}
		if err != nil {
			return err
		}
		n, err := discard(ctx, entry, buf)
		if err != nil {
			return err
		}
		blobs, size = blobs+1, size+n
	}
}

// discard reads to the end and tells how much there was.
func discard(ctx context.Context, r io.Reader, buf []byte) (int64, error) {
	var size int64
	for {
		if err := ctx.Err(); err != nil {
			return size, err
		}
		n, err := r.Read(buf)
		size += int64(n)
		if err == io.EOF {
			return size, nil
		}
		if err != nil {
			return size, err
		}
	}
}
