package main

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/analysis"
)

// resolve fills in Ident.Obj, which go vet's parser does and staticcheck's does not: some of vet's analyzers read it.
var resolve = &analysis.Analyzer{
	Name: "resolve",
	Doc:  "fill in Ident.Obj",
	Run: func(pass *analysis.Pass) (any, error) {
		objects := map[types.Object]*ast.Object{} //lint:ignore SA1019 vet's analyzers read it
		object := func(id *ast.Ident, decl any) {
			o := pass.TypesInfo.ObjectOf(id)
			if o == nil || o.Pkg() != pass.Pkg {
				return // not declared here: universe, or imported
			}
			if objects[o] == nil {
				objects[o] = &ast.Object{Name: id.Name} //lint:ignore SA1019 vet's analyzers read it
			}
			if decl != nil && pass.TypesInfo.Defs[id] != nil {
				objects[o].Decl = decl
			}
			id.Obj = objects[o]
		}
		for _, file := range pass.Files {
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.Ident:
					object(n, nil)
				case *ast.AssignStmt:
					for _, x := range n.Lhs {
						if id, ok := x.(*ast.Ident); ok {
							object(id, n)
						}
					}
				case *ast.ValueSpec:
					for _, id := range n.Names {
						object(id, n)
					}
				}
				return true
			})
		}
		return nil, nil
	},
}

// resolved makes an analyzer run after resolve.
func resolved(a *analysis.Analyzer) *analysis.Analyzer {
	a.Requires = append(a.Requires, resolve)
	return a
}
