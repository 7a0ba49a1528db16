package wall_test

import "testing"

// TestOpenAPI keeps openapi.json, from which the page makes its types, what
// the server really says.
func TestOpenAPI(t *testing.T) {
	w := newWorld(t)
	got, err := w.server.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "openapi.json", got)
	if res := w.anyone().get("/api/openapi.json"); string(res.body) != string(got) {
		t.Errorf("served another description: %d", res.StatusCode)
	}
}
