package delta
import ("bufio";"bytes")
func bufioNew(b []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(b)) }
