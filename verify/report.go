package verify

import (
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

// predicateProvenance is the predicate type of SLSA v1 provenance.
const predicateProvenance = "https://slsa.dev/provenance/v1"

// Verdict is the outcome of a check that did not refuse the bundle.
type Verdict string

const (
	// Pass is a thing that was checked and found good.
	Pass Verdict = "pass"
	// Warn is a thing that is not as it should be and that the policy does not demand.
	Warn Verdict = "warn"
	// Skip is a thing that is not there or was not asked for.
	Skip Verdict = "skip"
)

// Names of checks.
const (
	CheckSignature   = "signature"
	CheckSequence    = "sequence"
	CheckExpiry      = "expiry"
	CheckProvenance  = "provenance"
	CheckAttestation = "attestation" // any other statement about the release
	CheckImages      = "images"      // images' own signatures and attestations: never judged here, and told of if there are any
	CheckBytes       = "bytes"       // every blob, by Drain
)

// Check is one thing that was checked.
type Check struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Message string  `json:"message"`
}

// Release is what a verified bundle is.
type Release struct {
	Name     string        `json:"name"`
	Version  string        `json:"version"`
	Sequence uint64        `json:"sequence"`
	Digest   digest.Digest `json:"digest"`
	// Identity is the same in every bundle of the release.
	Identity digest.Digest `json:"identity,omitempty"`
	Expires  *time.Time    `json:"expires,omitempty"`
}

// Report is the evidence that a bundle was verified.
type Report struct {
	Release Release  `json:"release"`
	Signers []Signer `json:"signers"`
	Checks  []Check  `json:"checks"`
}

func (r *Report) add(name string, v Verdict, format string, args ...any) {
	r.Checks = append(r.Checks, Check{Name: name, Verdict: v, Message: fmt.Sprintf(format, args...)})
}

// addStatements tells of the attestations, and of signatures that say nothing. No policy demands an attestation yet, so
// none refuses the bundle by being absent.
func (r *Report) addStatements(findings []finding) {
	provenance := false
	for _, f := range findings {
		name := CheckAttestation
		switch f.predicateType {
		case bundle.PredicateSignature:
			if f.fault != nil {
				r.add(CheckSignature, Warn, "%s", f)
			}
			continue
		case predicateProvenance:
			name, provenance = CheckProvenance, true
		}
		if f.signer != nil {
			r.add(name, Pass, "%s", f)
		} else {
			r.add(name, Warn, "%s, which is not accepted here", f)
		}
	}
	if !provenance {
		r.add(CheckProvenance, Skip, "the bundle carries none")
	}
}

// addImages tells of what belongs to the images themselves. The builder judges it, where the release names keys.
func (r *Report) addImages(d *bundle.Descriptor) {
	n := 0
	for _, im := range d.Images {
		n += len(im.Attached)
	}
	if n > 0 {
		r.add(CheckImages, Skip, "%d signatures and attestations of images travel along; they are not judged here", n)
	}
}
