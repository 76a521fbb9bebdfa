package embedded

import (
	"io"
	"math"
	"net/http"
	"time"
)

const (
	// headerTime bounds how long a request's head may take, idleTime how long a connection may wait for the next request.
	headerTime = 10 * time.Second
	idleTime   = 2 * time.Minute
	// maxHeader bounds a request's head in bytes.
	maxHeader = 16 << 10
	// sendStall is how long a client may take none of an answer: a container runtime's disk may be slow. receiveStall is
	// how long one with the secret may send nothing: the medium from which it reads may be. refuseTime is what is left
	// to a request that was refused.
	sendStall    = 2 * time.Minute
	receiveStall = 10 * time.Minute
	refuseTime   = 5 * time.Second
	// paceChunk is how much is sent between two looks at the clock.
	paceChunk = 256 << 10
)

// paced lets an answer take as long as it gets on. The connections of a server cannot tell by themselves.
type paced struct {
	http.ResponseWriter
	control *http.ResponseController
}

// pace puts the exchange under the clock.
func pace(w http.ResponseWriter, req *http.Request) *paced {
	p := &paced{w, http.NewResponseController(w)}
	p.touch()
	if req.Body != nil && req.Body != http.NoBody {
		req.Body = &pacedBody{req.Body, p.control}
	}
	return p
}

// touch gives the next chunk its time. Where there is no connection, as in a test, there is no clock.
func (p *paced) touch() { _ = p.control.SetWriteDeadline(time.Now().Add(sendStall)) }

// hurry gives a request that was refused little time to take the answer and to end.
func hurry(w http.ResponseWriter) {
	end, control := time.Now().Add(refuseTime), http.NewResponseController(w)
	_ = control.SetReadDeadline(end)
	_ = control.SetWriteDeadline(end)
}

func (p *paced) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p *paced) Write(b []byte) (sent int, err error) {
	for len(b) > 0 && err == nil {
		p.touch()
		var n int
		n, err = p.ResponseWriter.Write(b[:min(len(b), paceChunk)])
		sent, b = sent+n, b[n:]
	}
	return sent, err
}

// ReadFrom sends a file in chunks that the system can send by itself.
func (p *paced) ReadFrom(r io.Reader) (sent int64, err error) {
	whole, ok := r.(*io.LimitedReader)
	if !ok {
		whole = &io.LimitedReader{R: r, N: math.MaxInt64}
	}
	for whole.N > 0 {
		p.touch()
		part := &io.LimitedReader{R: whole.R, N: min(whole.N, paceChunk)}
		want := part.N
		n, err := io.Copy(p.ResponseWriter, part)
		sent, whole.N = sent+n, whole.N-n
		if err != nil || n < want {
			return sent, err
		}
	}
	return sent, nil
}

type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
}

func (b *pacedBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(receiveStall))
	return b.ReadCloser.Read(p)
}
