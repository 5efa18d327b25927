package calls

func jsonRows() group {
	aDocument := block{before: "a document", prepare: []string{`JSON.SET k $ {"n":1,"s":"text","b":true,"a":[1,2,3],"o":{"n":2}}`}}
	return group{"JSON documents", []block{
		noKey.with(`JSON.SET k $ {"n":1}`, `JSON.SET k $ {"n":1} NX`, `JSON.GET k $.n`, `JSON.DEL k`, `JSON.MERGE k $ {"n":1}`, `JSON.MSET k $ {"n":1} k2 $ {"n":2}`),
		aDocument.with(
			`JSON.GET k`, `JSON.GET k $.n $..o`, `JSON.MGET k $.n`, `JSON.SET k $ {"n":2}`, `JSON.SET k $ {"n":2} XX`, `JSON.SET k $.n 2`, `JSON.SET k $.new 2 NX`, `JSON.MSET k $.n 2`,
			`JSON.MERGE k $ {"n":null}`, `JSON.DEL k`, `JSON.DEL k $..n`, `JSON.FORGET k $..n`, `JSON.CLEAR k $.a`, `JSON.TYPE k $.n`, `JSON.RESP k`, `JSON.DEBUG MEMORY k`,
			`JSON.NUMINCRBY k $.n 1`, `JSON.NUMMULTBY k $.n 2`, `JSON.NUMPOWBY k $.n 2`, `JSON.STRAPPEND k $.s "more"`, `JSON.STRLEN k $.s`, `JSON.TOGGLE k $.b`,
			`JSON.OBJKEYS k`, `JSON.OBJLEN k`, `JSON.ARRAPPEND k $.a 4`, `JSON.ARRINDEX k $.a 2`, `JSON.ARRINSERT k $.a 0 0`, `JSON.ARRLEN k $.a`, `JSON.ARRPOP k $.a`, `JSON.ARRTRIM k $.a 0 1`),
		block{before: "a document that expires", prepare: []string{`JSON.SET k $ {"n":1}`, "EXPIRE k 600"}}.with(`JSON.SET k $ {"n":2}`, `JSON.NUMINCRBY k $.n 1`),
		block{before: "2 documents", prepare: []string{`JSON.MSET k $ {"n":1} k2 $ {"n":2}`}}.with(`JSON.MGET k k2 $.n`, `JSON.MSET k $ {"n":1} k2 $ {"n":2}`, `JSON.MSET k $.n 1 k2 $.n 2`),
	}}
}
