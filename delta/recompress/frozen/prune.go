//go:build ignore

// Command prune takes out of packages what their user does not reach:
//
//	prune DIR=PATH NEVER NAME...
//
// DIR is the folder of the packages below the import path PATH, the names are those of functions, variables and
// methods that the user mentions, and NEVER is a regular expression for conditions, also of cases, that do not
// come true. What is left out are whole declarations, cases, and statements without an else. See freeze.sh.
package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	log.SetFlags(0)
	dir, module, _ := strings.Cut(os.Args[1], "=")
	p := &pruner{dir: dir, module: module, set: token.NewFileSet(), pkgs: map[string]*types.Package{}, used: map[types.Object]bool{}, names: map[string]bool{"init": true}}
	p.never = regexp.MustCompile("^(" + os.Args[2] + ")$")
	p.std = importer.ForCompiler(p.set, "source", nil)
	p.info = types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	for _, name := range os.Args[3:] {
		p.names[name] = true
	}
	check(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_, err = p.Import(filepath.ToSlash(filepath.Join(module, strings.TrimPrefix(path, dir))))
		}
		return err
	}))
	for p.reach() {
	}
	for _, f := range p.files {
		check(p.write(f))
	}
}

type pruner struct {
	dir, module string
	never       *regexp.Regexp
	set         *token.FileSet
	std         types.Importer
	info        types.Info
	pkgs        map[string]*types.Package
	files       []*file
	used        map[types.Object]bool
	names       map[string]bool // of declarations, and of methods of any type that is used
}

type file struct {
	path  string
	src   []byte
	ast   *ast.File
	decls []*decl
	cuts  []span
}

type span struct{ from, to int }

// decl is what is kept or left out as a whole.
type decl struct {
	names    []*ast.Ident
	receiver *ast.Ident // of a method: its type's name
	node     ast.Node
	at       span // with its comment
	kept     bool
}

// Import reads and checks a package.
func (p *pruner) Import(path string) (*types.Package, error) {
	rest, ours := strings.CutPrefix(path, p.module)
	if !ours {
		return p.std.Import(path)
	}
	if known := p.pkgs[path]; known != nil {
		return known, nil
	}
	list, err := filepath.Glob(filepath.Join(p.dir, rest, "*.go"))
	if err != nil || len(list) == 0 {
		return nil, err
	}
	var files []*ast.File
	for _, name := range list {
		f, err := p.read(name)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	conf := types.Config{Importer: p}
	p.pkgs[path], err = conf.Check(path, p.set, files, &p.info)
	return p.pkgs[path], err
}

func (p *pruner) read(path string) (*ast.File, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &file{path: path, src: src}
	if f.ast, err = parser.ParseFile(p.set, path, src, parser.ParseComments); err != nil {
		return nil, err
	}
	p.files = append(p.files, f)
	for _, d := range f.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			p.add(f, &decl{names: []*ast.Ident{d.Name}, receiver: receiver(d)}, d, d.Doc)
		case *ast.GenDecl:
			p.general(f, d)
		}
	}
	return f.ast, nil
}

// general adds a group: one of constants that count stays whole.
func (p *pruner) general(f *file, d *ast.GenDecl) {
	if d.Tok == token.IMPORT {
		return
	}
	text := f.src[p.offset(d.Pos()):p.offset(d.End())]
	if d.Tok == token.CONST && bytes.Contains(text, []byte("iota")) || !d.Lparen.IsValid() {
		group := &decl{}
		for _, s := range d.Specs {
			group.names = append(group.names, names(s)...)
		}
		p.add(f, group, d, d.Doc)
		return
	}
	for _, s := range d.Specs {
		var doc *ast.CommentGroup
		if v, ok := s.(*ast.ValueSpec); ok {
			doc = v.Doc
		}
		p.add(f, &decl{names: names(s)}, s, doc)
	}
}

func (p *pruner) add(f *file, d *decl, node ast.Node, doc *ast.CommentGroup) {
	d.node, d.at = node, p.span(node)
	if doc != nil {
		d.at.from = p.offset(doc.Pos())
	}
	f.decls = append(f.decls, d)
}

func (p *pruner) offset(at token.Pos) int { return p.set.Position(at).Offset }

func (p *pruner) span(n ast.Node) span { return span{p.offset(n.Pos()), p.offset(n.End())} }

func names(s ast.Spec) []*ast.Ident {
	if t, ok := s.(*ast.TypeSpec); ok {
		return []*ast.Ident{t.Name}
	}
	return s.(*ast.ValueSpec).Names
}

