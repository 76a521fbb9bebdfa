package verify

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	intoto "github.com/in-toto/attestation/go/v1"
	"github.com/opencontainers/go-digest"
	sgbundle "github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	sgverify "github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/sign"
)

// sigstoreAccepts has sigstore-go judge a Sigstore bundle by one key, whatever the bundle's hint says, as cosign does.
func sigstoreAccepts(key *ecdsa.PublicKey, text []byte, subject digest.Digest) error {
	hash := crypto.SHA256
	if key.Curve == elliptic.P384() {
		hash = crypto.SHA384
	}
	material := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		v, err := signature.LoadVerifier(key, hash)
		return root.NewExpiringKey(v, time.Time{}, time.Time{}), err
	})
	verifier, err := sgverify.NewVerifier(material, sgverify.WithNoObserverTimestamps())
	if err != nil {
		return err
	}
	var b sgbundle.Bundle
	if err := b.UnmarshalJSON(text); err != nil {
		return err
	}
	sum, err := hex.DecodeString(subject.Encoded())
	if err != nil {
		return err
	}
	_, err = verifier.Verify(&b, sgverify.NewPolicy(sgverify.WithArtifactDigest("sha256", sum), sgverify.WithKey()))
	return err
}

// weAccept tells whether we take the text for a release signature by the trust's first key.
func weAccept(t *Trust, text []byte, subject digest.Digest) error {
	f := t.judge(subject, bundle.Signature{Bundle: text, PredicateType: bundle.PredicateSignature})
	if f.signer == nil && f.fault == nil {
		return errOtherKey
	}
	return f.fault
}

var errOtherKey = refuse(ReasonSignature, "", "another key")

// TestSpellings: one spelling of a Sigstore bundle is accepted. Those marked lax are ones that sigstore-go takes too, so
// that they are refused here is our own strictness and not a fault of the test.
func TestSpellings(t *testing.T) {
	us := newSigner(t, "release", elliptic.P256())
	accepted := trust(t, "release.pub", us)
	subject := digest.FromString("release")
	good := string(signRelease(t, us, subject))
	hint := `{"hint":"` + hintOf(us) + `"}`
	r := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%s lacks %s", good, old)
		}
		return strings.Replace(good, old, new, 1)
	}
	head, _, found := strings.Cut(good, `"signatures":[`)
	if !found {
		t.Fatalf("%s has no signatures", good)
	}
	const accept, lax = "", "lax"
	for _, tt := range []struct{ name, text, want, note string }{
		{"as it is", good, accept, ""},
		{"white space", " " + strings.NewReplacer(`":`, `" : `, `",`, "\" ,\n\t").Replace(good) + "\n", accept, ""},
		{"log entries", r(`"publicKey"`, `"tlogEntries":[],"timestampVerificationData":{},"publicKey"`), accept, ""},
		{"key id in the envelope", r(`{"sig"`, `{"keyid":"x","sig"`), `unknown field "keyid"`, ""},
		{"unknown field", r(`{"mediaType"`, `{"x":1,"mediaType"`), `unknown field "x"`, ""},
		{"unknown field within", r(`{"sig"`, `{"x":1,"sig"`), `unknown field "x"`, ""},
		{"field in other case", r(`"dsseEnvelope"`, `"dsseenvelope"`), `unknown field "dsseenvelope"`, ""},
		{"Protobuf's own field name", r(`"dsseEnvelope"`, `"dsse_envelope"`), `unknown field`, lax},
		{"field twice", r(`"payloadType"`, `"payload":"","payloadType"`), `"payload" stands twice`, ""},
		{"media type twice", r(`{"mediaType"`, `{"mediaType":"x","mediaType"`), `"mediaType" stands twice`, ""},
		{"escaped field name", r(`"mediaType"`, `"mediaTyp\u0065"`), accept, ""},
		{"older media type", r(`bundle.v0.3+json`, `bundle+json;version=0.3`), "not a Sigstore bundle v0.3", lax},
		{"URL base64", r(`"payload":"eyJ`, `"payload":"_yJ`), "not base64", ""},
		{"line end in base64", r(`"payload":"`, `"payload":"\n`), `not base64`, lax},
		{"two signatures", r(`"signatures":[`, `"signatures":[{"sig":"AAAA"},`), "more than one element", ""},
		{"no signatures", head + `"signatures":[]}}`, "empty", ""},
		{"signatures no list", head + `"signatures":{}}}`, "not a list", ""},
		{"empty signature", head + `"signatures":[{"sig":""}]}}`, "signature is empty", ""},
		{"signature a number", head + `"signatures":[{"sig":1}]}}`, "not a string", ""},
		{"other payload type", r(`vnd.in-toto+json`, `json`), "payload type", ""},
		{"certificate beside the key", r(hint, hint+`,"certificate":{"rawBytes":"AAAA"}`), "both a key and a certificate", ""},
		{"no key", r(`"publicKey":`+hint, `"tlogEntries":[]`), "keyless", ""},
		{"hint a number", r(hint, `{"hint":1}`), "not a string", ""},
		{"long hint", r(hint, `{"hint":"`+strings.Repeat("x", maxHint+1)+`"}`), "hint has more than", lax},
		{"no material", r(`"verificationMaterial"`, `"x"`), "unknown field", ""},
		{"signature of a file", r(`"dsseEnvelope"`, `"messageSignature":{},"dsseEnvelope"`), "signs a file", ""},
		{"bytes after the end", good + "{}", "bytes follow its end", ""},
		{"cut short", good[:len(good)-1], "not JSON", ""},
		{"a list", "[" + good + "]", "not a JSON object", ""},
		{"nothing", "", "not a JSON object", ""},
		{"not UTF-8", r(hintOf(us), "\xff"), "not UTF-8", ""},
		{"huge", good + strings.Repeat(" ", bundle.MaxManifestSize), "more than", lax},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := weAccept(accepted, []byte(tt.text), subject)
			theirs := sigstoreAccepts(accepted.keys[0].ECDSA, []byte(tt.text), subject)
			if tt.want == accept {
				if err != nil || theirs != nil {
					t.Errorf("refused: by us %v, by sigstore-go %v", err, theirs)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
			if (theirs == nil) != (tt.note == lax) {
				t.Errorf("sigstore-go says %v", theirs)
			}
		})
	}
}

