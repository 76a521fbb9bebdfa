package verify

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/attest"
	"github.com/sallyport-dev/sallyport/bundle/sign"
)

func TestOpen(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384()} {
		t.Run(curve.Params().Name, func(t *testing.T) {
			release := newSigner(t, "release", curve)
			s, d := seal(t, nil)
			r := read(t, s,
				attach(t, s, signRelease(t, release, s.Digest()), bundle.PredicateSignature),
				attach(t, s, provenance(t, release, s.Digest(), d), attest.PredicateProvenance))
			b, err := Open(r, Policy{Trust: trust(t, "release.pub", release), MinSequence: 17})
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Drain(context.Background()); err != nil {
				t.Fatal(err)
			}
			who := Signer{KeyID: release.KeyID(), Name: "release"}
			want := Report{
				Release: Release{Name: "store-platform", Version: "2.4.0", Sequence: 17, Digest: s.Digest(),
					Identity: d.Identity()},
				Signers: []Signer{who},
				Checks: []Check{
					{CheckSignature, Pass, "signed by " + who.String()},
					{CheckProvenance, Pass, "it is signed by " + who.String()},
					{CheckSequence, Pass, "sequence 17 is not below 17"},
					{CheckExpiry, Skip, "the release does not expire"},
					{CheckBytes, Pass, fmt.Sprintf("4 blobs, %d bytes, all as signed", layerBytes(r))},
				},
			}
			if got := b.Report(); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("report\n%v\nwant\n%v", got, want)
			}
			if b.ReleaseDigest() != s.Digest() || !bytes.Equal(b.ManifestBytes(), s.ManifestBytes()) ||
				b.Descriptor().Name != "store-platform" || !bytes.Equal(b.DescriptorBytes(), s.DescriptorBytes()) {
				t.Error("the verified bundle gives other bytes than were sealed")
			}
		})
	}
}

func layerBytes(r *bundle.Reader) (n int64) {
	for _, l := range r.Layers() {
		n += l.Size
	}
	return n
}

func TestOpenCountsEachSignerOnce(t *testing.T) {
	a, b, other := newSigner(t, "a", elliptic.P256()), newSigner(t, "b", elliptic.P256()), newSigner(t, "c", elliptic.P256())
	s, _ := seal(t, nil)
	r := read(t, s,
		attach(t, s, signRelease(t, other, s.Digest()), bundle.PredicateSignature),
		attach(t, s, signRelease(t, b, s.Digest()), bundle.PredicateSignature),
		attach(t, s, signRelease(t, a, s.Digest()), bundle.PredicateSignature),
		attach(t, s, signRelease(t, b, s.Digest()), bundle.PredicateSignature))
	v, err := Open(r, Policy{Trust: trust(t, "team.pub", a, b)})
	if err != nil {
		t.Fatal(err)
	}
	want := []Signer{{KeyID: b.KeyID(), Name: "team#2"}, {KeyID: a.KeyID(), Name: "team#1"}}
	if got := v.Report().Signers; !slices.Equal(got, want) {
		t.Errorf("signers %v, want %v", got, want)
	}
}

// hintOf gives the hint by which Sigstore bundles name a signer.
func hintOf(s *sign.Signer) string { return strings.TrimPrefix(s.KeyID(), "SHA256:") + "=" }

// statementOf is a release signature's statement, spelt out.
func statementOf(predicateType string, subject digest.Digest) string {
	return `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"` + subject.Encoded() +
		`"}}],"predicateType":"` + predicateType + `"}`
}

