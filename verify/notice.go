package verify

// Statement returns the in-toto statement in a Sigstore bundle, and which of the trusted keys has signed it. What the statement says is
// for the caller to judge. Faults are *Error with
// Reason "signature".
func (t *Trust) Statement(sigstoreBundle []byte) (statement []byte, by Signer, err error) {
	e, err := parseEnvelope(sigstoreBundle)
	if err != nil {
		return nil, Signer{}, refuse(ReasonSignature, "get the file again from where it was made", "it is no signed statement: %w", err)
	}
	k := t.signerOf(e.message(), e.signature)
	if k == nil {
		return nil, Signer{}, refuse(ReasonSignature, "ask who made it; "+hintTrust, "it is not signed by a key that is trusted here; trusted are %s", t.names())
	}
	return e.payload, k.Signer, nil
}