func TestObjectFields(t *testing.T) {
	o, err := parseObject([]byte(` { "text" : "a\u00e9" , "null":null, "number":1, "list":[ "x" ] , "b":"QUI=", "unpadded":"QUI", "loose":"QUJ=", "url":"_w==" } `))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := o.text("text"); err != nil || s != "aé" {
		t.Errorf("text = %q, %v", s, err)
	}
	if s, err := o.text("absent"); err != nil || s != "" {
		t.Errorf("an absent text = %q, %v", s, err)
	}
	for _, key := range []string{"null", "number", "list"} {
		if s, err := o.text(key); err == nil {
			t.Errorf("field %s passes for the text %q", key, s)
		}
	}
	if b, err := o.binary("b"); err != nil || string(b) != "AB" {
		t.Errorf("b = %q, %v", b, err)
	}
	for _, key := range []string{"unpadded", "loose", "url", "null"} {
		if b, err := o.binary(key); err == nil {
			t.Errorf("field %s passes for the bytes %q", key, b)
		}
	}
	if v, err := o.only("list"); err != nil || string(v) != `"x"` {
		t.Errorf("list holds %s, %v", v, err)
	}
	for _, key := range []string{"absent", "null", "text"} {
		if v, err := o.only(key); err == nil {
			t.Errorf("field %s passes for a list of %s", key, v)
		}
	}
}

func TestParseObjectBoundsFreeKeys(t *testing.T) {
	var b strings.Builder
	for i := range maxFields + 1 {
		fmt.Fprintf(&b, `,"%d":0`, i)
	}
	if _, err := parseObject([]byte("{" + b.String()[1:] + "}")); err == nil || !strings.Contains(err.Error(), "more than 64 fields") {
		t.Errorf("error %v, want one about the number of fields", err)
	}
}