func TestOpenRefuses(t *testing.T) {
	us, other := newSigner(t, "release", elliptic.P256()), newSigner(t, "old-team", elliptic.P256())
	s, d := seal(t, nil)
	good := signRelease(t, us, s.Digest())
	elsewhere := digest.FromString("another release")
	type sig struct {
		text          []byte
		predicateType string
	}
	release := func(b []byte) []sig { return []sig{{b, bundle.PredicateSignature}} }
	replace := func(old, new string) []byte { return bytes.Replace(good, []byte(old), []byte(new), 1) }
	payload := func(statement string) []byte {
		return replace(base64.StdEncoding.EncodeToString([]byte(statementOf(bundle.PredicateSignature, s.Digest()))),
			base64.StdEncoding.EncodeToString([]byte(statement)))
	}

	for _, tt := range []struct {
		name   string
		sigs   []sig
		reason string
		words  []string
	}{
		{"nothing", nil, ReasonUnsigned, []string{"nobody signed it"}},
		{"provenance only", []sig{{provenance(t, us, s.Digest(), d), attest.PredicateProvenance}}, ReasonUnsigned, []string{"nobody signed it"}},
		{"another key", release(signRelease(t, other, s.Digest())), ReasonSignature, []string{"it is signed by the key " + other.KeyID()}},
		{"another key in our name", release(bytes.Replace(signRelease(t, other, s.Digest()), []byte(hintOf(other)), []byte(hintOf(us)), 1)),
			ReasonSignature, []string{"in the name of release", "did not make this signature"}},
		{"two other keys", append(release(signRelease(t, other, s.Digest())), release(signRelease(t, newSigner(t, "x", elliptic.P384()), s.Digest()))...),
			ReasonSignature, []string{other.KeyID(), "; it is signed by the key SHA256:"}},
		{"a strange hint", release(bytes.Replace(signRelease(t, other, s.Digest()), []byte(hintOf(other)), []byte(`\u001b[2J`), 1)),
			ReasonSignature, []string{`calls itself "\x1b[2J"`}},
		{"altered signature", release(replace(`"sig":"M`, `"sig":"N`)), ReasonSignature, nil},
		{"payload for another release", release(payload(statementOf(bundle.PredicateSignature, elsewhere))),
			ReasonSignature, []string{"in the name of release", elsewhere.String()}},
		{"payload of the same meaning", release(payload(statementOf(bundle.PredicateSignature, s.Digest()) + " ")),
			ReasonSignature, []string{"did not make this signature"}},
		{"signed for another release", release(signRelease(t, us, elsewhere)), ReasonSignature, []string{"it is for " + elsewhere.String()}},
		{"provenance as signature", release(provenance(t, us, s.Digest(), d)), ReasonSignature, []string{"provenance/v1"}},
		{"signature as provenance", []sig{{good, attest.PredicateProvenance}}, ReasonUnsigned, []string{"nobody signed it"}},
		{"altered provenance beside a good signature",
			append(release(good), sig{bytes.Replace(provenance(t, us, s.Digest(), d), []byte(`"payload":"eyJ`), []byte(`"payload":"eyI`), 1), attest.PredicateProvenance}),
			ReasonSignature, []string{"an attestation in the name of release"}},
		{"two subjects", release(signStatement(t, us, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"`+
			s.Digest().Encoded()+`"}},{"digest":{"sha256":"`+elsewhere.Encoded()+`"}}],"predicateType":"`+bundle.PredicateSignature+`"}`)),
			ReasonSignature, []string{"more than one element"}},
		{"a certificate", release(replace(`"publicKey":{"hint":"`+hintOf(us)+`"}`, `"certificate":{"rawBytes":"AAAA"}`)),
			ReasonSignature, []string{"keyless"}},
		{"garbage", release([]byte("no JSON at all")), ReasonSignature, []string{"not a JSON object"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var sigs []bundle.Signature
			for _, x := range tt.sigs {
				sigs = append(sigs, attach(t, s, x.text, x.predicateType))
			}
			b, err := Open(read(t, s, sigs...), Policy{Trust: trust(t, "release.pub", us)})
			if b != nil {
				t.Error("a refused bundle was given")
			}
			wantError(t, err, tt.reason, append(tt.words, "the bundle is not trusted")...)
			if !strings.Contains(err.Error(), "release ("+us.KeyID()+")") {
				t.Errorf("%q does not name the accepted key", err)
			}
		})
	}
}