func receiver(d *ast.FuncDecl) *ast.Ident {
	if d.Recv == nil {
		return nil
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	return t.(*ast.Ident)
}

// reach keeps what is mentioned, and tells whether that changed anything.
func (p *pruner) reach() bool {
	changed := false
	for _, f := range p.files {
		for _, d := range f.decls {
			if !d.kept && slices.ContainsFunc(d.names, func(n *ast.Ident) bool { return p.wants(n, d) }) {
				d.kept, changed = true, true
				p.mentions(f, d.node)
			}
		}
	}
	return changed
}

func (p *pruner) wants(n *ast.Ident, d *decl) bool {
	if d.receiver != nil && !p.used[p.info.Uses[d.receiver]] {
		return false
	}
	return p.used[p.info.Defs[n]] || p.names[n.Name] || n.Name == "_"
}

// mentions notes all that a node mentions, but for what never runs.
func (p *pruner) mentions(f *file, node ast.Node) {
	alternatives := map[ast.Stmt]bool{}
	ast.Inspect(node, func(n ast.Node) bool {
		if n != nil && f.cut(p.offset(n.Pos())) {
			return false
		}
		switch n := n.(type) {
		case *ast.IfStmt:
			alternatives[n.Else] = true
			if n.Init == nil && n.Else == nil && !alternatives[n] && p.never.MatchString(p.text(f, n.Cond)) {
				f.cuts = append(f.cuts, p.span(n))
			}
		case *ast.SwitchStmt:
			p.cases(f, n)
		case *ast.InterfaceType:
			for _, method := range n.Methods.List {
				for _, name := range method.Names {
					p.names[name.Name] = true
				}
			}
		case *ast.SelectorExpr:
			if s := p.info.Selections[n]; s != nil && types.IsInterface(s.Recv()) {
				p.names[n.Sel.Name] = true
			}
		case *ast.Ident:
			p.used[origin(p.info.Uses[n])] = true
		}
		return true
	})
}

// cases cuts the cases of s that never come true.
func (p *pruner) cases(f *file, s *ast.SwitchStmt) {
	tag := ""
	if s.Tag != nil {
		tag = p.text(f, s.Tag) + " == "
	}
	for _, c := range s.Body.List {
		list := c.(*ast.CaseClause).List
		if list != nil && !slices.ContainsFunc(list, func(e ast.Expr) bool { return !p.never.MatchString(tag + p.text(f, e)) }) {
			f.cuts = append(f.cuts, p.span(c))
		}
	}
}

func (p *pruner) text(f *file, n ast.Node) string {
	at := p.span(n)
	return string(f.src[at.from:at.to])
}

// origin returns a generic function in place of one for certain types.
func origin(o types.Object) types.Object {
	if f, ok := o.(*types.Func); ok {
		return f.Origin()
	}
	return o
}

func (p *pruner) write(f *file) error {
	kept := false
	for _, d := range f.decls {
		if kept = kept || d.kept; !d.kept {
			f.cuts = append(f.cuts, d.at)
		}
	}
	if !kept {
		return os.Remove(f.path)
	}
	for _, d := range f.ast.Decls {
		if d, ok := d.(*ast.GenDecl); ok && d.Tok == token.IMPORT {
			p.imports(f, d)
		}
	}
	slices.SortFunc(f.cuts, func(a, b span) int { return cmp.Or(a.from-b.from, b.to-a.to) })
	var out []byte
	at := 0
	for _, c := range f.cuts {
		if c.from >= at {
			out = append(out, f.src[at:c.from]...)
			at = c.to
		}
	}
	out = append(out, f.src[at:]...)
	out = regexp.MustCompile(`(?m)^(var|const|type|import) \(\s*\)$`).ReplaceAll(out, nil)
	out = regexp.MustCompile(`\n\s*\n\s*\n+`).ReplaceAll(out, []byte("\n\n"))
	out, err := format.Source(out)
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	return os.WriteFile(f.path, out, 0o644)
}

// imports cuts the packages of d that nothing kept mentions.
func (p *pruner) imports(f *file, d *ast.GenDecl) {
	mentioned := map[string]bool{}
	for _, k := range f.decls {
		if !k.kept {
			continue
		}
		ast.Inspect(k.node, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			if name, is := p.info.Uses[id].(*types.PkgName); ok && is && !f.cut(p.offset(id.Pos())) {
				mentioned[name.Imported().Path()] = true
			}
			return true
		})
	}
	for _, s := range d.Specs {
		var cut ast.Node = s
		if !d.Lparen.IsValid() {
			cut = d
		}
		if !mentioned[strings.Trim(s.(*ast.ImportSpec).Path.Value, `"`)] {
			f.cuts = append(f.cuts, p.span(cut))
		}
	}
}

func (f *file) cut(at int) bool {
	return slices.ContainsFunc(f.cuts, func(c span) bool { return c.from <= at && at < c.to })
}

func check(err error) {
	if err != nil {
		log.Fatal(errors.Unwrap(err), err)
	}
}
