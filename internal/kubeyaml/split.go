package kubeyaml

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// document is one document of a file.
type document struct {
	raw    []byte
	offset int // lines before it
}

// splitter parts a stream into documents. No line of a document's content can begin with --- or ... (YAML 1.2, 9.1.2).
type splitter struct {
	file    string
	found   func(document) error
	current document
	line    int
	// started tells that the document has content, ended that one was ended by ... and none has begun since, explicit
	// that the document began with ---, so that no directive may follow.
	started, ended, explicit bool
}

// split parts text as kubectl does; only a comment may stand beside a separator. The bytes of a document are valid
// during the call of found only.
func split(file string, text []byte, found func(document) error) error {
	s := &splitter{file: file, found: found}
	for len(text) > 0 {
		end := len(text)
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			end = i + 1
		}
		s.line++
		if err := s.add(text[:end]); err != nil {
			return err
		}
		text = text[end:]
	}
	return s.close()
}

// close hands the document out, if there is anything in it.
func (s *splitter) close() error {
	if s.started {
		if err := s.found(s.current); err != nil {
			return err
		}
	}
	s.current = document{raw: s.current.raw[:0], offset: s.line}
	s.started = false
	return nil
}

func (s *splitter) fail(problem, advice string) error {
	return &Error{Place: Place{s.file, s.line}, Problem: problem, Advice: advice}
}

// add takes one line with its end.
func (s *splitter) add(line []byte) error {
	marked := bytes.HasPrefix(line, utf8.AppendRune(nil, mark))
	line = bytes.TrimPrefix(line, utf8.AppendRune(nil, mark))
	text := bytes.TrimSpace(line)
	blank := len(text) == 0 || text[0] == '#'
	switch {
	case bytes.HasPrefix(line, []byte("---")):
		return s.separator(bytes.TrimSpace(line[3:]))
	case isEnd(line):
		return s.end(bytes.TrimSpace(line[3:]))
	case blank && !s.started:
		s.current.raw = append(s.current.raw, line...)
		return nil
	case !s.started && !s.explicit && line[0] == '%':
		return s.directive(line)
	case marked && s.started:
		return s.fail("a byte order mark stands inside a document", "write --- before it, so that a document begins there")
	case s.ended && !s.started:
		return s.fail("there is text after the document's end (...)", "begin the next document with ---")
	}
	s.started = true
	s.current.raw = append(s.current.raw, line...)
	return nil
}

func isEnd(line []byte) bool {
	return bytes.HasPrefix(line, []byte("...")) && (len(line) == 3 || bytes.IndexByte([]byte(" \t\n"), line[3]) >= 0)
}

// separator begins a document; rest is what stands beside the ---.
func (s *splitter) separator(rest []byte) error {
	if len(rest) > 0 && rest[0] != '#' {
		return s.fail("there is content on the line of a separator (---)", "begin the document on the next line")
	}
	s.ended, s.explicit = false, true
	return s.close()
}

// end ends a document; rest is what stands beside the dots.
func (s *splitter) end(rest []byte) error {
	if len(rest) > 0 && rest[0] != '#' {
		return s.fail("there is content on the line of a document's end (...)", "begin the next document with ---")
	}
	s.ended, s.explicit = true, false
	return s.close()
}

// directive passes over what says nothing new. The line stays, empty, so that lines are counted right.
func (s *splitter) directive(line []byte) error {
	if !bytes.HasPrefix(line, []byte("%YAML ")) {
		return s.fail(fmt.Sprintf("there is a directive, %.40q, that Kubernetes has no use for", bytes.TrimSpace(line)), "remove the line")
	}
	s.current.raw = append(s.current.raw, '\n')
	return nil
}
