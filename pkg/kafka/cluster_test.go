package kafka

import "testing"

func TestNoClusterHasTheIndexForItsPartition(t *testing.T) {
	w := newWorld(t, openStore(t))
	const id = "lusters" // whose partition would be that of the index
	for _, name := range []string{id, "t1", "c"} {
		_, err := w.e.CreateCluster(t.Context(), ClusterOptions{ID: name})
		if name == id {
			w.wantKind(err, Invalid)
		} else if err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.e.Cluster(t.Context(), id) // there is an item where its record would be: that of cluster c
	w.wantKind(err, NotFound)
	w.wantKind(w.e.DeleteCluster(t.Context(), id), NotFound)
	if ids, err := w.e.Clusters(t.Context()); err != nil || len(ids) != 3 {
		t.Errorf("clusters %v, %v", ids, err)
	}
	// Ids that only look alike are like any others.
	for _, near := range []string{"clusters", "luster", "lustersx", "Lusters"} {
		if _, err := w.e.CreateCluster(t.Context(), ClusterOptions{ID: near}); err != nil {
			t.Errorf("%s: %v", near, err)
		}
	}
}
