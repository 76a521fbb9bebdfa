package web

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/internal/ownfile"
)

// maxPEM bounds the file of the certificate.
const maxPEM = 64 << 10

// LoadCertificate reads the page's certificate and key from a file, and makes both if there are none or the certificate does not
// have all of the names, which are host names and addresses. It is signed by its own key, so browsers ask whether to
// believe it; its fingerprint is what to compare. It holds from 2000 to 9999: no clock is so wrong that it were not valid.
func LoadCertificate(path, site string, names []string) (*tls.Certificate, error) {
	c, err := readCertificate(path)
	switch {
	case err == nil && covers(c.Leaf, names):
		return c, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	b, err := makeCertificate(site, names)
	if err != nil {
		return nil, err
	}
	if err := durable.WriteFile(path, b, 0o600); err != nil {
		return nil, err
	}
	return readCertificate(path)
}

func readCertificate(path string) (*tls.Certificate, error) {
	b, err := ownfile.Read(path, maxPEM)
	if err != nil {
		return nil, err
	}
	c, err := tls.X509KeyPair(b, b)
	if err != nil {
		return nil, err
	}
	if c.Leaf == nil {
		return nil, errors.New("it has no certificate")
	}
	return &c, nil
}

// covers tells whether a certificate has all of the names.
func covers(leaf *x509.Certificate, names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return leaf.VerifyHostname(name) != nil })
}

func makeCertificate(site string, names []string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: site},
		NotBefore:    time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // RFC 5280, section 4.1.2.5: it does not end
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for kind, der := range map[string][]byte{"CERTIFICATE": der, "PRIVATE KEY": private} {
		if err := pem.Encode(&b, &pem.Block{Type: kind, Bytes: der}); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// Fingerprint is the SHA-256 sum of a certificate, as browsers show it.
func Fingerprint(c *tls.Certificate) string {
	var all []string
	for _, b := range sha256.Sum256(c.Certificate[0]) {
		all = append(all, fmt.Sprintf("%02X", b))
	}
	return strings.Join(all, ":")
}