func TestOpenToleratesSignaturesOfOthers(t *testing.T) {
	us, other := newSigner(t, "release", elliptic.P256()), newSigner(t, "other", elliptic.P256())
	s, d := seal(t, nil)
	r := read(t, s,
		attach(t, s, []byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.9+json"}`), bundle.PredicateSignature),
		attach(t, s, signStatement(t, other, statementOf("https://example.com/audit/v1", s.Digest())), "https://example.com/audit/v1"),
		attach(t, s, provenance(t, other, s.Digest(), d), attest.PredicateProvenance),
		attach(t, s, signRelease(t, us, s.Digest()), bundle.PredicateSignature))
	b, err := Open(r, Policy{Trust: trust(t, "release.pub", us)})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range b.Report().Checks {
		got = append(got, c.Name+" "+string(c.Verdict))
	}
	want := []string{"signature pass", "signature warn", "attestation warn", "provenance warn", "sequence skip", "expiry skip"}
	if !slices.Equal(got, want) {
		t.Errorf("checks %v, want %v", got, want)
	}
}

// TestOpenRefusesAttestations: one that says nothing of the release is refused beside a good signature, whoever made it, as a
// flipped bit in it is. in-toto's validation model: https://github.com/in-toto/attestation/blob/main/docs/validation.md
func TestOpenRefusesAttestations(t *testing.T) {
	us, other := newSigner(t, "release", elliptic.P256()), newSigner(t, "other", elliptic.P256())
	s, d := seal(t, nil)
	const audit = "https://example.com/audit/v1"
	elsewhere := digest.FromString("another release")
	good := string(provenance(t, other, s.Digest(), d))
	predicate := func(kind, text string) []byte {
		return signStatement(t, other, strings.TrimSuffix(statementOf(kind, s.Digest()), "}")+`,"predicate":`+text+"}")
	}
	for _, tt := range []struct {
		name, predicateType string
		text                []byte
		words               string
	}{
		{"no JSON", audit, []byte("no JSON at all"), "not a JSON object"},
		{"no envelope", audit, []byte(`{"mediaType":"` + bundle.MediaTypeSigstoreBundle + `","verificationMaterial":{"publicKey":{}}}`), "DSSE envelope"},
		{"a later version", audit, []byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.8+json"}`), "v0.8"},
		{"unknown payload type", attest.PredicateProvenance, []byte(strings.Replace(good, `"payloadType":"application/vnd.in-toto+json"`, `"payloadType":"text/plain"`, 1)), "payload type"},
		{"no payload", attest.PredicateProvenance, []byte(strings.Replace(good, `"payload":"`, `"payload":"!`, 1)), "base64"},
		{"no statement", audit, signStatement(t, us, `{"hello":"world"}`), "statement"},
		{"another release", attest.PredicateProvenance, provenance(t, other, elsewhere, d), elsewhere.String()},
		{"another type", audit, provenance(t, other, s.Digest(), d), attest.PredicateProvenance},
		{"predicate of no object", audit, predicate(audit, `[1]`), "predicate"},
		{"provenance without predicate", attest.PredicateProvenance, signStatement(t, other, statementOf(attest.PredicateProvenance, s.Digest())), "predicate"},
		{"empty provenance", attest.PredicateProvenance, predicate(attest.PredicateProvenance, `{}`), "buildDefinition"},
		{"provenance by nobody", attest.PredicateProvenance, predicate(attest.PredicateProvenance,
			`{"buildDefinition":{"buildType":"x:y"},"runDetails":{"builder":{}}}`), "by whom"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := read(t, s, attach(t, s, signRelease(t, us, s.Digest()), bundle.PredicateSignature), attach(t, s, tt.text, tt.predicateType))
			_, err := Open(r, Policy{Trust: trust(t, "release.pub", us)})
			wantError(t, err, ReasonSignature, "the bundle is not trusted: an attestation", tt.words)
		})
	}
}

// TestOpenTakesKeysByAnyHint: hints are free text, and tools other than cosign write other ones.
func TestOpenTakesKeysByAnyHint(t *testing.T) {
	us := newSigner(t, "release", elliptic.P256())
	s, _ := seal(t, nil)
	for _, hint := range []string{`"hint":"hsm-slot-3"`, ``} {
		text := bytes.Replace(signRelease(t, us, s.Digest()), []byte(`"hint":"`+hintOf(us)+`"`), []byte(hint), 1)
		if _, err := Open(read(t, s, attach(t, s, text, bundle.PredicateSignature)), Policy{Trust: trust(t, "release.pub", us)}); err != nil {
			t.Errorf("hint %s: %v", hint, err)
		}
	}
}

func TestOpenPolicy(t *testing.T) {
	us := newSigner(t, "release", elliptic.P256())
	expires := time.Date(2027, 6, 30, 0, 0, 0, 0, time.UTC)
	s, _ := seal(t, func(d *bundle.Descriptor) { d.Expires = &expires })
	sig := attach(t, s, signRelease(t, us, s.Digest()), bundle.PredicateSignature)
	accepted := trust(t, "release.pub", us)
	before := expires.Add(-time.Second)
	for _, tt := range []struct {
		name   string
		policy Policy
		reason string // empty: accepted
		words  []string
		check  Check
	}{
		{"newer than committed", Policy{Trust: accepted, Now: before, MinSequence: 16}, "", nil, Check{CheckSequence, Pass, "sequence 17 is not below 16"}},
		{"older than committed", Policy{Trust: accepted, Now: before, MinSequence: 18}, ReasonSequence, []string{"store-platform 2.4.0", "sequence 17", "sequence 18"}, Check{}},
		{"before expiry", Policy{Trust: accepted, Now: before}, "", nil, Check{CheckExpiry, Pass, "expires 2027-06-30T00:00:00Z"}},
		{"at expiry", Policy{Trust: accepted, Now: expires}, ReasonExpired, []string{"expired 2027-06-30T00:00:00Z", "clock says 2027-06-30"}, Check{}},
		{"expired and allowed", Policy{Trust: accepted, Now: expires.AddDate(1, 0, 0), AllowExpired: true}, "", nil,
			Check{CheckExpiry, Warn, "expired 2027-06-30T00:00:00Z, which was allowed"}},
		{"expired and a replay", Policy{Trust: accepted, Now: expires, MinSequence: 18}, ReasonSequence, nil, Check{}},
		{"no trust", Policy{}, ReasonUsage, []string{"no key"}, Check{}},
		{"empty trust", Policy{Trust: &Trust{}}, ReasonUsage, []string{"no key"}, Check{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := Open(read(t, s, sig), tt.policy)
			if tt.reason != "" {
				wantError(t, err, tt.reason, tt.words...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(b.Report().Checks, tt.check) {
				t.Errorf("checks %v lack %v", b.Report().Checks, tt.check)
			}
		})
	}
}

func TestOpenMeasuresExpiryByTheClock(t *testing.T) {
	us := newSigner(t, "release", elliptic.P256())
	past := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	s, _ := seal(t, func(d *bundle.Descriptor) { d.Created, d.Expires = past.AddDate(-1, 0, 0), &past })
	_, err := Open(read(t, s, attach(t, s, signRelease(t, us, s.Digest()), bundle.PredicateSignature)), Policy{Trust: trust(t, "release.pub", us)})
	wantError(t, err, ReasonExpired, "2001-01-01")
}

// TestEveryByteCounts alters each byte of a signed bundle in turn: Open or Drain must refuse every one.
func TestEveryByteCounts(t *testing.T) {
	us := newSigner(t, "release", elliptic.P256())
	s, _ := seal(t, nil)
	text := write(t, s, attach(t, s, signRelease(t, us, s.Digest()), bundle.PredicateSignature))
	p := Policy{Trust: trust(t, "release.pub", us)}
	if err := openAll(text, p); err != nil {
		t.Fatal(err)
	}
	for i := range text {
		text[i] ^= 1
		if err := openAll(text, p); err == nil {
			t.Errorf("byte %d of %d was altered, and nobody saw it", i, len(text))
		}
		text[i] ^= 1
	}
	for n := range len(text) {
		if n%512 > 1 {
			continue
		}
		if err := openAll(text[:n], p); err == nil {
			t.Errorf("the bundle was cut to %d of %d bytes, and nobody saw it", n, len(text))
		}
	}
}

func openAll(text []byte, p Policy) error {
	r, err := bundle.NewReader(bytes.NewReader(text))
	if err != nil {
		return err
	}
	b, err := Open(r, p)
	if err != nil {
		return err
	}
	return b.Drain(context.Background())
}

func TestDrainAfterNext(t *testing.T) {
	us := newSigner(t, "release", elliptic.P256())
	s, _ := seal(t, nil)
	b, err := Open(read(t, s, attach(t, s, signRelease(t, us, s.Digest()), bundle.PredicateSignature)), Policy{Trust: trust(t, "release.pub", us)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Next(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.Drain(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	if err := b.Drain(context.Background()); err != nil {
		t.Errorf("a later Drain: %v", err)
	}
	if _, err := b.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("Next after the end: %v, want io.EOF", err)
	}
}

func TestBundleNotFromOpen(t *testing.T) {
	var b Bundle
	if _, err := b.Next(); err == nil {
		t.Error("a Bundle that Open did not make gives blobs")
	}
	if err := b.Drain(context.Background()); err == nil {
		t.Error("a Bundle that Open did not make can be drained")
	}
}
