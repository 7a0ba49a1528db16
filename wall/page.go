package wall

import (
	"errors"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// csp lets the page use its own files and nothing else.
const csp = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; worker-src 'self'; " +
	"connect-src 'self'; media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

// secured sets the headers that every answer carries.
func secured(next http.Handler, secure bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", csp)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		// What is not a file of the page is for this request alone.
		h.Set("Cache-Control", "no-store")
		if secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// page serves the built page: its files by name, and index.html for every
// other path, which the page itself routes.
func page(files fs.FS) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			problem(http.StatusMethodNotAllowed, "invalid", "the page is only read").ServeHTTP(w, r)
			return
		}
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		info, err := fs.Stat(files, name)
		switch {
		case err == nil && !info.IsDir() && strings.HasPrefix(name, "assets/"):
			// Names of assets change with what is in them.
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		case err == nil && !info.IsDir() && !strings.HasPrefix(path.Base(name), "."):
			w.Header().Set("Cache-Control", "no-cache")
		case path.Ext(name) != "" && !strings.HasPrefix(name, "cameras/"): // a camera's id may hold dots
			problem(http.StatusNotFound, "not_found", "there is no such file").ServeHTTP(w, r)
			return
		default:
			name = "index.html"
			w.Header().Set("Cache-Control", "no-cache")
		}
		file, err := fs.ReadFile(files, name)
		if errors.Is(err, fs.ErrNotExist) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte("页面尚未构建，请运行 make ui。\nThe page is not built into this program: run make ui, then make build.\n"))
			return
		}
		if err != nil {
			problem(http.StatusInternalServerError, "internal", "the page cannot be read").ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", contentType(name))
		_, _ = w.Write(file)
	})
}

// contentType is by extension, the same on every machine: the system's own
// table can be wrong or missing.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".json", ".map":
		return "application/json"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".ico":
		return "image/x-icon"
	case ".woff2":
		return "font/woff2"
	case ".webmanifest":
		return "application/manifest+json"
	case ".txt":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}
