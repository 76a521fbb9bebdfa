// Package verify decides whether a bundle is to be trusted. [Open] is the only maker of [Bundle], and only a Bundle can be
// applied, so unverified bytes cannot reach a site by construction.
//
// Signatures are Sigstore bundles v0.3 that hold an in-toto statement in a DSSE envelope, made with a key (not with a
// certificate), as `cosign sign --new-bundle-format` makes them. They are checked without any network. What is read here
// is hostile until its signature has been checked, so the parser takes one spelling only, the one that Sigstore's own
// writers use: unknown, repeated or differently spelt keys, other base64 forms and trailing bytes are refused. It is
// small on purpose: the site program links nothing of Sigstore. Tests hold it against sigstore-go and cosign.
//
// Entries of a transparency log and timestamps that a Sigstore bundle carries are not looked at: trust comes from the key.
package verify
