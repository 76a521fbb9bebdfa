package embedded

import (
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/distribution/distribution/v3/registry/api/errcode"
)

const (
	// challengeHeader asks whoever serves the folder to prove that it knows the secret, proofHeader has the answer.
	challengeHeader = "Sallyport-Challenge"
	proofHeader     = "Sallyport-Proof"
	maxChallenge    = 128
	authenticate    = `Basic realm="sallyport"`
)

// admit lets a request in, or returns the error to answer with. Nothing of its body has been read then.
func (r *Registry) admit(w http.ResponseWriter, req *http.Request) error {
	if !r.answersFor(req) {
		return errcode.ErrorCodeDenied.WithMessage("this mirror is not known by the name that the request gives as its host")
	}
	if !ownPage(req) {
		return errcode.ErrorCodeDenied.WithMessage("this mirror answers no web pages of others")
	}
	if !writes(req) {
		if req.ContentLength != 0 {
			return errcode.ErrorCodeUnsupported.WithMessage("a request to read has no body")
		}
		return nil
	}
	if !r.cfg.RemoteWrites && !fromHere(req) {
		return errcode.ErrorCodeDenied.WithMessage("only the machine itself may push to this mirror")
	}
	if !r.knowsSecret(req) {
		w.Header().Set("WWW-Authenticate", authenticate)
		return errcode.ErrorCodeUnauthorized.WithMessage("only sallyport pushes to this mirror, by its secret")
	}
	return nil
}

// writes tells whether a request changes anything, or asks how a change gets on.
func writes(req *http.Request) bool {
	return req.Method != http.MethodGet && req.Method != http.MethodHead || strings.Contains(req.URL.Path, "/blobs/uploads")
}

// knowsSecret tells whether a request has the secret. Its file is read each time: whoever found none has made a new one.
func (r *Registry) knowsSecret(req *http.Request) bool {
	user, password, ok := req.BasicAuth()
	if !ok || user != User {
		return false
	}
	secret, ok := r.secret()
	if !ok || !sameSecret(password, secret) {
		return false
	}
	trust(req)
	return true
}

// secret reads the secret, if there is one that can be used. What is wrong with it goes to the log, once.
func (r *Registry) secret() (string, bool) {
	if r.cfg.Secret == "" {
		return "", false
	}
	secret, err := readSecret(r.cfg.Secret)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return secret, err == nil
	}
	if told := r.fault.Swap(err.Error()); told != err.Error() {
		r.log.Error("mirror: nobody can push", "error", err)
	}
	return "", false
}

// fromHere tells whether a connection comes from this machine: from a loopback address, or from the one it leads to.
func fromHere(req *http.Request) bool {
	from, err := netip.ParseAddrPort(req.RemoteAddr)
	if err != nil {
		return false
	}
	return from.Addr().Unmap().IsLoopback() || isLocal(req, from.Addr())
}

// isLocal tells whether an address is the one that the request's connection leads to.
func isLocal(req *http.Request, addr netip.Addr) bool {
	local, ok := req.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && local.AddrPort().Addr().Unmap().WithZone("") == addr.Unmap().WithZone("")
}

// answersFor tells whether the mirror is known by the name that a request gives as its host. A web page can make a name of
// its own lead here (DNS rebinding), and its reader's browser then takes the mirror for the page's own server.
func (r *Registry) answersFor(req *http.Request) bool {
	host := hostName(req.Host)
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Unmap().IsLoopback() || isLocal(req, addr) {
			return true
		}
	}
	return host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") || r.names[host]
}

// hostName is a host without its port, in small letters.
func hostName(hostPort string) string {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostPort, "["), "]")
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// namesOf are the names by which a mirror is known: those that it is given, and this machine's.
func namesOf(given []string) map[string]bool {
	names := make(map[string]bool)
	for _, host := range given {
		names[hostName(host)] = true
	}
	if machine, err := os.Hostname(); err == nil {
		machine = hostName(machine)
		short, _, _ := strings.Cut(machine, ".")
		names[machine], names[short], names[short+".local"] = true, true, true
	}
	return names
}

// ownPage tells whether a request comes from no web page, or from one that the mirror served itself.
func ownPage(req *http.Request) bool {
	if site := req.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		return false
	}
	origin := req.Header.Values("Origin")
	if len(origin) == 0 {
		return true
	}
	u, err := url.Parse(origin[0])
	return err == nil && len(origin) == 1 && u.Host != "" && strings.EqualFold(u.Host, req.Host)
}

// prove answers a challenge, so that a client can tell the site's mirror from something else at its address.
func (r *Registry) prove(w http.ResponseWriter, req *http.Request) {
	challenge := req.Header.Get(challengeHeader)
	if challenge == "" || len(challenge) > maxChallenge {
		return
	}
	if secret, ok := r.secret(); ok {
		w.Header().Set(proofHeader, proof(secret, challenge))
	}
}
