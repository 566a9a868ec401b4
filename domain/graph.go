package domain

// graph is the order of a template's steps, derived once when it is compiled.
// Steps are named by their index; an edge always points to a later index.
type graph struct {
	index  map[string]int // step name → index
	undos  map[string]int // compensation name → index
	preds  [][]int        // the steps that must be settled before step i starts
	before [][]bool       // before[i][j]: j must be settled before i, directly or through others
	undoOf []int          // step → its compensation, or -1
	stepOf []int          // compensation → the step it undoes, or -1 for the hook
}

func newGraph(t *Template) *graph {
	n := len(t.Steps)
	g := &graph{index: make(map[string]int, n), undos: map[string]int{}, preds: make([][]int, n),
		before: make([][]bool, n), undoOf: make([]int, n)}
	for i := range t.Steps {
		g.index[t.Steps[i].Name] = i
		g.undoOf[i] = -1
		g.before[i] = make([]bool, n)
		switch after := t.Steps[i].After; {
		case after != nil:
			for _, name := range after {
				g.preds[i] = append(g.preds[i], g.index[name])
			}
		case i > 0:
			g.preds[i] = []int{i - 1}
		}
		for _, p := range g.preds[i] {
			g.before[i][p] = true
			for j := range p {
				g.before[i][j] = g.before[i][j] || g.before[p][j]
			}
		}
	}
	for c := range t.Compensations {
		g.undos[t.Compensations[c].Name] = c
		s, ok := g.index[t.Compensations[c].Compensates]
		if !ok {
			s = -1
		} else {
			g.undoOf[s] = c
		}
		g.stepOf = append(g.stepOf, s)
	}
	return g
}

// hook is the index of the compensation without a step, or -1.
func (g *graph) hook() int {
	if n := len(g.stepOf); n > 0 && g.stepOf[n-1] < 0 {
		return n - 1
	}
	return -1
}
