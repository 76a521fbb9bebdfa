package cmd

import "encoding/json"

// object prints v as the one JSON object of a verb.
func (p *program) object(v any) error {
	p.ui.endBar()
	e := json.NewEncoder(p.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