func TestVerifySignatureOfP384TakesBothHashes(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for hash, want := range map[crypto.Hash]bool{crypto.SHA256: true, crypto.SHA384: true, crypto.SHA512: false} {
		h := hash.New()
		h.Write([]byte("message"))
		sig, err := key.Sign(rand.Reader, h.Sum(nil), hash)
		if err != nil {
			t.Fatal(err)
		}
		if got := newMessage([]byte("message")).signed(&key.PublicKey, sig); got != want {
			t.Errorf("%v: %v, want %v", hash, got, want)
		}
	}
}

// TestPreAuthEncoding is the example of the DSSE specification.
func TestPreAuthEncoding(t *testing.T) {
	got := string(preAuthEncoding("http://example.com/HelloWorld", []byte("hello world")))
	if want := "DSSEv1 29 http://example.com/HelloWorld 11 hello world"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestClaimed(t *testing.T) {
	us := newSigner(t, "release", elliptic.P256())
	signed := string(signRelease(t, us, digest.FromString("release")))
	for _, tt := range []struct{ text, want string }{
		{signed, us.KeyID()},
		{strings.Replace(signed, hintOf(us), `\u001b]0;\u0007`, 1), `"\x1b]0;\a"`},
		{strings.Replace(signed, hintOf(us), "hsm-slot-3", 1), "hsm-slot-3"},
	} {
		if got, err := Claimed([]byte(tt.text)); err != nil || got != tt.want {
			t.Errorf("Claimed = %q, %v, want %q", got, err, tt.want)
		}
	}
	if got, err := Claimed([]byte("{}")); err == nil {
		t.Errorf("Claimed of no Sigstore bundle = %q", got)
	}
}

// fixedSigner has the same key in each of a fuzzer's processes.
func fixedSigner(t testing.TB) *sign.Signer {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	s, err := sign.New("release", key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// FuzzSigstoreBundle holds the parser against sigstore-go: what we accept it accepts, for the same digest.
func FuzzSigstoreBundle(f *testing.F) {
	us := fixedSigner(f)
	accepted := trust(f, "release.pub", us)
	subject := digest.FromString("release")
	good := signRelease(f, us, subject)
	f.Add(good)
	f.Add([]byte(strings.ReplaceAll(string(good), ",", ", ")))
	f.Add([]byte(strings.Replace(string(good), `{"sig"`, `{"keyid":"x","sig"`, 1)))
	f.Add([]byte(strings.Replace(string(good), `"publicKey"`, `"tlogEntries":[{}],"publicKey"`, 1)))
	f.Add(signStatement(f, us, `{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"x"}`))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"certificate":{}}}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := parseEnvelope(text)
		if err != nil {
			return
		}
		if len(e.signature) == 0 || e.payloadType != mediaTypeStatement {
			t.Fatalf("an envelope without signature or of type %q", e.payloadType)
		}
		if weAccept(accepted, text, subject) != nil {
			return
		}
		// Log entries and timestamps are checked by sigstore-go and not looked at by us.
		if strings.Contains(string(text), "tlogEntries") || strings.Contains(string(text), "timestampVerificationData") {
			return
		}
		if err := sigstoreAccepts(accepted.keys[0].ECDSA, text, subject); err != nil {
			t.Fatalf("we accept what sigstore-go refuses: %v\n%s", err, text)
		}
	})
}

// FuzzStatement holds the statement parser against in-toto's own.
func FuzzStatement(f *testing.F) {
	f.Add([]byte(statementOf(bundle.PredicateSignature, digest.FromString("release"))))
	f.Add([]byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a","digest":{"sha256":"00","sha512":"00"}}],"predicateType":"x","predicate":{"a":1}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseStatement(text)
		if err != nil {
			return
		}
		if err := s.subject.Validate(); err != nil {
			t.Fatal(err)
		}
		var theirs intoto.Statement
		if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, &theirs); err != nil {
			t.Skip("in-toto is stricter with what we leave unread")
		}
		if got := theirs.GetSubject()[0].GetDigest()["sha256"]; got != s.subject.Encoded() || theirs.GetPredicateType() != s.predicateType {
			t.Fatalf("in-toto reads %s of type %q, we read %s of type %q", got, theirs.GetPredicateType(), s.subject, s.predicateType)
		}
	})
}
